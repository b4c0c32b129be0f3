"""What a ledger says, as values. Parsed once from the world's own API (models/outlast), then never asked again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

Item = Mapping[str, Any]
"""An item, or a key, in DynamoDB JSON."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an item: who wrote it, when (epoch seconds), by which request. `item` is None for a deletion."""

    region: str
    at_s: float
    clock: str
    request_id: str
    item: Item | None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A write that a concurrent write in another Region overwrote. `detected_in`: every Region whose ledger has it."""

    ident: str
    table: str
    key: Item
    winner: Version
    loser: Version
    detected_s: float
    detected_in: tuple[str, ...]

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """The lost write: a Region that saw it later may have noticed its loss to a later winner."""
        return (self.table, json.dumps(self.key, sort_keys=True), self.loser.clock, self.loser.region)

    @property
    def differs(self) -> tuple[str, ...]:
        """Attributes that the two versions do not share, by name."""
        mine, other = self.winner.item or {}, self.loser.item or {}
        return tuple(sorted(name for name in mine.keys() | other.keys() if mine.get(name) != other.get(name)))


@dataclass(frozen=True, slots=True)
class Stranded:
    """An acknowledged write of `held_in` that `missing_in` lacks.

    `checked`: that Region says so itself; else it could not be asked, and may have the write unconfirmed.
    """

    ident: str
    table: str
    key: Item
    written: Version
    held_in: str
    missing_in: str
    checked: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """Replication of one table from one Region towards another. `lag_ms` None: not known. `reason`: why it is not
    ACTIVE, where the origin knows.
    """

    table: str
    origin: str
    receiver: str
    status: str
    pending: int
    lag_ms: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unseen:
    """What could not be read, where, and why."""

    region: str
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything that was read, oldest first. `more`: there was more than was asked for."""

    at_s: float
    regions: tuple[str, ...]
    conflicts: tuple[Conflict, ...]
    stranded: tuple[Stranded, ...]
    links: tuple[Link, ...]
    unseen: tuple[Unseen, ...]
    more: bool = False

    def document(self) -> dict[str, Any]:
        """The ledger as JSON members."""
        found = asdict(self)
        for written, conflict in zip(found["conflicts"], self.conflicts, strict=True):
            written["differs"] = list(conflict.differs)
        return {"schema": "outlast.ledger/1", "measured": "local", **found}


def read_version(read: Mapping[str, Any]) -> Version:
    """A version in an answer."""
    item = None if read.get("Deleted") or "Item" not in read else json.loads(read["Item"])
    return Version(
        region=str(read.get("Region", "")),
        at_s=_epoch_s(read.get("Timestamp")),
        clock=str(read.get("Clock", "")),
        request_id=str(read.get("RequestId", "")),
        item=item,
    )


def read_conflict(read: Mapping[str, Any], region: str) -> Conflict:
    """A conflict in the answer of `region`."""
    return Conflict(
        ident=str(read["Id"]),
        table=str(read["TableName"]),
        key=json.loads(read["Key"]),
        winner=read_version(read["Winner"]),
        loser=read_version(read["Loser"]),
        detected_s=_epoch_s(read.get("DetectedAt")),
        detected_in=(str(read.get("DetectedIn", region)),),
    )


def read_stranded(read: Mapping[str, Any], region: str) -> Stranded:
    """A stranded write in the answer of `region`."""
    return Stranded(
        ident=str(read.get("Id", "")),
        table=str(read["TableName"]),
        key=json.loads(read["Key"]),
        written=read_version(read["Written"]),
        held_in=region,
        missing_in=str(read["MissingIn"]),
    )


def read_link(read: Mapping[str, Any], region: str) -> Link:
    """A link in the answer of `region`."""
    lag_ms = read.get("LagMilliseconds")
    return Link(
        table=str(read["TableName"]),
        origin=region,
        receiver=str(read["Region"]),
        status=str(read.get("Status", "")),
        pending=int(read.get("PendingWrites", 0)),
        lag_ms=None if lag_ms is None else float(lag_ms),
        reason=str(read.get("Reason", "")),
    )


def merged(conflicts: Sequence[Conflict]) -> tuple[Conflict, ...]:
    """Each lost write once, oldest first, with all Regions that noticed it and the first winner that they saw."""
    found: dict[tuple[str, str, str, str], Conflict] = {}
    for conflict in sorted(conflicts, key=lambda each: (each.detected_s, each.ident)):
        first = found.setdefault(conflict.identity, conflict)
        if first is not conflict:
            seen_in = tuple(sorted({*first.detected_in, *conflict.detected_in}))
            told = min(first, conflict, key=lambda each: each.winner.clock)
            found[conflict.identity] = replace(told, detected_s=first.detected_s, detected_in=seen_in)
    return tuple(found.values())


def _epoch_s(moment: Any) -> float:
    return moment.timestamp() if isinstance(moment, datetime) else float(moment or 0.0)
