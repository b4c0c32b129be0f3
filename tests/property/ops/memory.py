"""A small global table in memory: replicas, last writer wins item by item, links that hold back and lose."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from outlast.ops.reconcile.items import Item, Ref, Value
from outlast.ops.reconcile.rules import Table
from outlast.ops.reconcile.store import CHANGED
from outlast.ops.reconcile.writes import Check, Repair, Update

Key = tuple[str, Ref]
Stamp = tuple[int, str]


@dataclass(slots=True)
class Change:
    """One item's version on its way."""

    key: Key
    item: Item | None
    stamp: Stamp


class MemoryWorld:
    """Replicas of all tables, keyed by table name. Time is a counter: one step for each write."""

    def __init__(self, regions: Sequence[str]) -> None:
        self.regions = tuple(regions)
        self.items: dict[str, dict[Key, Item]] = {region: {} for region in regions}
        self._stamps: dict[str, dict[Key, Stamp]] = {region: {} for region in regions}
        self._links: dict[tuple[str, str], deque[Change]] = {
            (a, b): deque() for a in regions for b in regions if a != b
        }
        self.time = 0

    def put(self, region: str, key: Key, item: Item | None) -> None:
        """A local write: applied here, queued for all others, item by item."""
        self.time += 1
        change = Change(key, item, (self.time, region))
        self._apply(region, change)
        for (origin, _), link in self._links.items():
            if origin == region:
                link.append(change)

    def deliver(self, chooser: random.Random, count: int) -> None:
        """Let some changes through, in any order across items and in order for each item."""
        for _ in range(count):
            waiting = [pair for pair, link in self._links.items() if link]
            if not waiting:
                return
            pair = chooser.choice(waiting)
            link = self._links[pair]
            first_of_item: dict[Key, int] = {}
            for place, change in enumerate(link):
                first_of_item.setdefault(change.key, place)
            place = chooser.choice(sorted(first_of_item.values()))
            change = link[place]
            del link[place]
            self._apply(pair[1], change)

    def lose(self, region: str) -> None:
        """Everything that the Region has not sent is gone, and it comes back as a copy of another."""
        for (origin, _), link in self._links.items():
            if origin == region:
                link.clear()
        other = next(each for each in self.regions if each != region)
        for (_, target), link in self._links.items():
            if target == region:
                link.clear()
        self.items[region] = dict(self.items[other])
        self._stamps[region] = dict(self._stamps[other])

    def converge(self, chooser: random.Random) -> None:
        """Let everything through."""
        while any(self._links.values()):
            self.deliver(chooser, 50)

    def _apply(self, region: str, change: Change) -> None:
        if self._stamps[region].get(change.key, (-1, "")) >= change.stamp:
            return
        self._stamps[region][change.key] = change.stamp
        if change.item is None:
            self.items[region].pop(change.key, None)
        else:
            self.items[region][change.key] = change.item


@dataclass(slots=True)
class MemoryStore:
    """A Region's replica as the reconciler sees it."""

    world: MemoryWorld
    region: str
    log: list[Repair] = field(default_factory=list)

    def scan(self, table: Table) -> dict[Ref, Item]:
        return {key: item for (name, key), item in self._items().items() if name == table.name}

    def fetch(self, table: Table, refs: Sequence[Ref]) -> dict[Ref, Item]:
        items = self._items()
        return {key: items[table.name, key] for key in refs if (table.name, key) in items}

    def write(self, repair: Repair) -> str:
        items = self._items()
        keys = [(write.table, write.ref) for write in repair.writes]
        assert len(set(keys)) == len(keys), "a transaction may not name an item twice"
        assert len(keys) <= 100
        if not all(write.condition.holds(items.get(key)) for key, write in zip(keys, repair.writes, strict=True)):
            return CHANGED
        for key, write in zip(keys, repair.writes, strict=True):
            if isinstance(write, Update):
                self.world.put(self.region, key, changed(items.get(key, {}), write))
            else:
                assert isinstance(write, Check)
        self.log.append(repair)
        return ""

    def _items(self) -> dict[Key, Item]:
        return self.world.items[self.region]


def changed(item: Item, update: Update) -> Item:
    """The item after an update; UpdateItem makes one that is not there."""
    kept: dict[str, Value] = {name: value for name, value in item.items() if name not in update.removes}
    return {**kept, update.key: update.ref.value, **update.sets}


def text(item: Mapping[str, Value], name: str) -> str | None:
    """A text attribute."""
    value = item.get(name)
    return None if value is None else str(value["S"])
