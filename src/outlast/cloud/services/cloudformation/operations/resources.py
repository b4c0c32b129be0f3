"""Resources of stacks shown."""

from __future__ import annotations

from typing import Any

from outlast.cloud.contract import Call, Reply, ValidationException
from outlast.cloud.services.cloudformation.model import ResourceRecord, StackRecord
from outlast.cloud.services.cloudformation.operations.paging import page, seconds, shown
from outlast.cloud.services.cloudformation.service import cloudformation, stack_arn
from outlast.cloud.services.cloudformation.state import Stacks

NOT_CHECKED = {"StackResourceDriftStatus": "NOT_CHECKED"}


def _show(stack: StackRecord, record: ResourceRecord, time_member: str, *, with_stack: bool = True) -> dict[str, Any]:
    owner = {"StackName": stack.name, "StackId": stack.id} if with_stack else {}
    return shown(
        **owner,
        LogicalResourceId=record.logical_id,
        PhysicalResourceId=record.physical_id,
        ResourceType=record.type,
        ResourceStatus=record.status,
        ResourceStatusReason=record.reason,
        DriftInformation=NOT_CHECKED,
        **{time_member: seconds(record.changed_ms)},
    )


def _present(call: Call[Stacks], stack: StackRecord) -> list[ResourceRecord]:
    return [record for record in call.state.resources(stack.key) if not record.retired]


@cloudformation.operation(resource=stack_arn, control_plane=True)
def describe_stack_resource(call: Call[Stacks], *, stack_name: str, logical_resource_id: str) -> Reply:
    """One resource."""
    stack = call.state.find(stack_name)
    record = call.state.resource(stack.key, logical_resource_id)
    if record is None:
        raise ValidationException(f"Resource {logical_resource_id} does not exist for stack {stack.name}")
    return {"StackResourceDetail": _show(stack, record, "LastUpdatedTimestamp")}


@cloudformation.operation(resource=stack_arn, control_plane=True)
def describe_stack_resources(
    call: Call[Stacks],
    *,
    stack_name: str | None = None,
    logical_resource_id: str | None = None,
    physical_resource_id: str | None = None,
) -> Reply:
    """The resources of a stack, found by its name or by the physical id of one of them."""
    if (stack_name is None) == (physical_resource_id is None):
        raise ValidationException("You must specify either StackName or PhysicalResourceId, but not both.")
    stack = call.state.find(stack_name) if stack_name is not None else _owner(call, str(physical_resource_id))
    found = [
        _show(stack, record, "Timestamp")
        for record in _present(call, stack)
        if logical_resource_id in (None, record.logical_id)
    ]
    if logical_resource_id is not None and not found:
        raise ValidationException(f"Resource {logical_resource_id} does not exist for stack {stack.name}")
    return {"StackResources": found}


def _owner(call: Call[Stacks], physical_id: str) -> StackRecord:
    for stack in call.state.all():
        if not stack.is_gone and any(one.physical_id == physical_id for one in _present(call, stack)):
            return stack
    raise ValidationException(f"Stack for {physical_id} does not exist")


@cloudformation.operation(resource=stack_arn, control_plane=True)
def list_stack_resources(call: Call[Stacks], *, stack_name: str, next_token: str | None = None) -> Reply:
    """Summaries of the resources of a stack."""
    stack = call.state.find(stack_name)
    found, more = page(_present(call, stack), next_token)
    summaries = [_show(stack, record, "LastUpdatedTimestamp", with_stack=False) for record in found]
    return {"StackResourceSummaries": summaries, **more}
