"""One CloudFormation stack, made or brought up to date, and watched until it is done.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import ClientError

from outlast.ops.clients import again, error_code
from outlast.ops.outcome import OpsError

DEAD: Final = frozenset(
    {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS"}
)
"""What becomes of such a stack is deletion alone."""
STUCK: Final = "UPDATE_ROLLBACK_FAILED"
GOOD: Final = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})
MAX_REASONS: Final = 3


@dataclass(frozen=True, slots=True)
class StackPlan:
    """A stack to have: its template, where, and with which parameters."""

    name: str
    region: str
    template: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StackEvent:
    """Something that happened to a stack or to a resource of it."""

    stack: str
    region: str
    resource: str
    kind: str
    status: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StackResult:
    """A stack that is there. `changed`: this run made it or changed it; `created`: this run made it."""

    plan: StackPlan
    outputs: Mapping[str, str]
    changed: bool
    created: bool


Progress = Callable[[StackEvent], None]


@dataclass(slots=True)
class StackMaker:
    """Makes stacks through one Region's CloudFormation client. Times in seconds."""

    client: Any
    progress: Progress
    poll_s: float = 3.0
    limit_s: float = 1800.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _seen: set[str] = field(default_factory=set)

    def ensure(self, plan: StackPlan) -> StackResult:
        """Make the stack, or change it to match. Raises OpsError with the first reasons when it fails.

        What an earlier run has begun, and was interrupted in, is waited for first.
        """
        standing = self._settled(self._describe(plan.name), plan.name, plan.region)
        if standing is not None and standing["StackStatus"] in DEAD:
            self.remove(plan.name, plan.region)
            standing = None
        if standing is not None:
            self._note_past(plan.name)
        changed = self._begin(plan, standing is not None)
        status = self._watch(plan.name, plan.region) if changed else "unchanged"
        if changed and status not in GOOD:
            raise OpsError(f"The stack {plan.name} in {plan.region} ended as {status}. {self._reasons(plan.name)}")
        if not changed:
            self.progress(StackEvent(plan.name, plan.region, plan.name, "AWS::CloudFormation::Stack", "UNCHANGED"))
        return StackResult(plan, self.outputs(plan.name), changed, created=standing is None)

    def _settled(self, standing: dict[str, Any] | None, name: str, region: str) -> dict[str, Any] | None:
        """The stack once nothing is under way in it; None when there is none."""
        if standing is None or standing["StackStatus"] == "REVIEW_IN_PROGRESS":
            return standing
        if standing["StackStatus"].endswith("_IN_PROGRESS"):
            self.progress(StackEvent(name, region, name, "AWS::CloudFormation::Stack", "WAITED FOR"))
            self._note_past(name)
            self._watch(name, region)
            standing = self._describe(name)
        if standing is not None and standing["StackStatus"] == STUCK:
            raise OpsError(
                f"The stack {name} in {region} is {STUCK}: mend what it names, then "
                f"`aws cloudformation continue-update-rollback --stack-name {name}`. {self._reasons(name)}"
            )
        return standing

    def outputs(self, name: str) -> dict[str, str]:
        """The stack's outputs; empty when there is no such stack."""
        standing = self._describe(name) or {}
        return {each["OutputKey"]: each["OutputValue"] for each in standing.get("Outputs", [])}

    def remove(self, name: str, region: str) -> None:
        """Delete the stack and wait until it is gone; no error when there is none."""
        standing = self._describe(name)
        if standing is not None and standing["StackStatus"].startswith("UPDATE_"):
            standing = self._settled(standing, name, region)  # an update that is under way cannot be cut short
        if standing is None:
            return
        self._note_past(name)
        again(lambda: self.client.delete_stack(StackName=standing["StackId"]), sleep=self.sleep)
        status = self._watch(standing["StackId"], region, name)
        if status not in ("DELETE_COMPLETE", ""):
            raise OpsError(f"The stack {name} in {region} could not be deleted. {self._reasons(standing['StackId'])}")

    def _begin(self, plan: StackPlan, exists: bool) -> bool:
        arguments = {
            "StackName": plan.name,
            "TemplateBody": plan.template,
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in sorted(plan.parameters.items())
            ],
            "Capabilities": ["CAPABILITY_IAM"],
            "ClientRequestToken": str(uuid.uuid4()),
        }
        call = self.client.update_stack if exists else self.client.create_stack
        try:
            again(lambda: call(**arguments), sleep=self.sleep)
        except ClientError as error:
            if exists and "No updates are to be performed" in str(error):
                return False
            raise OpsError(f"The stack {plan.name} in {plan.region} was refused: {error}") from error
        return True

    def _describe(self, name: str) -> dict[str, Any] | None:
        try:
            stacks = again(lambda: self.client.describe_stacks(StackName=name), sleep=self.sleep)["Stacks"]
        except ClientError as error:
            if error_code(error) == "ValidationError" and "does not exist" in str(error):
                return None
            raise
        return dict(stacks[0]) if stacks else None

    def _watch(self, name: str, region: str, shown: str = "") -> str:
        until_s = self.clock() + self.limit_s
        while self.clock() < until_s:
            for event in self._events(name):
                if event["EventId"] not in self._seen:
                    self._seen.add(event["EventId"])
                    self.progress(_event(event, shown or name, region))
            standing = self._describe(name)
            status = "" if standing is None else str(standing["StackStatus"])
            if not status.endswith("_IN_PROGRESS"):
                return status
            self.sleep(self.poll_s)
        raise OpsError(f"The stack {shown or name} in {region} was not done after {self.limit_s:.0f} seconds.")

    def _note_past(self, name: str) -> None:
        self._seen.update(event["EventId"] for event in self._events(name))

    def _events(self, name: str) -> list[dict[str, Any]]:
        """The newest page of events, oldest first."""
        try:
            page = again(lambda: self.client.describe_stack_events(StackName=name), sleep=self.sleep)
        except ClientError as error:
            if error_code(error) == "ValidationError":
                return []
            raise
        return list(reversed(page["StackEvents"]))

    def _reasons(self, name: str) -> str:
        failed = [
            f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
            for event in self._events(name)
            if event["ResourceStatus"].endswith("_FAILED") and event.get("ResourceStatusReason")
        ]
        telling = [reason for reason in failed if "Resource creation cancelled" not in reason]
        return " ".join((telling or failed)[:MAX_REASONS])


def _event(event: Mapping[str, Any], stack: str, region: str) -> StackEvent:
    return StackEvent(
        stack=stack,
        region=region,
        resource=event["LogicalResourceId"],
        kind=event["ResourceType"],
        status=event["ResourceStatus"],
        reason=event.get("ResourceStatusReason", ""),
    )
