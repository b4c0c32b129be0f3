"""Stacks made, changed and deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from outlast.cloud.contract import Call, Fault, Region, Reply, ValidationException
from outlast.cloud.services.cloudformation.deploy.role import assume
from outlast.cloud.services.cloudformation.errors import AlreadyExistsException, TokenAlreadyExistsException
from outlast.cloud.services.cloudformation.model import Operation, StackRecord
from outlast.cloud.services.cloudformation.operations.begin import (
    ON_FAILURE,
    begin_create,
    begin_delete,
    begin_update,
    check_updatable,
    has_changes,
    new_stack,
)
from outlast.cloud.services.cloudformation.operations.prepare import (
    check_name,
    prepare,
    read_tags,
    refuse_notifications,
    refuse_rollback_configuration,
)
from outlast.cloud.services.cloudformation.operations.source import template_text
from outlast.cloud.services.cloudformation.service import cloudformation, stack_arn
from outlast.cloud.services.cloudformation.state import Stacks


def with_role(action: str) -> Any:
    """The (action, ARN) pairs of an operation that may be given a role: the stack's, and iam:PassRole for the role."""

    def targets(params: Mapping[str, Any], region: Region) -> Iterable[tuple[str, str]]:
        yield f"cloudformation:{action}", stack_arn(params, region)
        if params.get("RoleARN"):
            yield "iam:PassRole", str(params["RoleARN"])

    return targets


async def check_role(call: Call[Stacks], role_arn: str | None) -> None:
    """Raise ValidationException for a role that CloudFormation cannot assume."""
    if not role_arn:
        return
    try:
        await assume(call.region, role_arn)
    except Fault as fault:
        raise ValidationException(f"Role {role_arn} is invalid or cannot be assumed") from fault


@cloudformation.operation(resource=with_role("CreateStack"), control_plane=True)
async def create_stack(
    call: Call[Stacks],
    *,
    stack_name: str,
    template_body: str | None = None,
    template_url: str | None = None,
    parameters: Sequence[Mapping[str, Any]] = (),
    disable_rollback: bool | None = None,
    rollback_configuration: Mapping[str, Any] | None = None,
    timeout_in_minutes: int | None = None,
    notification_arns: Sequence[str] = (),
    capabilities: Sequence[str] = (),
    role_arn: str = "",
    on_failure: str | None = None,
    tags: Sequence[Mapping[str, Any]] = (),
    client_request_token: str = "",
    enable_termination_protection: bool = False,
    retain_except_on_create: bool = False,
) -> Reply:
    """Start making a stack; https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html"""
    text = await template_text(call, template_body, template_url)
    await check_role(call, role_arn)
    check_name(stack_name)
    refuse_notifications(notification_arns)
    refuse_rollback_configuration(rollback_configuration)
    if disable_rollback is not None and on_failure is not None:
        raise ValidationException("You cannot specify both DisableRollback and OnFailure.")
    known = call.state.named(stack_name)
    if known is not None:
        if client_request_token and known.token == client_request_token:
            return {"StackId": known.id}
        raise AlreadyExistsException(f"Stack [{stack_name}] already exists")
    stack = replace(
        new_stack(call, stack_name, "CREATE_IN_PROGRESS"),
        tags=read_tags(tags),
        capabilities=tuple(capabilities),
        role_arn=role_arn,
        termination_protection=enable_termination_protection,
        timeout_minutes=timeout_in_minutes,
        token=client_request_token,
    )
    prepared = prepare(call, stack, text, parameters, capabilities)
    wish = on_failure or ("DO_NOTHING" if disable_rollback else "ROLLBACK")
    assert wish in ON_FAILURE
    begin_create(call, stack, prepared, on_failure=wish, retain_on_create=not retain_except_on_create)
    return {"StackId": stack.id}


@cloudformation.operation(resource=with_role("UpdateStack"), control_plane=True)
async def update_stack(
    call: Call[Stacks],
    *,
    stack_name: str,
    template_body: str | None = None,
    template_url: str | None = None,
    use_previous_template: bool = False,
    parameters: Sequence[Mapping[str, Any]] = (),
    capabilities: Sequence[str] = (),
    role_arn: str | None = None,
    rollback_configuration: Mapping[str, Any] | None = None,
    notification_arns: Sequence[str] = (),
    tags: Sequence[Mapping[str, Any]] | None = None,
    disable_rollback: bool = False,
    client_request_token: str = "",
    retain_except_on_create: bool = False,
) -> Reply:
    """Start an update; https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStack.html"""
    given = await template_text(call, template_body, template_url)
    await check_role(call, role_arn)
    refuse_notifications(notification_arns)
    refuse_rollback_configuration(rollback_configuration)
    stack = call.state.find(stack_name)
    if client_request_token and stack.token == client_request_token and stack.is_busy:
        return {"StackId": stack.id}
    check_updatable(stack)
    text = previous_text(call, stack, given, use_previous_template)
    prepared = prepare(call, stack, text, parameters, capabilities)
    wanted_tags = stack.tags if tags is None else read_tags(tags)
    if not has_changes(call.state, stack, prepared, wanted_tags):
        raise ValidationException("No updates are to be performed.")
    changes = {
        "tags": wanted_tags,
        "capabilities": tuple(capabilities),
        "role_arn": stack.role_arn if role_arn is None else role_arn,
        "token": client_request_token,
    }
    begin_update(
        call,
        stack,
        prepared,
        changes=changes,
        disable_rollback=disable_rollback,
        retain_on_create=not retain_except_on_create,
    )
    return {"StackId": stack.id}


def previous_text(call: Call[Stacks], stack: StackRecord, body: str | None, use_previous: bool) -> str | None:
    """The template a request means: its own, or the one in use."""
    if not use_previous:
        return body
    if body is not None:
        raise ValidationException("You cannot specify both usePreviousTemplate and Template Body/Template URL.")
    deployed = call.state.deployed(stack.key)
    return None if deployed is None else deployed.template


@cloudformation.operation(resource=with_role("DeleteStack"), control_plane=True)
def delete_stack(
    call: Call[Stacks],
    *,
    stack_name: str,
    retain_resources: Sequence[str] = (),
    role_arn: str = "",
    client_request_token: str = "",
) -> Reply:
    """Start deleting a stack; one that is gone or never was is no error.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStack.html
    """
    try:
        stack = call.state.find(stack_name)
    except ValidationException:
        return {}
    if stack.is_gone or stack.status == "DELETE_IN_PROGRESS":
        return {}
    if stack.termination_protection:
        raise ValidationException(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
    if stack.is_busy and stack.status != "CREATE_IN_PROGRESS":
        raise ValidationException(f"Stack [{stack.id}] cannot be deleted while in status {stack.status}")
    if retain_resources and stack.status != "DELETE_FAILED":
        raise ValidationException(
            f"Invalid operation on stack [{stack.id}]. Resources to retain may only be given for a stack whose "
            "deletion failed."
        )
    known = {record.logical_id for record in call.state.resources(stack.key)}
    for name in retain_resources:
        if name not in known:
            raise ValidationException(f"Resource [{name}] does not exist in stack [{stack.id}]")
    members: dict[str, Any] = {"token": client_request_token}
    if role_arn:
        members["role_arn"] = role_arn
    call.state.change(stack.key, **members)
    begin_delete(call, stack, tuple(retain_resources))
    return {}


@cloudformation.operation(resource=stack_arn, control_plane=True)
def cancel_update_stack(call: Call[Stacks], *, stack_name: str, client_request_token: str = "") -> Reply:
    """Turn an update back as soon as the resources under way are done."""
    stack = call.state.find(stack_name)
    operation = call.state.operation(stack.key)
    if stack.status != "UPDATE_IN_PROGRESS" or operation is None:
        raise ValidationException("CancelUpdateStack cannot be called from current stack status")
    if client_request_token:
        call.state.change(stack.key, token=client_request_token)
    call.state.put_operation(replace(operation, cancelled=True, on_failure="ROLLBACK"))
    return {}


@cloudformation.operation(resource=with_role("ContinueUpdateRollback"), control_plane=True)
def continue_update_rollback(
    call: Call[Stacks],
    *,
    stack_name: str,
    role_arn: str = "",
    resources_to_skip: Sequence[str] = (),
    client_request_token: str = "",
) -> Reply:
    """Go on with a rollback that failed, leaving out `resources_to_skip`."""
    stack = call.state.find(stack_name)
    operation = call.state.operation(stack.key)
    if stack.status != "UPDATE_ROLLBACK_FAILED" or operation is None or not operation.parked:
        raise ValidationException(f"Stack:{stack.id} is in {stack.status} state and can not continue rollback.")
    members: dict[str, Any] = {"token": client_request_token}
    if role_arn:
        members["role_arn"] = role_arn
    call.state.mark(stack.key, "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated", **members)
    call.state.start(replace(operation, parked=False, keep=tuple(resources_to_skip)))
    return {}


@cloudformation.operation(resource=with_role("RollbackStack"), control_plane=True)
def rollback_stack(
    call: Call[Stacks],
    *,
    stack_name: str,
    role_arn: str = "",
    client_request_token: str = "",
    retain_except_on_create: bool = False,
) -> Reply:
    """Take back a creation that failed with rollback disabled."""
    stack = call.state.find(stack_name)
    if client_request_token and client_request_token == stack.token and stack.is_busy:
        raise TokenAlreadyExistsException(f"Token {client_request_token} already exists")
    if stack.status != "CREATE_FAILED":
        raise ValidationException(f"Stack:{stack.id} is in {stack.status} state and can not be rolled back.")
    members: dict[str, Any] = {"token": client_request_token}
    if role_arn:
        members["role_arn"] = role_arn
    call.state.mark(stack.key, "ROLLBACK_IN_PROGRESS", "User Initiated", **members)
    call.state.start(_creation_undone(call, stack, not retain_except_on_create))
    return {"StackId": stack.id}


def _creation_undone(call: Call[Stacks], stack: StackRecord, retain_on_create: bool) -> Operation:
    return Operation(
        id=call.region.entropy.uuid(),
        stack=stack.key,
        kind="create",
        stage="rollback",
        principal=call.principal.document(),
        retain_on_create=retain_on_create,
    )


@cloudformation.operation(resource=stack_arn, control_plane=True)
def update_termination_protection(call: Call[Stacks], *, enable_termination_protection: bool, stack_name: str) -> Reply:
    """Switch the protection of a stack against deletion."""
    stack = call.state.find(stack_name)
    if stack.is_gone or stack.status == "DELETE_IN_PROGRESS":
        raise ValidationException(f"Stack [{stack.name}] cannot be changed while in status {stack.status}")
    call.state.change(stack.key, termination_protection=enable_termination_protection)
    return {"StackId": stack.id}
