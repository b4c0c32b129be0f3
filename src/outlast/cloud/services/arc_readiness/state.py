"""What there is to be ready, and what the last audits found."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from outlast.cloud.contract import Fault, Principal, Region, Shelf
from outlast.cloud.services.arc_readiness.errors import (
    ConflictException,
    ResourceNotFoundException,
    ValidationException,
)
from outlast.cloud.services.arc_readiness.judging import Audit, Unread, judge, within
from outlast.cloud.services.arc_readiness.looks import LOOKS, Misread
from outlast.cloud.services.arc_readiness.model import Cell, Check, Group, Part, ResourceSet, Thing, revive
from outlast.cloud.services.arc_readiness.rules import RULES
from outlast.cloud.services.arc_readiness.rules.kit import Facts

SERVICE = "route53-recovery-readiness"
AT_ONCE = 8
_NAME = re.compile("[a-zA-Z0-9_-]{1,64}")
Kind = TypeVar("Kind", Cell, Group, ResourceSet, Check)


class OwnRole:
    """Calls as the service-linked role."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._principal: Principal = region.linked(SERVICE)

    async def __call__(
        self, service: str, operation: str, params: Mapping[str, Any], region: str | None = None
    ) -> dict[str, Any]:
        return await self._region.aws(service, operation, params, principal=self._principal, region=region)

    def now_s(self) -> float:
        """Wall time."""
        return self._region.clock.now_s()


class Readiness:
    """Definitions on a shelf of the home Region; audits in memory, made anew after a restart."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.shelf = Shelf(region, "arc/readiness")
        self.audits: dict[str, tuple[Audit, ...]] = {}
        self.audited_s = 0.0
        self.changed = asyncio.Event()
        self._ask = OwnRole(region)

    # ---- definitions

    def arn(self, thing: Thing | type[Thing], name: str = "") -> str:
        """The ARN of a thing, or of the thing of that kind and name."""
        own = name or (thing.name if not isinstance(thing, type) else "")
        return f"arn:aws:{SERVICE}::{self.region.account_id}:{thing.kind}/{own}"

    def find(self, kind: type[Kind], name: str) -> Kind:
        """The thing of this kind and name; raises ResourceNotFoundException."""
        document = self.shelf.get(f"{kind.kind}/{name}")
        found = None if document is None else revive(kind.kind, document)
        if not isinstance(found, kind):
            raise ResourceNotFoundException(f"There is no {kind.kind.replace('-', ' ')} named {name}.")
        return found

    def by_arn(self, arn: str) -> Thing:
        """The thing with this ARN; raises ResourceNotFoundException."""
        start = f"arn:aws:{SERVICE}::{self.region.account_id}:"
        key = arn.removeprefix(start)
        document = self.shelf.get(key) if arn.startswith(start) else None
        if document is None:
            raise ResourceNotFoundException(f"There is no resource {arn}.")
        return revive(key.partition("/")[0], document)

    def all(self, kind: type[Kind]) -> list[Kind]:
        """All of a kind, by name."""
        found = [revive(kind.kind, document) for _, document in self.shelf.items(f"{kind.kind}/")]
        return [each for each in found if isinstance(each, kind)]

    def add(self, thing: Thing) -> None:
        """Store a new thing; raises ValidationException for a bad name, ConflictException for one that is taken."""
        if _NAME.fullmatch(thing.name) is None:
            raise ValidationException("A name has 1 to 64 letters, digits, hyphens and underscores.")
        if f"{thing.kind}/{thing.name}" in self.shelf:
            raise ConflictException(f"There is a {thing.kind.replace('-', ' ')} named {thing.name} already.")
        self.put(thing)

    def put(self, thing: Thing) -> None:
        """Store a thing, new or changed, and audit soon."""
        self.shelf.put(f"{thing.kind}/{thing.name}", asdict(thing))
        self.changed.set()

    def drop(self, thing: Thing) -> None:
        """Forget a thing."""
        self.shelf.delete(f"{thing.kind}/{thing.name}")
        self.audits.pop(thing.name, None) if isinstance(thing, Check) else None

    def parents(self, cell_arn: str) -> list[str]:
        """The ARNs of the groups and cells that hold this cell directly."""
        holders: list[Cell | Group] = [*self.all(Cell), *self.all(Group)]
        return [self.arn(each) for each in holders if cell_arn in each.cells]

    def scope(self, arn: str) -> frozenset[str]:
        """This ARN and those of all cells below it."""
        holders: list[Cell | Group] = [*self.all(Cell), *self.all(Group)]
        return within(arn, {self.arn(each): each.cells for each in holders})

    # ---- audits

    async def audit_all(self) -> None:
        """Look at every resource of every check and judge."""
        gate = asyncio.Semaphore(AT_ONCE)
        for check in self.all(Check):
            try:
                resources = self.find(ResourceSet, check.resource_set)
            except ResourceNotFoundException:
                continue
            facts = await asyncio.gather(*(self._look(resources.type, part, gate) for part in resources.parts))
            now_s = self.region.clock.now_s()
            if f"{check.kind}/{check.name}" in self.shelf:
                self.audits[check.name] = judge(RULES[resources.type], resources.parts, facts, now_s)
        self.audited_s = self.region.clock.now_s()

    async def _look(self, kind: str, part: Part, gate: asyncio.Semaphore) -> Facts | Unread:
        async with gate:
            try:
                return await LOOKS[kind](self._ask, part)
            except Misread as error:
                return Unread(str(error), is_missing=True)
            except Fault as fault:
                is_missing = "NotFound" in fault.code or fault.code.startswith("NoSuch")
                return Unread(f"{fault.code}: {fault.message}", is_missing)

    def results(self, check: Check, scope: frozenset[str] | None = None) -> Sequence[Audit]:
        """The last audits of a check, of the resources in `scope` where one is given."""
        audits = self.audits.get(check.name, ())
        return [audit for audit in audits if scope is None or scope.intersection(audit.part.scopes)]
