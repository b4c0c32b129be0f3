"""One resource: make it, change it, remove it, and keep what is known of it through a crash.

Before a wire call the intent is recorded and durable: which properties are being applied, and the suffix of the
generated name. A Region that comes back therefore repeats the same idempotent call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from outlast.cloud.contract import Calls, Fault, Made, ResourceType, Stack
from outlast.cloud.services.cloudformation.model import ResourceRecord
from outlast.cloud.services.cloudformation.state import Stacks
from outlast.cloud.services.cloudformation.template import TemplateFault, Wanted
from outlast.cloud.services.cloudformation.template.intrinsics import reduce

log = logging.getLogger("outlast.cloudformation")

Result = TypeVar("Result")
RESOURCE_LIMIT_S = 1_800.0
REPLACING = "Requested update requires the creation of a new physical resource; hence creating one."


class ResourceFailure(Exception):
    """A resource could not be made, changed or removed; the text is the event's reason."""


class Live:
    """The scope of resources that exist: what Ref and GetAtt give."""

    def __init__(self, state: Stacks, key: str) -> None:
        self._state = state
        self._key = key

    def _record(self, logical_id: str) -> ResourceRecord:
        record = self._state.resource(self._key, logical_id)
        if record is None or not record.physical_id:
            raise TemplateFault(f"Template error: resource {logical_id} does not exist yet")
        return record

    def ref(self, name: str) -> Any:
        return self._record(name).physical_id

    def attribute(self, resource: str, name: str) -> Any:
        record = self._record(resource)
        found: Any = record.attributes
        if name in found:
            return found[name]
        for part in name.split("."):
            if not isinstance(found, Mapping) or part not in found:
                raise TemplateFault(
                    f"Template error: resource {resource} does not support attribute type {name} in Fn::GetAtt"
                )
            found = found[part]
        return found

    def condition(self, name: str) -> bool:
        raise TemplateFault(f"Template error: unresolved condition dependency {name} in the template")

    def mapped(self, mapping: str, top: str, second: str) -> Any:
        raise TemplateFault(f"Template error: Unable to get mapping for {mapping}::{top}::{second}")

    def imported(self, name: str) -> str:
        raise TemplateFault(f"No export named {name} found.")

    def zones(self, region: str) -> list[str]:
        raise TemplateFault("Template error: Fn::GetAZs cannot depend on any resources")


class Hands:
    """Makes, changes and removes the resources of one stack."""

    def __init__(self, state: Stacks, key: str, calls: Calls) -> None:
        self._state = state
        self._key = key
        self._calls = calls
        stack = state.stack(key)
        self._stack_name = stack.name
        self._stack_id = stack.id

    def _type(self, type_name: str) -> ResourceType:
        found = self._state.region.resource_types.get(type_name)
        if found is None:
            raise ResourceFailure(f"Resource type {type_name} is not supported")
        return found

    def _stack(self, record: ResourceRecord) -> Stack:
        region = self._state.region
        return Stack(
            name=self._stack_name,
            id=self._stack_id,
            region=region.name,
            account_id=region.account_id,
            logical_id=record.logical_id,
            suffix=record.suffix,
        )

    def check(self, wanted: Wanted) -> None:
        """Raise ResourceFailure when the type, or one of the properties, is not supported."""
        supported = self._type(wanted.type).properties
        unknown = sorted(set(wanted.properties) - supported)
        if unknown:
            raise ResourceFailure(
                f"Encountered unsupported property {', '.join(unknown)} of resource type {wanted.type}"
            )

    def supports(self, wanted: Wanted) -> bool:
        """Whether the type and all its properties are supported."""
        try:
            self.check(wanted)
        except ResourceFailure:
            return False
        return True

    async def bring(self, wanted: Wanted) -> bool:
        """Make the resource as it is wanted: create it, change it, or leave it when it is so already.

        False when that failed; the record's status and the stack's events say why.
        """
        record = self._state.resource(self._key, wanted.logical_id)
        try:
            self.check(wanted)
            properties = reduce(wanted.properties, Live(self._state, self._key))
        except (ResourceFailure, TemplateFault) as failure:
            status = "CREATE_FAILED" if record is None or record.properties is None else "UPDATE_FAILED"
            base = record or self._fresh(wanted)
            self._state.put_resource(replace(base, status=status, reason=str(failure), changed_ms=self._now()))
            return False
        if record is None or not record.exists:
            record = self._fresh(wanted)
        record = replace(
            record,
            needs=wanted.needs,
            deletion_policy=wanted.deletion_policy,
            replace_policy=wanted.replace_policy,
        )
        if record.properties is None:
            replaces = self._state.retired(self._key, wanted.logical_id)
            return await self._create(record, properties, "UPDATE" if replaces else "CREATE")
        if record.attempt is None and record.properties == properties:
            settled = not record.status.endswith("_FAILED")
            self._state.put_resource(record if settled else replace(record, status="UPDATE_COMPLETE"), tell=not settled)
            return True
        return await self._update(record, properties)

    def _fresh(self, wanted: Wanted) -> ResourceRecord:
        return ResourceRecord(
            stack=self._key,
            logical_id=wanted.logical_id,
            type=wanted.type,
            status="CREATE_IN_PROGRESS",
            suffix=self._state.suffix(),
            changed_ms=self._now(),
            needs=wanted.needs,
            deletion_policy=wanted.deletion_policy,
            replace_policy=wanted.replace_policy,
        )

    def _now(self) -> int:
        return self._state.region.clock.now_ms()

    async def _create(self, record: ResourceRecord, properties: Mapping[str, Any], verb: str) -> bool:
        if record.attempt != properties or record.status != f"{verb}_IN_PROGRESS":
            record = replace(record, status=f"{verb}_IN_PROGRESS", attempt=properties, changed_ms=self._now())
            self._state.put_resource(record)
        await self._state.region.engine.settled()
        resource_type = self._type(record.type)
        try:
            made = await self._bounded(resource_type.create(self._calls, properties, self._stack(record)))
        except ResourceFailure as failure:
            self._fail(record, f"{verb}_FAILED", failure)
            return False
        self._made(record, made, properties, f"{verb}_COMPLETE")
        return True

    async def _update(self, record: ResourceRecord, properties: Mapping[str, Any]) -> bool:
        old = record.attempt if record.status == "UPDATE_FAILED" and record.attempt is not None else record.properties
        record = replace(record, status="UPDATE_IN_PROGRESS", reason="", attempt=properties, changed_ms=self._now())
        self._state.put_resource(record)
        await self._state.region.engine.settled()
        resource_type = self._type(record.type)
        try:
            made = await self._bounded(
                resource_type.update(self._calls, record.physical_id, old or {}, properties, self._stack(record))
            )
        except ResourceFailure as failure:
            self._fail(record, "UPDATE_FAILED", failure)
            return False
        if made is not None:
            self._made(record, made, properties, "UPDATE_COMPLETE")
            return True
        return await self._replace(record, properties)

    async def _replace(self, record: ResourceRecord, properties: Mapping[str, Any]) -> bool:
        self._state.put_resource(replace(record, attempt=None, retired=True), tell=False)
        successor = replace(
            record,
            status="UPDATE_IN_PROGRESS",
            reason=REPLACING,
            suffix=self._state.suffix(),
            physical_id="",
            attributes={},
            properties=None,
            attempt=properties,
            changed_ms=self._now(),
        )
        self._state.put_resource(successor)
        return await self._create(successor, properties, "UPDATE")

    def _made(self, record: ResourceRecord, made: Made, properties: Mapping[str, Any], status: str) -> None:
        self._state.put_resource(
            replace(
                record,
                status=status,
                reason="",
                physical_id=made.physical_id,
                attributes=dict(made.attributes),
                properties=properties,
                attempt=None,
                changed_ms=self._now(),
            )
        )

    def _fail(self, record: ResourceRecord, status: str, failure: ResourceFailure) -> None:
        self._state.put_resource(replace(record, status=status, reason=str(failure), changed_ms=self._now()))

    async def restore(self, record: ResourceRecord) -> None:
        """Put a replaced resource back into its place; its successor, if it was made, waits to be deleted."""
        present = self._state.resource(self._key, record.logical_id)
        if present is not None and present.physical_id and present.suffix != record.suffix:
            self._state.put_resource(replace(present, retired=True, replace_policy="Delete"), tell=False)
        self._state.put_resource(
            replace(record, retired=False, status="UPDATE_COMPLETE", reason="", changed_ms=self._now())
        )
        self._state.drop_resource(record)

    async def remove(self, record: ResourceRecord, *, keep: bool) -> bool:
        """Delete the resource, or leave it in place when it is to be kept; False when that failed."""
        if keep:
            self._state.put_resource(
                replace(record, status="DELETE_SKIPPED", reason="", attempt=None, changed_ms=self._now())
            )
            return True
        if record.status != "DELETE_IN_PROGRESS":
            record = replace(record, status="DELETE_IN_PROGRESS", reason="", changed_ms=self._now())
            self._state.put_resource(record)
        if record.physical_id:
            await self._state.region.engine.settled()
            properties = record.properties if record.properties is not None else record.attempt or {}
            try:
                resource_type = self._type(record.type)
                await self._bounded(
                    resource_type.delete(self._calls, record.physical_id, properties, self._stack(record))
                )
            except ResourceFailure as failure:
                self._fail(record, "DELETE_FAILED", failure)
                return False
        self._state.put_resource(replace(record, status="DELETE_COMPLETE", reason="", changed_ms=self._now()))
        return True

    async def _bounded(self, work: Awaitable[Result]) -> Result:
        """The result of `work`; whatever goes wrong, and taking too long, becomes a ResourceFailure."""
        task = asyncio.ensure_future(work)
        limit = asyncio.ensure_future(self._state.region.clock.sleep(RESOURCE_LIMIT_S))
        try:
            await asyncio.wait((task, limit), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise ResourceFailure(f"Exceeded attempts to wait: not stable after {RESOURCE_LIMIT_S:.0f} seconds")
            return task.result()
        except Fault as fault:
            raise ResourceFailure(f"{fault.message} ({fault.code})") from fault
        except ResourceFailure:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            log.warning("a resource could not be handled", exc_info=error)
            raise ResourceFailure(f"Properties validation failed: {type(error).__name__}: {error}") from error
        finally:
            limit.cancel()
            task.cancel()
