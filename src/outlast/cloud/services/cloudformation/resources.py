"""AWS::CloudFormation::Stack: a stack as a resource of another, made by the same API calls.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-stack.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from outlast.cloud.contract import Calls, Fault, Made, ResourceType, Stack

Properties = Mapping[str, Any]
LOOK_EVERY_S: Final = 0.25
NAME_LIMIT: Final = 128
CAPABILITIES: Final = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]


class EmbeddedStackFailed(Fault, code="ValidationError"):
    """The embedded stack did not come to be what was wanted; the text says why."""


class StackType:
    """An embedded stack. Its outputs are the attributes `Outputs.NAME`."""

    type_name = "AWS::CloudFormation::Stack"
    properties = frozenset({"Parameters", "Tags", "TemplateURL", "TimeoutInMinutes"})

    async def create(self, aws: Calls, properties: Properties, stack: Stack) -> Made:
        params = {
            **_request(properties),
            "StackName": stack.generated_name(NAME_LIMIT),
            "ClientRequestToken": f"embedded-{stack.suffix}",
        }
        if "TimeoutInMinutes" in properties:
            params["TimeoutInMinutes"] = properties["TimeoutInMinutes"]
        identifier = (await aws("cloudformation", "CreateStack", params))["StackId"]
        shown = await _settled(aws, identifier)
        if shown["StackStatus"] != "CREATE_COMPLETE":
            reason = shown.get("StackStatusReason") or await _first_failure(aws, identifier)
            await self.delete(aws, identifier, properties, stack)
            raise EmbeddedStackFailed(f"Embedded stack {identifier} was not successfully created: {reason}")
        return _made(shown)

    async def update(self, aws: Calls, physical_id: str, old: Properties, new: Properties, stack: Stack) -> Made | None:
        try:
            await aws("cloudformation", "UpdateStack", {**_request(new), "StackName": physical_id})
        except Fault as fault:
            if "No updates are to be performed" not in fault.message:
                raise
        shown = await _settled(aws, physical_id)
        if shown["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            reason = await _first_failure(aws, physical_id)
            raise EmbeddedStackFailed(f"Embedded stack {physical_id} was not successfully updated: {reason}")
        return _made(shown)

    async def delete(self, aws: Calls, physical_id: str, properties: Properties, stack: Stack) -> None:
        await aws("cloudformation", "DeleteStack", {"StackName": physical_id})
        try:
            shown = await _settled(aws, physical_id)
        except Fault as fault:
            if "does not exist" in fault.message:
                return
            raise
        if shown["StackStatus"] != "DELETE_COMPLETE":
            raise EmbeddedStackFailed(
                f"Embedded stack {physical_id} was not successfully deleted: {shown.get('StackStatusReason', '')}"
            )


def _request(properties: Properties) -> dict[str, Any]:
    parameters = [
        {"ParameterKey": name, "ParameterValue": ",".join(value) if isinstance(value, list) else value}
        for name, value in properties.get("Parameters", {}).items()
    ]
    return {
        "TemplateURL": properties["TemplateURL"],
        "Parameters": parameters,
        "Tags": properties.get("Tags", []),
        "Capabilities": CAPABILITIES,
    }


async def _settled(aws: Calls, identifier: str) -> dict[str, Any]:
    """The stack as it is shown once nothing is being done to it."""
    while True:
        (shown,) = (await aws("cloudformation", "DescribeStacks", {"StackName": identifier}))["Stacks"]
        if not shown["StackStatus"].endswith("_IN_PROGRESS"):
            return dict(shown)
        await aws.sleep(LOOK_EVERY_S)


async def _first_failure(aws: Calls, identifier: str) -> str:
    """Why the newest operation of the stack failed, as its events tell it."""
    events = (await aws("cloudformation", "DescribeStackEvents", {"StackName": identifier}))["StackEvents"]
    failures = [one for one in events if one["ResourceStatus"].endswith("_FAILED") and one.get("ResourceStatusReason")]
    if not failures:
        return "its events do not say why"
    return f"{failures[-1]['LogicalResourceId']}: {failures[-1]['ResourceStatusReason']}"


def _made(shown: Mapping[str, Any]) -> Made:
    outputs = {one["OutputKey"]: one["OutputValue"] for one in shown.get("Outputs", ())}
    return Made(shown["StackId"], {"Outputs": outputs})


RESOURCE_TYPES: Final[tuple[ResourceType, ...]] = (StackType(),)
