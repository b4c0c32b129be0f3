"""Stacks shown: their state, their events, their exports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outlast.cloud.contract import Call, Reply, ValidationException
from outlast.cloud.services.cloudformation.model import StackRecord
from outlast.cloud.services.cloudformation.operations.paging import page, seconds, shown
from outlast.cloud.services.cloudformation.service import cloudformation, stack_arn
from outlast.cloud.services.cloudformation.state import Stacks

HIDDEN = "****"


@cloudformation.operation(resource=stack_arn, control_plane=True)
def describe_stacks(call: Call[Stacks], *, stack_name: str | None = None, next_token: str | None = None) -> Reply:
    """One stack, or all that are not deleted, newest first."""
    if stack_name is not None:
        return {"Stacks": [show_stack(call.state.find(stack_name))]}
    living = sorted((one for one in call.state.all() if not one.is_gone), key=lambda one: -one.created_ms)
    found, more = page(living, next_token)
    return {"Stacks": [show_stack(one) for one in found], **more}


def show_stack(stack: StackRecord) -> dict[str, Any]:
    """A stack as DescribeStacks shows it."""
    return shown(
        StackId=stack.id,
        StackName=stack.name,
        ChangeSetId=stack.change_set_id,
        Description=stack.description,
        Parameters=show_parameters(stack.parameters, stack.secret_parameters),
        CreationTime=seconds(stack.created_ms),
        LastUpdatedTime=seconds(stack.updated_ms),
        DeletionTime=seconds(stack.deleted_ms),
        RollbackConfiguration={},
        StackStatus=stack.status,
        StackStatusReason=stack.reason,
        DisableRollback=stack.disable_rollback,
        NotificationARNs=[],
        TimeoutInMinutes=stack.timeout_minutes,
        Capabilities=list(stack.capabilities),
        Outputs=[
            shown(OutputKey=one.name, OutputValue=one.value, Description=one.description, ExportName=one.export_name)
            for one in stack.outputs
        ]
        or None,
        RoleARN=stack.role_arn,
        Tags=[{"Key": key, "Value": value} for key, value in stack.tags],
        EnableTerminationProtection=stack.termination_protection,
        DriftInformation={"StackDriftStatus": "NOT_CHECKED"},
    )


def show_parameters(values: Mapping[str, str], secret: Sequence[str]) -> list[dict[str, str]]:
    """Parameters with their values; those declared NoEcho are hidden."""
    return [
        {"ParameterKey": name, "ParameterValue": HIDDEN if name in secret else value} for name, value in values.items()
    ]


@cloudformation.operation(control_plane=True)
def list_stacks(call: Call[Stacks], *, next_token: str | None = None, stack_status_filter: Sequence[str] = ()) -> Reply:
    """Summaries of all stacks, also those deleted of late, newest first."""
    wanted = [one for one in call.state.all() if not stack_status_filter or one.status in stack_status_filter]
    found, more = page(sorted(wanted, key=lambda one: -one.created_ms), next_token)
    summaries = [
        shown(
            StackId=one.id,
            StackName=one.name,
            TemplateDescription=one.description,
            CreationTime=seconds(one.created_ms),
            LastUpdatedTime=seconds(one.updated_ms),
            DeletionTime=seconds(one.deleted_ms),
            StackStatus=one.status,
            StackStatusReason=one.reason,
            DriftInformation={"StackDriftStatus": "NOT_CHECKED"},
        )
        for one in found
    ]
    return {"StackSummaries": summaries, **more}


@cloudformation.operation(resource=stack_arn, control_plane=True)
def describe_stack_events(call: Call[Stacks], *, stack_name: str, next_token: str | None = None) -> Reply:
    """The stack's history, newest first."""
    stack = call.state.find(stack_name)
    found, more = page(list(reversed(call.state.events(stack.key))), next_token)
    events = [
        shown(
            StackId=one.stack_id,
            EventId=one.id,
            StackName=one.stack_name,
            LogicalResourceId=one.logical_id,
            PhysicalResourceId=one.physical_id,
            ResourceType=one.type,
            Timestamp=seconds(one.at_ms),
            ResourceStatus=one.status,
            ResourceStatusReason=one.reason,
            ResourceProperties=one.properties,
            ClientRequestToken=one.token,
        )
        for one in found
    ]
    return {"StackEvents": events, **more}


@cloudformation.operation(control_plane=True)
def list_exports(call: Call[Stacks], *, next_token: str | None = None) -> Reply:
    """Every exported output of this Region."""
    exports = sorted(call.state.exports().items())
    found, more = page(exports, next_token)
    return {
        "Exports": [{"ExportingStackId": stack.id, "Name": name, "Value": value} for name, (value, stack) in found],
        **more,
    }


@cloudformation.operation(control_plane=True)
def list_imports(call: Call[Stacks], *, export_name: str, next_token: str | None = None) -> Reply:
    """The stacks that import an export."""
    importers = call.state.importers(export_name)
    if not importers:
        raise ValidationException(f"Export '{export_name}' is not imported by any stack.")
    found, more = page(importers, next_token)
    return {"Imports": list(found), **more}


@cloudformation.operation(control_plane=True)
def describe_account_limits(call: Call[Stacks], *, next_token: str | None = None) -> Reply:
    """How many stacks an account may have."""
    return {"AccountLimits": [{"Name": "StackLimit", "Value": 2000}, {"Name": "StackOutputsLimit", "Value": 200}]}
