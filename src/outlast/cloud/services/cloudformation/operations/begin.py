"""Beginning an operation on a stack: what a request and an executed change set have in common."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from outlast.cloud.contract import Call, Fault, ValidationException
from outlast.cloud.services.cloudformation.deploy.run import undo_of
from outlast.cloud.services.cloudformation.errors import LimitExceededException
from outlast.cloud.services.cloudformation.model import (
    GONE,
    REVIEW,
    UPDATABLE,
    Deployed,
    Operation,
    StackRecord,
)
from outlast.cloud.services.cloudformation.operations.prepare import Prepared, refuse_type_changes
from outlast.cloud.services.cloudformation.state import MAX_STACKS, Stacks

ON_FAILURE = ("ROLLBACK", "DELETE", "DO_NOTHING")


def new_stack(call: Call[Stacks], name: str, status: str) -> StackRecord:
    """A stack that is not kept yet; raises LimitExceededException."""
    if call.state.count() >= MAX_STACKS:
        raise LimitExceededException("The account has reached the maximum number of stacks.")
    unique = call.region.entropy.uuid()
    return StackRecord(
        id=call.region.arn("cloudformation", f"stack/{name}/{unique}"),
        name=name,
        status=status,
        created_ms=call.now_ms,
    )


def begin_create(
    call: Call[Stacks],
    stack: StackRecord,
    prepared: Prepared,
    *,
    on_failure: str,
    retain_on_create: bool = True,
) -> None:
    """Keep the stack and start making it."""
    state = call.state
    stack = replace(
        stack,
        description=prepared.template.description,
        parameters=prepared.values,
        secret_parameters=prepared.secret_parameters,
        imports=prepared.imports,
        disable_rollback=on_failure == "DO_NOTHING",
    )
    deadline = None if stack.timeout_minutes is None else call.now_ms + stack.timeout_minutes * 60_000
    state.put(stack)
    state.put_deployed(stack.key, Deployed(prepared.text, prepared.blueprint))
    state.mark(stack.key, "CREATE_IN_PROGRESS", "User Initiated")
    state.start(
        Operation(
            id=call.region.entropy.uuid(),
            stack=stack.key,
            kind="create",
            stage="apply",
            principal=call.principal.document(),
            blueprint=prepared.blueprint,
            on_failure=on_failure,
            retain_on_create=retain_on_create,
            deadline_ms=deadline,
        )
    )


def check_updatable(stack: StackRecord) -> None:
    """Raise ValidationException unless an update may begin now."""
    if stack.status not in UPDATABLE:
        raise ValidationException(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")


def has_changes(state: Stacks, stack: StackRecord, prepared: Prepared, tags: tuple[tuple[str, str], ...]) -> bool:
    """Whether an update would do anything at all."""
    before = state.deployed(stack.key)
    if before is None or stack.status.endswith("_FAILED"):
        return True
    return before.blueprint != prepared.blueprint or stack.tags != tags


def begin_update(
    call: Call[Stacks],
    stack: StackRecord,
    prepared: Prepared,
    *,
    changes: dict[str, Any],
    disable_rollback: bool = False,
    retain_on_create: bool = True,
) -> None:
    """Start updating the stack; `changes` are further members of its record. Raises ValidationException."""
    state = call.state
    check_updatable(stack)
    before = state.deployed(stack.key)
    if before is None:
        raise Fault(f"Stack {stack.name} has no template")
    refuse_type_changes(before.blueprint, prepared.blueprint)
    undo = undo_of(stack, before)
    state.change(
        stack.key,
        description=prepared.template.description,
        parameters=prepared.values,
        secret_parameters=prepared.secret_parameters,
        imports=tuple(sorted({*stack.imports, *prepared.imports})),
        disable_rollback=disable_rollback,
        updated_ms=call.now_ms,
        **changes,
    )
    state.put_deployed(stack.key, Deployed(prepared.text, prepared.blueprint))
    state.mark(stack.key, "UPDATE_IN_PROGRESS", "User Initiated")
    state.start(
        Operation(
            id=call.region.entropy.uuid(),
            stack=stack.key,
            kind="update",
            stage="apply",
            principal=call.principal.document(),
            blueprint=prepared.blueprint,
            undo=dict(undo),
            on_failure="DO_NOTHING" if disable_rollback else "ROLLBACK",
            retain_on_create=retain_on_create,
        )
    )


def begin_delete(call: Call[Stacks], stack: StackRecord, keep: tuple[str, ...]) -> None:
    """Start deleting the stack; a creation that is under way is taken over."""
    state = call.state
    if stack.status == REVIEW:
        state.mark(stack.key, GONE, deleted_ms=call.now_ms)
        return
    state.mark(stack.key, "DELETE_IN_PROGRESS", "User Initiated")
    state.start(
        Operation(
            id=call.region.entropy.uuid(),
            stack=stack.key,
            kind="delete",
            stage="delete",
            principal=call.principal.document(),
            keep=keep,
        )
    )
