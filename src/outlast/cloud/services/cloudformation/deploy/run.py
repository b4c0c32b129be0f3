"""A stack operation from begin to end, by stages that may each be repeated after a crash.

    create:  apply -> done, or rollback (delete what was made)
    update:  apply -> cleanup -> done, or rollback (to the blueprint before) -> rollback-cleanup
    delete:  delete

The stage is part of the stored operation; resources say for themselves how far they are. An operation may be taken
over by another (DeleteStack during a creation): then this one stops between two resources and changes no status.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from outlast.cloud.contract import Fault, Principal
from outlast.cloud.engine import StorageUnavailable
from outlast.cloud.services.cloudformation.deploy.calls import StackCalls
from outlast.cloud.services.cloudformation.deploy.outputs import imported_elsewhere, settle_outputs
from outlast.cloud.services.cloudformation.deploy.resources import Hands
from outlast.cloud.services.cloudformation.deploy.role import assume
from outlast.cloud.services.cloudformation.deploy.walk import walk
from outlast.cloud.services.cloudformation.model import (
    Deployed,
    Operation,
    ResourceRecord,
    StackRecord,
    Undo,
    blueprint_of,
    read,
)
from outlast.cloud.services.cloudformation.state import Stacks
from outlast.cloud.services.cloudformation.template import Blueprint, TemplateFault
from outlast.cloud.services.cloudformation.template.graph import needed_by

log = logging.getLogger("outlast.cloudformation")

STORAGE_WAIT_S = 2.0


class Runner:
    """Carries out the stored operation of one stack."""

    def __init__(self, state: Stacks, key: str) -> None:
        self._state = state
        self._key = key
        self._late = False

    async def run(self) -> None:
        """Work until the operation is done or taken over. A defect ends it as failed; it never goes on for ever."""
        operation = self._state.operation(self._key)
        if operation is None or operation.parked:
            return
        try:
            await self._run(operation)
        except StorageUnavailable as error:
            log.warning("a stack operation waits for storage: %s", error)
            await self._state.region.clock.sleep(STORAGE_WAIT_S)
            self._state.work.put_nowait(self._key)
        except Exception as error:
            log.exception("a stack operation failed unexpectedly")
            if self._holds(operation):
                stack = self._state.stack(self._key)
                failed = stack.status.replace("_COMPLETE_CLEANUP", "").replace("_IN_PROGRESS", "_FAILED")
                text = error.message if isinstance(error, Fault) else type(error).__name__
                self._end(operation, failed, f"Internal failure: {text}")

    async def _run(self, operation: Operation) -> None:
        hands = Hands(self._state, self._key, await self._calls(operation))
        stages = {
            "apply": self._apply,
            "cleanup": self._clean_up,
            "rollback": self._roll_back,
            "rollback-cleanup": self._clean_up,
            "delete": self._delete,
        }
        following: Operation | None = operation
        while following is not None:
            following = await stages[following.stage](following, hands)
            await self._state.region.engine.settled()

    async def _calls(self, operation: Operation) -> StackCalls:
        principal: Principal = Principal.read(operation.principal)
        stack = self._state.stack(self._key)
        if stack.role_arn:
            principal = await assume(self._state.region, stack.role_arn)
        return StackCalls(self._state.region, principal)

    # ---- going on, turning back, ending

    def _holds(self, operation: Operation) -> bool:
        """Whether this operation is still the one to carry out."""
        present = self._state.operation(self._key)
        return present is not None and present.id == operation.id

    def _go_on(self, operation: Operation, status: str, reason: str, **members: Any) -> Operation | None:
        if not self._holds(operation):
            return None
        self._state.mark(self._key, status, reason)
        following = replace(operation, **members)
        self._state.put_operation(following)
        return following

    def _end(self, operation: Operation, status: str, reason: str = "", *, park: bool = False) -> None:
        """Finish the operation; with `park` it stays for ContinueUpdateRollback, but is no longer worked on."""
        if not self._holds(operation):
            return
        now = self._state.region.clock.now_ms()
        members: dict[str, Any] = {"updated_ms": now} if status.startswith("UPDATE") else {}
        if status == "DELETE_COMPLETE":
            members = {"deleted_ms": now}
        self._state.mark(self._key, status, reason, **members)
        if park:
            self._state.put_operation(replace(operation, parked=True))
        else:
            self._state.finish(self._key)

    def _turn_back(self, operation: Operation, reason: str) -> Operation | None:
        create = operation.kind == "create"
        if operation.on_failure == "DO_NOTHING":
            self._end(operation, "CREATE_FAILED" if create else "UPDATE_FAILED", reason)
            return None
        if not create:
            return self._go_on(operation, "UPDATE_ROLLBACK_IN_PROGRESS", reason, stage="rollback")
        if operation.on_failure == "DELETE":
            return self._go_on(operation, "DELETE_IN_PROGRESS", f"{reason}Delete requested by user.", stage="delete")
        return self._go_on(operation, "ROLLBACK_IN_PROGRESS", f"{reason}Rollback requested by user.", stage="rollback")

    # ---- stages: each returns the operation at its next stage, or None when it is over

    async def _apply(self, operation: Operation, hands: Hands) -> Operation | None:
        blueprint = blueprint_of(operation.blueprint)
        failed = await self._bring_all(blueprint, hands, operation)
        present = self._state.operation(self._key)
        if present is None or present.id != operation.id:
            return None
        if failed:
            return self._turn_back(present, self._failure_text(failed, present))
        try:
            outputs = settle_outputs(self._state, self._key, blueprint)
        except TemplateFault as fault:
            return self._turn_back(operation, f"{fault.message} ")
        self._state.change(self._key, outputs=outputs)
        if operation.kind == "create":
            self._end(operation, "CREATE_COMPLETE")
            return None
        return self._go_on(operation, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "", stage="cleanup")

    def _failure_text(self, failed: frozenset[str], operation: Operation) -> str:
        if self._late:
            return "Stack creation time exceeded the specified timeout. "
        if operation.cancelled:
            return "User Initiated"
        verb = "create" if operation.kind == "create" else "update"
        return f"The following resource(s) failed to {verb}: [{', '.join(sorted(failed))}]. "

    async def _roll_back(self, operation: Operation, hands: Hands) -> Operation | None:
        if operation.kind == "create":
            failed = await self._remove_all(self._state.resources(self._key), hands, operation)
            if failed:
                names = ", ".join(sorted(failed))
                self._end(operation, "ROLLBACK_FAILED", f"The following resource(s) failed to delete: [{names}]. ")
            elif self._holds(operation):
                self._state.change(self._key, outputs=(), imports=())
                self._end(operation, "ROLLBACK_COMPLETE")
            return None
        undo = read(Undo, operation.undo or {})
        before = read(Deployed, undo.deployed)
        for record in self._state.retired(self._key):
            if record.logical_id not in operation.keep:
                await hands.restore(record)
        blueprint = _without(blueprint_of(before.blueprint), operation.keep)
        failed = await self._bring_all(blueprint, hands, operation)
        if failed:
            names = ", ".join(sorted(failed))
            reason = f"The following resource(s) failed to update: [{names}]. "
            self._end(operation, "UPDATE_ROLLBACK_FAILED", reason, park=True)
            return None
        self._state.put_deployed(self._key, before)
        self._restore_stack(StackRecord.of(undo.stack))
        status = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
        return self._go_on(operation, status, "", stage="rollback-cleanup", blueprint=before.blueprint)

    def _restore_stack(self, before: StackRecord) -> None:
        self._state.change(
            self._key,
            description=before.description,
            parameters=before.parameters,
            secret_parameters=before.secret_parameters,
            tags=before.tags,
            capabilities=before.capabilities,
            outputs=before.outputs,
            imports=before.imports,
            role_arn=before.role_arn,
        )

    async def _clean_up(self, operation: Operation, hands: Hands) -> Operation | None:
        wanted = operation.blueprint["resources"]
        spare = [
            record for record in self._state.resources(self._key) if record.retired or record.logical_id not in wanted
        ]
        failed = await self._remove_all(spare, hands, operation)
        for record in spare:
            self._state.drop_resource(record)
        rolled_back = operation.stage == "rollback-cleanup"
        reason = f"The following resource(s) failed to delete: [{', '.join(sorted(failed))}]. " if failed else ""
        self._end(operation, "UPDATE_ROLLBACK_COMPLETE" if rolled_back else "UPDATE_COMPLETE", reason)
        return None

    async def _delete(self, operation: Operation, hands: Hands) -> Operation | None:
        blocked = imported_elsewhere(self._state, self._key)
        if blocked:
            self._end(operation, "DELETE_FAILED", blocked)
            return None
        failed = await self._remove_all(self._state.resources(self._key), hands, operation)
        if failed:
            names = ", ".join(sorted(failed))
            self._end(operation, "DELETE_FAILED", f"The following resource(s) failed to delete: [{names}]. ")
            return None
        self._end(operation, "DELETE_COMPLETE")
        self._state.trim()
        return None

    # ---- parts of stages

    async def _bring_all(self, blueprint: Blueprint, hands: Hands, operation: Operation) -> frozenset[str]:
        unsupported = [one for one in blueprint.resources.values() if not hands.supports(one)]
        if unsupported:
            for wanted in unsupported:
                await hands.bring(wanted)
            return frozenset(one.logical_id for one in unsupported)

        async def bring(name: str) -> bool:
            return self._may_begin(operation) and await hands.bring(blueprint.resources[name])

        return await walk(blueprint.needs, bring)

    def _may_begin(self, operation: Operation) -> bool:
        """Whether one more resource may be begun: not when taken over, cancelled or out of time."""
        present = self._state.operation(self._key)
        if present is None or present.id != operation.id:
            return False
        if operation.stage != "apply":
            return True
        deadline = operation.deadline_ms
        self._late = deadline is not None and self._state.region.clock.now_ms() > deadline
        return not present.cancelled and not self._late

    async def _remove_all(self, records: list[ResourceRecord], hands: Hands, operation: Operation) -> frozenset[str]:
        left = {record.key: record for record in records if record.exists and record.status != "DELETE_SKIPPED"}
        keys_of: dict[str, set[str]] = {}
        for key, record in left.items():
            keys_of.setdefault(record.logical_id, set()).add(key)
        needs = {
            key: frozenset(other for name in record.needs for other in keys_of.get(name, ()))
            for key, record in left.items()
        }

        async def remove(key: str) -> bool:
            return await hands.remove(left[key], keep=_is_kept(left[key], operation))

        failed = await walk(needed_by(needs), remove, go_on=True)
        return frozenset(left[key].logical_id for key in failed)


def _is_kept(record: ResourceRecord, operation: Operation) -> bool:
    if record.logical_id in operation.keep:
        return True
    if record.retired:
        return record.replace_policy == "Retain" and operation.stage == "cleanup"
    in_vain = operation.stage in ("rollback", "rollback-cleanup") or operation.kind == "create"
    if record.deletion_policy == "RetainExceptOnCreate":
        return not in_vain
    return record.deletion_policy == "Retain" and not (in_vain and not operation.retain_on_create)


def _without(blueprint: Blueprint, names: tuple[str, ...]) -> Blueprint:
    resources = {name: one for name, one in blueprint.resources.items() if name not in names}
    return Blueprint(resources, blueprint.outputs, blueprint.imports)


def undo_of(stack: StackRecord, deployed: Deployed) -> Mapping[str, Any]:
    """What to return to, as plain data."""
    return asdict(Undo(stack.document(), asdict(deployed)))
