"""Change sets: operations prepared, shown, and executed once. What `aws cloudformation deploy` uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from outlast.cloud.contract import Call, Reply, ValidationException
from outlast.cloud.services.cloudformation.difference import changes_between
from outlast.cloud.services.cloudformation.errors import (
    AlreadyExistsException,
    ChangeSetNotFoundException,
    InvalidChangeSetStatusException,
)
from outlast.cloud.services.cloudformation.model import REVIEW, Change, ChangeSetRecord, Document, StackRecord
from outlast.cloud.services.cloudformation.operations.begin import (
    begin_create,
    begin_update,
    check_updatable,
    has_changes,
    new_stack,
)
from outlast.cloud.services.cloudformation.operations.describe import show_parameters
from outlast.cloud.services.cloudformation.operations.paging import page, seconds, shown
from outlast.cloud.services.cloudformation.operations.prepare import (
    check_name,
    prepare,
    read_tags,
    refuse_notifications,
    refuse_rollback_configuration,
    refuse_type_changes,
)
from outlast.cloud.services.cloudformation.operations.source import template_text
from outlast.cloud.services.cloudformation.operations.stacks import check_role, previous_text, with_role
from outlast.cloud.services.cloudformation.service import cloudformation, stack_arn
from outlast.cloud.services.cloudformation.state import Stacks

EMPTY: Document = {"resources": {}, "outputs": [], "imports": []}
PATIENCE_S = 2.0
LOOK_EVERY_S = 0.05
NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


@cloudformation.operation(resource=with_role("CreateChangeSet"), control_plane=True)
async def create_change_set(
    call: Call[Stacks],
    *,
    stack_name: str,
    change_set_name: str,
    template_body: str | None = None,
    template_url: str | None = None,
    use_previous_template: bool = False,
    parameters: Sequence[Mapping[str, Any]] = (),
    capabilities: Sequence[str] = (),
    role_arn: str = "",
    rollback_configuration: Mapping[str, Any] | None = None,
    notification_arns: Sequence[str] = (),
    tags: Sequence[Mapping[str, Any]] | None = None,
    client_token: str = "",
    description: str = "",
    change_set_type: str = "UPDATE",
    on_stack_failure: str = "",
) -> Reply:
    """Prepare a creation or an update; it is complete, or has failed, at once."""
    given = await template_text(call, template_body, template_url)
    await check_role(call, role_arn)
    check_name(change_set_name, "changeSetName")
    refuse_notifications(notification_arns)
    refuse_rollback_configuration(rollback_configuration)
    stack = _target(call, stack_name, change_set_name, change_set_type)
    if any(one.name == change_set_name for one in call.state.change_sets(stack.key)):
        raise AlreadyExistsException(f"ChangeSet {change_set_name} already exists")
    text = previous_text(call, stack, given, use_previous_template)
    prepared = prepare(call, stack, text, parameters, capabilities)
    wanted_tags = stack.tags if tags is None else read_tags(tags)
    deployed = call.state.deployed(stack.key)
    before = EMPTY if deployed is None or change_set_type == "CREATE" else deployed.blueprint
    refuse_type_changes(before, prepared.blueprint)
    is_empty = change_set_type == "UPDATE" and not has_changes(call.state, stack, prepared, wanted_tags)
    record = ChangeSetRecord(
        id=call.region.arn("cloudformation", f"changeSet/{change_set_name}/{call.region.entropy.uuid()}"),
        name=change_set_name,
        stack_id=stack.id,
        stack_name=stack.name,
        kind=change_set_type,
        status="FAILED" if is_empty else "CREATE_COMPLETE",
        execution_status="UNAVAILABLE" if is_empty else "AVAILABLE",
        created_ms=call.now_ms,
        reason=NO_CHANGES if is_empty else "",
        description=description,
        template=prepared.text,
        parameters=prepared.values,
        secret_parameters=prepared.secret_parameters,
        tags=wanted_tags,
        capabilities=tuple(capabilities),
        role_arn=role_arn,
        on_failure=on_stack_failure,
        changes=_with_ids(call, stack, changes_between(before, prepared.blueprint)),
    )
    if call.state.named(stack.name) is None:
        call.state.put(stack)
        call.state.mark(stack.key, REVIEW, "User Initiated")
    call.state.put_change_set(record)
    return {"Id": record.id, "StackId": stack.id}


def _target(call: Call[Stacks], stack_name: str, change_set_name: str, kind: str) -> StackRecord:
    """The stack that a change set is for; a new one in review for the type CREATE."""
    if kind == "IMPORT":
        raise ValidationException("The change set type IMPORT is not supported by this cloud.")
    if kind == "CREATE":
        stack = call.state.named(stack_name) if not stack_name.startswith("arn:") else call.state.find(stack_name)
        if stack is None:
            check_name(stack_name)
            return new_stack(call, stack_name, REVIEW)
        if stack.status != REVIEW:
            raise ValidationException(
                f"Stack [{stack.name}] already exists and cannot be created again with the "
                f"changeSet [{change_set_name}]."
            )
        return stack
    stack = call.state.find(stack_name)
    check_updatable(stack)
    return stack


def _with_ids(call: Call[Stacks], stack: StackRecord, changes: tuple[Change, ...]) -> tuple[Change, ...]:
    records = {record.logical_id: record for record in call.state.resources(stack.key) if not record.retired}
    return tuple(
        replace(one, physical_id=records[one.logical_id].physical_id) if one.logical_id in records else one
        for one in changes
    )


@cloudformation.operation(resource=stack_arn, control_plane=True, ignored=("IncludePropertyValues",))
def describe_change_set(
    call: Call[Stacks], *, change_set_name: str, stack_name: str | None = None, next_token: str | None = None
) -> Reply:
    """A change set with its changes."""
    record = call.state.change_set(change_set_name, stack_name)
    found, more = page(record.changes, next_token)
    return {
        **_summary(record),
        "Parameters": show_parameters(record.parameters, record.secret_parameters),
        "NotificationARNs": [],
        "RollbackConfiguration": {},
        "Capabilities": list(record.capabilities),
        "Tags": [{"Key": key, "Value": value} for key, value in record.tags],
        "Changes": [_show_change(one) for one in found],
        **more,
    }


def _summary(record: ChangeSetRecord) -> dict[str, Any]:
    return shown(
        StackId=record.stack_id,
        StackName=record.stack_name,
        ChangeSetId=record.id,
        ChangeSetName=record.name,
        ExecutionStatus=record.execution_status,
        Status=record.status,
        StatusReason=record.reason,
        CreationTime=seconds(record.created_ms),
        Description=record.description,
        IncludeNestedStacks=False,
    )


def _show_change(change: Change) -> dict[str, Any]:
    details = [
        {
            "Target": {"Attribute": "Properties", "Name": name, "RequiresRecreation": "Conditionally"},
            "Evaluation": "Static",
            "ChangeSource": "DirectModification",
        }
        for name in change.properties
    ]
    described = shown(
        Action=change.action,
        LogicalResourceId=change.logical_id,
        PhysicalResourceId=change.physical_id,
        ResourceType=change.type,
        Replacement=change.replacement,
        Scope=list(change.scope),
        Details=details,
    )
    return {"Type": "Resource", "ResourceChange": described}


@cloudformation.operation(resource=stack_arn, control_plane=True)
async def execute_change_set(
    call: Call[Stacks],
    *,
    change_set_name: str,
    stack_name: str | None = None,
    client_request_token: str = "",
    disable_rollback: bool | None = None,
    retain_except_on_create: bool = False,
) -> Reply:
    """Carry the change set out; the stack's other change sets are then void and go.

    The reply waits for up to two seconds while the stack is busy: small stacks are then complete when a client first
    asks, and clients such as the AWS CLI ask again only after half a minute.
    """
    record = call.state.change_set(change_set_name, stack_name)
    if record.execution_status != "AVAILABLE":
        raise InvalidChangeSetStatusException(
            f"ChangeSet [{record.id}] cannot be executed in its current status of [{record.status}]"
        )
    stack = call.state.find(record.stack_id)
    given = [{"ParameterKey": name, "ParameterValue": value} for name, value in record.parameters.items()]
    prepared = prepare(call, stack, record.template, given, record.capabilities)
    changes: dict[str, Any] = {
        "tags": record.tags,
        "capabilities": record.capabilities,
        "role_arn": record.role_arn or stack.role_arn,
        "change_set_id": record.id,
        "token": client_request_token,
    }
    on_failure = record.on_failure or "ROLLBACK"
    if disable_rollback is not None:
        on_failure = "DO_NOTHING" if disable_rollback else on_failure
    if stack.status == REVIEW:
        fresh = replace(stack, created_ms=call.now_ms, **changes)
        begin_create(call, fresh, prepared, on_failure=on_failure, retain_on_create=not retain_except_on_create)
    else:
        begin_update(
            call,
            stack,
            prepared,
            changes=changes,
            disable_rollback=on_failure == "DO_NOTHING",
            retain_on_create=not retain_except_on_create,
        )
    for other in call.state.change_sets(stack.key):
        if other.id != record.id:
            call.state.drop_change_set(other)
    call.state.put_change_set(replace(record, execution_status="EXECUTE_COMPLETE"))
    for _ in range(int(PATIENCE_S / LOOK_EVERY_S)):
        await call.region.clock.sleep(LOOK_EVERY_S)
        if not call.state.stack(stack.key).is_busy:
            break
    return {}


@cloudformation.operation(resource=stack_arn, control_plane=True)
def delete_change_set(call: Call[Stacks], *, change_set_name: str, stack_name: str | None = None) -> Reply:
    """Remove a change set that was not executed; one that is gone is no error."""
    try:
        record = call.state.change_set(change_set_name, stack_name)
    except ChangeSetNotFoundException:
        return {}
    if record.execution_status == "EXECUTE_COMPLETE":
        raise InvalidChangeSetStatusException(
            f"ChangeSet [{record.id}] cannot be deleted in its current status of [{record.status}]"
        )
    call.state.drop_change_set(record)
    return {}


@cloudformation.operation(resource=stack_arn, control_plane=True)
def list_change_sets(call: Call[Stacks], *, stack_name: str, next_token: str | None = None) -> Reply:
    """Summaries of a stack's change sets."""
    stack = call.state.find(stack_name)
    found, more = page(call.state.change_sets(stack.key), next_token)
    return {"Summaries": [_summary(one) for one in found], **more}
