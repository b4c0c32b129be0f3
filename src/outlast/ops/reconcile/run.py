"""Looking, proposing and, when told, repairing. Repairs are conditional, and all that was done is in the audit log."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

from outlast.ops.act import audit as audits
from outlast.ops.act.audit import AuditLog
from outlast.ops.ledger.model import Ledger, Unseen
from outlast.ops.outcome import OpsError, RefusedError
from outlast.ops.reconcile.causes import explain
from outlast.ops.reconcile.findings import Finding
from outlast.ops.reconcile.judge import judge
from outlast.ops.reconcile.replicas import Held, read, refresh, stranded
from outlast.ops.reconcile.rules import RuleFile
from outlast.ops.reconcile.store import Store
from outlast.ops.reconcile.writes import Repair

SETTLED: Final = "conflict settled"
"""The audit log's action for a conflict that somebody has looked at."""
LOOK_S: Final = 1.0
PATIENCE_S: Final = 5.0
ROUNDS: Final = 5
BEYOND: Final = "entries beyond the most that are read of a Region's ledger"


@dataclass(frozen=True, slots=True)
class Look:
    """What was found. `judged_in`: the Region whose replica the rules were applied to, and repairs are made in."""

    at_s: float
    judged_in: str
    regions: tuple[str, ...]
    items: int
    findings: tuple[Finding, ...]
    unseen: tuple[Unseen, ...]
    ledger: bool
    """Whether there is a ledger of conflicts to look at."""
    unread: tuple[str, ...] = ()
    """What of the ledger could not be read, and why: overwritten versions may be missing from the findings."""

    @property
    def repairs(self) -> tuple[Finding, ...]:
        """The findings that have a repair."""
        return tuple(finding for finding in self.findings if finding.repair is not None)

    def of(self, kind: str) -> tuple[Finding, ...]:
        """The findings of one kind."""
        return tuple(finding for finding in self.findings if finding.kind == kind)

    def document(self) -> dict[str, Any]:
        """The look as JSON members."""
        return {
            "at_s": self.at_s,
            "judged_in": self.judged_in,
            "regions": list(self.regions),
            "items": self.items,
            "ledger": self.ledger,
            "unseen": [{"region": each.region, "what": each.what, "why": each.why} for each in self.unseen],
            "unread": list(self.unread),
            "findings": [finding.document() for finding in self.findings],
        }


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of it: repairs that were made, those that were not and why, and what is left at the end."""

    made: tuple[str, ...]
    not_made: tuple[tuple[str, str], ...]
    left: Look

    def document(self) -> dict[str, Any]:
        """As JSON members."""
        return {
            "made": list(self.made),
            "not_made": [{"repair": text, "why": why} for text, why in self.not_made],
            "left": self.left.document(),
        }


@dataclass(slots=True)
class Reconciler:
    """Reconciles the replicas of `stores`; the first that can be read is judged.

    `ledger` reads the conflicts, None where none are kept. A finding counts only when it is still there after
    `patience_s`: what is on its way between Regions is not broken.
    """

    stores: Sequence[Store]
    rules: RuleFile
    audit: AuditLog
    ledger: Callable[[], Ledger | None] = lambda: None
    patience_s: float = PATIENCE_S
    now_s: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    tell: Callable[[str], None] = lambda _: None
    whole: Callable[[], AbstractContextManager[None]] = nullcontext
    """Within it nothing is interrupted: a repair is written down in the same breath."""
    _held: Held = field(init=False, default_factory=lambda: Held({}, ()))

    def look(self) -> Look:
        """Find everything, and wait for what settles by itself. Raises UndecidedError when no replica can be read."""
        self._held = held = read(self.stores, self.rules)
        self.tell(f"{held.items} items read in {', '.join(held.regions)}")
        items = held.items
        found = self._judged()
        until_s = self.now_s() + self.patience_s
        while found and self.now_s() < until_s:
            self.tell(f"{len(found)} findings; waiting for what is on its way")
            self.sleep(min(LOOK_S, until_s - self.now_s()))
            refresh(held, self.stores, self.rules, _touches(found))
            before = {finding.identity for finding in found}
            found = [finding for finding in self._judged() if finding.identity in before]
        ledger = self.ledger()
        unread: tuple[str, ...] = ()
        if ledger is not None:
            found = explain(found, ledger.conflicts, self.rules, held.regions[self._region()], self._settled())
            unread = tuple(f"{each.region}: {each.what} could not be read ({each.why})" for each in ledger.unseen)
            unread += (f"{BEYOND}; narrow it with --since",) if ledger.more else ()
        regions = tuple(store.region for store in self.stores)
        known = ledger is not None
        return Look(self.now_s(), self._region(), regions, items, tuple(found), held.unseen, known, unread)

    def check(self, look: Look) -> None:
        """Raise RefusedError unless the replicas are alike, and all of them were read: judged by one that lacks writes,
        a repair could undo what is on its way."""
        if look.unseen:
            unseen = ", ".join(each.region for each in look.unseen)
            raise RefusedError(f"{unseen} could not be read; if it is lost for good, judge another alone (--region).")
        waiting = len(look.of("stranded"))
        if waiting:
            raise RefusedError(f"{waiting} items are not alike in all Regions: wait for them, or judge one (--region).")

    def apply(self, look: Look) -> Applied:
        """Make the repairs of a look, then look again. Raises RefusedError as `check` does.

        A repair whose condition does not hold any more is not made, and told. It may be interrupted and run again.
        """
        self.check(look)
        self.audit.add("reconcile", rules=self.rules.name, look=look.document())
        made: list[str] = []
        failed: dict[Any, tuple[str, str]] = {}
        things = {(finding.table, finding.ref) for finding in look.repairs}
        todo = list(look.repairs)
        for _ in range(ROUNDS):
            for finding in todo:
                assert finding.repair is not None
                text, why = f"{finding.text}: {finding.repair.text}", self._make(finding.repair, finding.text)
                if why:
                    failed[finding.table, finding.ref] = (text, why)
                else:
                    made.append(text)
                    failed.pop((finding.table, finding.ref), None)
            refresh(self._held, [self._store()], self.rules, _touches(todo))
            todo = [
                finding
                for finding in judge(self.rules, self._held.regions[self._region()])
                if finding.repair is not None and (finding.table, finding.ref) in things
            ]
            if not todo:
                break
        left = self.look()
        counts = {"made": len(made), "not_made": len(failed), "left": len(left.findings)}
        self.audit.add("reconciled", rules=self.rules.name, **counts)
        return Applied(tuple(made), tuple(failed.values()), left)

    def settle(self, look: Look, names: Collection[str]) -> tuple[str, ...]:
        """Write down that somebody has looked at these conflicts ("all": every one of the look). Raises OpsError."""
        known = {name for finding in look.of("overwritten") for name in finding.ledger}
        wanted = known if "all" in names else set(names)
        unknown = sorted(wanted - known)
        if unknown:
            raise OpsError(f"There is no open conflict {unknown[0]}.")
        for name in sorted(wanted):
            self.audit.add(SETTLED, name=name)
        return tuple(sorted(wanted))

    def _make(self, repair: Repair, what: str) -> str:
        """Why it was not made; empty when it was."""
        told = f"{what}: {repair.text}"
        with self.whole():
            why = self._store().write(repair)
            if why:
                self.audit.add("not repaired", what=told, why=why)
            else:
                self.audit.add("repaired", what=told, region=self._region(), repair=repair.document())
        self.tell(f"not repaired: {told} ({why})" if why else f"repaired: {told}")
        return why

    def _judged(self) -> list[Finding]:
        return [*judge(self.rules, self._held.regions[self._region()]), *stranded(self._held)]

    def _region(self) -> str:
        return next(iter(self._held.regions))

    def _store(self) -> Store:
        region = self._region()
        return next(store for store in self.stores if store.region == region)

    def _settled(self) -> set[str]:
        entries = audits.read(self.audit.path)
        return {str(entry.detail.get("name")) for entry in entries if entry.action == SETTLED}


def _touches(findings: Iterable[Finding]) -> set[tuple[str, Any]]:
    return {touch for finding in findings for touch in finding.touches}
