"""Every write left behind at the cut, by the Regions' own lists: what each one was, and what became of it.

A local world can tell: the Region that is left lists what it has acknowledged and the survivor has not confirmed, and
the survivor says which of these it lacks. AWS has no such list; there, and where the Region cannot be asked, the drill
judges by the orders that it reads (`writes.py`), and the report says so.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.clients import Clients, error_code
from outlast.ops.deployment import Tables
from outlast.ops.drill.writes import AtRisk, Fate, State
from outlast.ops.ledger.model import Item, Stranded
from outlast.ops.ledger.stranding import lacking, listed, parts
from outlast.ops.load.log import Record

LIMIT: Final = 20_000
"""Writes that are listed at most; beyond that the report says that there were more."""
NO_LIST: Final = "AWS keeps no list of what a replica lacks"
WORST_FIRST: Final[tuple[Fate, ...]] = ("lost", "not known", "overwritten", "arrived")
Missing = Callable[[Sequence[Stranded]], frozenset[str] | None]


@dataclass(frozen=True, slots=True)
class Left:
    """A write that its Region had acknowledged and the survivor lacked at the cut.

    `order_id`: the customer's order that it belongs to; empty where no customer was told of it. `settled_s`: when the
    survivor was first seen not to lack it any more, epoch seconds.
    """

    write: Stranded
    order_id: str = ""
    fate: Fate = "not known"
    settled_s: float | None = None

    def document(self) -> dict[str, Any]:
        """The write as JSON members."""
        return {
            "table": self.write.table,
            "key": dict(self.write.key),
            "region": self.write.held_in,
            "missing_in": self.write.missing_in,
            "written_s": self.write.written.at_s,
            "clock": self.write.written.clock,
            "request_id": self.write.written.request_id,
            "order_id": self.order_id,
            "fate": self.fate,
            "settled_s": self.settled_s,
        }


@dataclass(frozen=True, slots=True)
class Lists:
    """What the two Regions said at the cut. `why`: why they could not be relied upon; empty when they could."""

    left: tuple[Left, ...] = ()
    why: str = ""


def ask(clients: Clients, tables: Tables, region: str, survivor: str, limit: int = LIMIT) -> Lists:
    """What `region` has acknowledged and `survivor` lacks, of the three tables, by the word of both."""
    if clients.kind != "local":
        return Lists(why=NO_LIST)
    found: list[Stranded] = []
    asked = region
    try:
        client = clients.of("outlast", region)
        for table in (tables.customers, tables.products, tables.orders):
            for write in listed(client, region, survivor, table):
                if len(found) == limit:
                    return Lists(why=f"{region} listed more than {limit} writes")
                found.append(write)
        asked = survivor
        client = clients.of("outlast", survivor)
        missing = frozenset(ident for part in parts(found) for ident in lacking(client, part))
    except (ClientError, BotoCoreError) as error:
        return Lists(why=f"{asked} could not be asked ({error_code(error)})")
    return Lists(tuple(Left(write) for write in found if write.ident in missing))


def attribute(left: Sequence[Left], tables: Tables, acknowledged: Iterable[Record]) -> list[Left]:
    """The writes, oldest first, each with its order: the writes of a transaction share their clock."""
    known = {record.order_id for record in acknowledged}
    clocks = {
        each.write.written.clock: _text(each.write.key, "order_id")
        for each in left
        if each.write.table == tables.orders
    }
    found = []
    for each in left:
        written = each.write.written
        order = clocks.get(written.clock, "") or _text(written.item or {}, "sold_to_order")
        found.append(replace(each, order_id=order if order in known else ""))
    return sorted(found, key=lambda each: (each.write.written.at_s, each.write.ident))


def at_risk(acknowledged: Iterable[Record], left: Iterable[Left], tables: Tables) -> list[AtRisk]:
    """The acknowledged orders of which a write was left behind, each with the worst fate of its writes."""
    lacked: dict[str, list[Left]] = {}
    for each in left:
        if each.order_id:
            lacked.setdefault(each.order_id, []).append(each)
    return [_risk(record, lacked[record.order_id], tables) for record in acknowledged if record.order_id in lacked]


def _risk(record: Record, writes: Sequence[Left], tables: Tables) -> AtRisk:
    fates = {each.fate for each in writes}
    worst: Fate = next(fate for fate in WORST_FIRST if fate in fates)
    moments = [each.settled_s for each in writes if each.settled_s is not None]
    return AtRisk(
        record.order_id,
        record.product_id,
        record.region,
        record.ended_s,
        _state({each.write.table for each in writes}, tables),
        worst,
        max(moments) if worst == "arrived" and moments else None,
    )


def follow(left: Sequence[Left], missing: Missing, now_s: float) -> list[Left]:
    """The same writes, with those that the survivor does not lack any more marked as arrived."""
    still: set[str] = set()
    for part in parts(each.write for each in left if each.fate == "not known"):
        lacked = missing(part)
        still |= {write.ident for write in part} if lacked is None else lacked
    return [
        replace(each, fate="arrived", settled_s=now_s)
        if each.fate == "not known" and each.write.ident not in still
        else each
        for each in left
    ]


def settle(left: Sequence[Left], missing: Missing, losers: frozenset[tuple[str, str, str]] | None) -> list[Left]:
    """The last word: what is still lacked is lost, what lost a conflict was overwritten; `follow` it first.

    `losers`: (table, Region, clock) of the survivor's ledger, None where it could not be read: whether a write that
    came was overwritten is not known then.
    """
    lost: set[str] = set()
    for part in parts(each.write for each in left if each.fate == "not known"):
        lost |= missing(part) or frozenset()
    return [_last(each, lost, losers) for each in left]


def _last(each: Left, lost: set[str], losers: frozenset[tuple[str, str, str]] | None) -> Left:
    if each.fate == "arrived":
        if losers is None:
            return replace(each, fate="not known")
        written = each.write.written
        return (
            replace(each, fate="overwritten") if (each.write.table, written.region, written.clock) in losers else each
        )
    return replace(each, fate="lost") if each.write.ident in lost else each


def missing_in(clients: Clients, survivor: str) -> Missing:
    """Asks the survivor which writes of a part it lacks; None when it does not answer."""

    def missing(part: Sequence[Stranded]) -> frozenset[str] | None:
        try:
            return lacking(clients.of("outlast", survivor), part)
        except (ClientError, BotoCoreError):
            return None

    return missing


def losers_in(clients: Clients, survivor: str, tables: Tables) -> frozenset[tuple[str, str, str]] | None:
    """The writes that lost a conflict, by the ledger of the survivor: table, Region, clock; None if it is not read."""
    found: set[tuple[str, str, str]] = set()
    try:
        for table in (tables.customers, tables.products, tables.orders):
            pages = clients.of("outlast", survivor).get_paginator("list_conflicts").paginate(TableName=table)
            for entry in (each for page in pages for each in page.get("Conflicts", [])):
                found.add((table, str(entry["Loser"].get("Region")), str(entry["Loser"].get("Clock"))))
    except (ClientError, BotoCoreError):
        return None
    return frozenset(found)


def _state(lacked: set[str], tables: Tables) -> State:
    if {tables.orders, tables.products} <= lacked:
        return "missing"
    return "order missing" if tables.orders in lacked else "product mark missing"


def _text(item: Mapping[str, Any] | Item, name: str) -> str:
    return str(item.get(name, {}).get("S", ""))
