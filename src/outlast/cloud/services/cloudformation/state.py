"""What CloudFormation keeps: stacks, resources, events, change sets, and the operations under way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import orjson

from outlast.cloud.contract import Region, Shelf
from outlast.cloud.services.cloudformation.errors import ChangeSetNotFoundException, no_such_stack
from outlast.cloud.services.cloudformation.model import (
    ChangeSetRecord,
    Deployed,
    Event,
    Operation,
    ResourceRecord,
    StackRecord,
    read,
)

STACK_TYPE = "AWS::CloudFormation::Stack"
MAX_STACKS = 2_000
MAX_EVENTS = 2_000
MAX_GONE = 30
MAX_SHOWN_BYTES = 16_384
SUFFIX_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class Stacks:
    """All stacks of one Region. Reads come from memory; a write is applied when the method returns."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self._stacks = Shelf(region, "cloudformation/stacks")
        self._deployed = Shelf(region, "cloudformation/deployed")
        self._resources = Shelf(region, "cloudformation/resources")
        self._events = Shelf(region, "cloudformation/events")
        self._operations = Shelf(region, "cloudformation/operations")
        self._change_sets = Shelf(region, "cloudformation/change-sets")
        self._keys_by_name = {stack.name: stack.key for stack in self.all() if not stack.is_gone}
        self.work: asyncio.Queue[str] = asyncio.Queue()
        for key, document in self._operations.items():
            if not document.get("parked"):
                self.work.put_nowait(key)

    @classmethod
    def open(cls, region: Region) -> Stacks:
        """The state of `region`, with operations that a crash interrupted queued again."""
        return cls(region)

    # ---- stacks

    def all(self) -> Iterator[StackRecord]:
        """Every stack, also those deleted."""
        for _, document in self._stacks.items():
            yield StackRecord.of(document)

    def stack(self, key: str) -> StackRecord:
        """The stack with this unique key; raises ValidationException."""
        document = self._stacks.get(key)
        if document is None:
            raise no_such_stack(key)
        return StackRecord.of(document)

    def named(self, name: str) -> StackRecord | None:
        """The stack of this name that is not deleted."""
        key = self._keys_by_name.get(name)
        return None if key is None else self.stack(key)

    def find(self, name: str) -> StackRecord:
        """The stack by name, or by id also after its deletion; raises ValidationException as AWS does."""
        found: StackRecord | None = None
        if name.startswith("arn:"):
            document = self._stacks.get(name.rpartition("/")[2])
            if document is not None and document["id"] == name:
                found = StackRecord.of(document)
        else:
            found = self.named(name)
        if found is None:
            raise no_such_stack(name)
        return found

    def put(self, stack: StackRecord) -> None:
        """Keep the stack's new version."""
        self._stacks.put(stack.key, stack.document())
        if not stack.is_gone:
            self._keys_by_name[stack.name] = stack.key
        elif self._keys_by_name.get(stack.name) == stack.key:
            del self._keys_by_name[stack.name]

    def change(self, key: str, **members: Any) -> StackRecord:
        """Set members of the stack as it is now."""
        stack = replace(self.stack(key), **members)
        self.put(stack)
        return stack

    def mark(self, key: str, status: str, reason: str = "", **members: Any) -> StackRecord:
        """Put the stack into `status` and tell it in its events."""
        stack = self.change(key, status=status, reason=reason, **members)
        self.tell(stack, stack.name, stack.id, STACK_TYPE, status, reason)
        return stack

    def count(self) -> int:
        """Stacks that are not deleted."""
        return len(self._keys_by_name)

    def forget(self, stack: StackRecord) -> None:
        """Remove every trace of the stack."""
        for shelf in (self._events, self._resources, self._change_sets):
            for key in shelf.keys(f"{stack.key}/"):
                shelf.delete(key)
        self._deployed.delete(stack.key)
        self._stacks.delete(stack.key)
        if self._keys_by_name.get(stack.name) == stack.key:
            del self._keys_by_name[stack.name]

    def trim(self) -> None:
        """Forget the oldest deleted stacks beyond a bounded number."""
        if len(self._stacks) - len(self._keys_by_name) <= MAX_GONE:
            return
        gone = sorted((stack for stack in self.all() if stack.is_gone), key=lambda one: one.deleted_ms or 0)
        for stack in gone[: len(gone) - MAX_GONE]:
            self.forget(stack)

    # ---- exports

    def exports(self) -> dict[str, tuple[str, StackRecord]]:
        """Export name -> (value, the stack that exports it)."""
        found: dict[str, tuple[str, StackRecord]] = {}
        for stack in self.all():
            if not stack.is_gone:
                for output in stack.outputs:
                    if output.export_name is not None:
                        found[output.export_name] = (output.value, stack)
        return found

    def importers(self, export: str) -> list[str]:
        """Names of the stacks that import `export`."""
        return sorted(stack.name for stack in self.all() if not stack.is_gone and export in stack.imports)

    # ---- what was last deployed

    def deployed(self, key: str) -> Deployed | None:
        document = self._deployed.get(key)
        return None if document is None else read(Deployed, document)

    def put_deployed(self, key: str, deployed: Deployed) -> None:
        self._deployed.put(key, asdict(deployed))

    # ---- resources

    def resources(self, key: str) -> list[ResourceRecord]:
        """Every resource of the stack, also those deleted or replaced."""
        return [ResourceRecord.of(document) for _, document in self._resources.items(f"{key}/")]

    def resource(self, key: str, logical_id: str) -> ResourceRecord | None:
        """The present resource of this logical id."""
        document = self._resources.get(f"{key}/{logical_id}")
        return None if document is None else ResourceRecord.of(document)

    def retired(self, key: str, logical_id: str = "") -> list[ResourceRecord]:
        """Resources that were replaced and wait to be deleted: all of the stack, or those of one logical id."""
        start = f"{key}/{logical_id}#" if logical_id else f"{key}/"
        return [ResourceRecord.of(document) for name, document in self._resources.items(start) if "#" in name]

    def put_resource(self, record: ResourceRecord, *, tell: bool = True) -> None:
        """Keep the resource's new version and tell its status in the stack's events."""
        self._resources.put(record.key, record.document())
        if tell:
            shown = record.attempt if record.attempt is not None else record.properties
            self.tell(
                self.stack(record.stack),
                record.logical_id,
                record.physical_id,
                record.type,
                record.status,
                record.reason,
                properties=shown,
            )

    def drop_resource(self, record: ResourceRecord) -> None:
        self._resources.delete(record.key)

    def suffix(self) -> str:
        """Twelve random upper-case letters and digits, for generated names."""
        return "".join(SUFFIX_ALPHABET[byte % 36] for byte in self.region.entropy.token(12))

    # ---- events

    def tell(
        self,
        stack: StackRecord,
        logical_id: str,
        physical_id: str,
        type_name: str,
        status: str,
        reason: str = "",
        properties: Any = None,
    ) -> None:
        """Write one event of the stack; the oldest go when there are too many."""
        keys = self._events.keys(f"{stack.key}/")
        number = int(keys[-1].rpartition("/")[2]) + 1 if keys else 1
        unique = self.region.entropy.uuid()
        shown = b"" if properties is None else orjson.dumps(properties)
        event = Event(
            id=unique if type_name == STACK_TYPE else f"{logical_id}-{status}-{unique}",
            stack_id=stack.id,
            stack_name=stack.name,
            logical_id=logical_id,
            physical_id=physical_id,
            type=type_name,
            status=status,
            at_ms=self.region.clock.now_ms(),
            reason=reason,
            properties=shown.decode() if len(shown) <= MAX_SHOWN_BYTES else "",
            token=stack.token,
        )
        self._events.put(f"{stack.key}/{number:08d}", asdict(event))
        for key in keys[: max(0, len(keys) + 1 - MAX_EVENTS)]:
            self._events.delete(key)

    def events(self, key: str) -> list[Event]:
        """The stack's events, oldest first."""
        return [read(Event, document) for _, document in self._events.items(f"{key}/")]

    # ---- operations

    def start(self, operation: Operation) -> None:
        """Keep the operation and hand it to the worker."""
        self.put_operation(operation)
        self.work.put_nowait(operation.stack)

    def operation(self, key: str) -> Operation | None:
        document = self._operations.get(key)
        return None if document is None else Operation.of(document)

    def put_operation(self, operation: Operation) -> None:
        self._operations.put(operation.stack, operation.document())

    def finish(self, key: str) -> None:
        self._operations.delete(key)

    # ---- change sets

    def change_sets(self, key: str) -> list[ChangeSetRecord]:
        return [ChangeSetRecord.of(document) for _, document in self._change_sets.items(f"{key}/")]

    def change_set(self, name: str, stack_name: str | None) -> ChangeSetRecord:
        """By ARN, or by name and stack; raises ChangeSetNotFoundException."""
        if name.startswith("arn:"):
            for _, document in self._change_sets.items():
                if document["id"] == name:
                    return ChangeSetRecord.of(document)
        elif stack_name is not None:
            for one in self.change_sets(self.find(stack_name).key):
                if one.name == name:
                    return one
        raise ChangeSetNotFoundException(f"ChangeSet [{name}] does not exist")

    def put_change_set(self, record: ChangeSetRecord) -> None:
        self._change_sets.put(f"{record.stack_key}/{record.name}", record.document())

    def drop_change_set(self, record: ChangeSetRecord) -> None:
        self._change_sets.delete(f"{record.stack_key}/{record.name}")
