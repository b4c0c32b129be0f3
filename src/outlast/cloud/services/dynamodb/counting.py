"""How many items and bytes a table and its indexes hold: counted as they change, kept now and then, and made anew.

Counts are in memory. A hard end leaves behind those that were kept last, and writes that a full disk lost had been
counted: then a table is walked through and counted again while it is used. AWS brings `ItemCount` up to date about
every six hours (docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING

from outlast.cloud.engine import StorageUnavailable
from outlast.cloud.services.dynamodb.indexes import stored_size

if TYPE_CHECKING:
    from outlast.cloud.engine import Engine, Space
    from outlast.cloud.services.dynamodb.state import DynamoDB
    from outlast.cloud.services.dynamodb.table import Table

FINAL = "Final"
"""Of counts that a Region kept as it stopped."""
PIECE_ITEMS = 256
PAUSE_S = 0.02


class Recount:
    """What a space holds below the key `at`."""

    __slots__ = ("at", "items", "size")

    def __init__(self) -> None:
        self.at = b""
        self.items = self.size = 0

    def add(self, items: int, size: int) -> None:
        """What lies below has grown by so much."""
        self.items += items
        self.size += size

    def changed(self, key: bytes, items: int, size: int) -> None:
        """What lies under a key has grown by so much."""
        if key < self.at:
            self.add(items, size)


class Late(Recount):
    """A write that arrives when the last counts were kept already: they are the last ones no more."""

    __slots__ = ("_take_back",)

    def __init__(self, take_back: Callable[[], None]) -> None:
        super().__init__()
        self._take_back = take_back

    def changed(self, key: bytes, items: int, size: int) -> None:
        asyncio.get_running_loop().call_soon(self._take_back)


class Counting:
    """The counts of a Region's tables. Those of `uncounted` are not known to be right."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._losses = engine.losses
        self.uncounted: set[str] = set()

    def begin(self, state: DynamoDB) -> None:
        """The Region starts: whose counts were kept as it stopped are right, until it ends hard in its turn."""
        for name, table in state.tables.items():
            counted = table.doc.get("Counted")
            if counted is None or counted.pop(FINAL, None) is None:
                self.uncounted.add(name)
                continue
            try:
                state.shelf.put(name, table.doc)
            except StorageUnavailable:
                state.unsaved.add(name)

    def keep(self, state: DynamoDB, *, final: bool = False) -> None:
        """Put the counts of changed tables into their documents. Raises StorageUnavailable."""
        for name, table in list(state.tables.items()):
            counted = table.counted
            if final and name not in self.uncounted and self._losses == self._engine.losses:
                counted[FINAL] = True
                table.recounts[""] = Late(lambda: self.keep(state))
            if table.doc.get("Counted") != counted:
                table.doc["Counted"] = counted
                state.shelf.put(name, table.doc)

    async def count_again(self, state: DynamoDB) -> None:
        """Make anew the counts that may be wrong."""
        if self._losses != self._engine.losses:
            self._losses = self._engine.losses
            self.uncounted.update(state.tables)
        for name in sorted(self.uncounted):
            table = state.tables.get(name)
            if table is None or await self._counted(state, table):
                self.uncounted.discard(name)

    async def _counted(self, state: DynamoDB, table: Table) -> bool:
        """Whether all of the table could be counted: it is still there, no index is being filled, no write was lost."""
        if table.filling:
            return False
        losses = self._engine.losses
        found = await self._walk(state, table, "", table.items)
        if found is not None and losses == self._engine.losses:
            table.count, table.size = found.items, found.size
        for index in table.indexes:
            found = await self._walk(state, table, index.number, table.index_spaces[index.name])
            if found is not None and losses == self._engine.losses:
                table.index_counts[index.number][:] = found.items, found.size
        return losses == self._engine.losses and not table.filling

    async def _walk(self, state: DynamoDB, table: Table, number: str, space: Space) -> Recount | None:
        """Count a space, an index's by its number; None when it went or is being filled."""
        table.recounts[number] = recount = Recount()
        try:
            while True:
                if state.tables.get(table.name) is not table or number in table.filling:
                    return None
                if number and number not in table.index_counts:
                    return None
                piece = list(islice(space.range(recount.at), PIECE_ITEMS))
                recount.add(len(piece), sum(stored_size(stored) for _, stored in piece))
                if len(piece) < PIECE_ITEMS:
                    return recount
                recount.at = piece[-1][0] + b"\0"
                await state.region.clock.sleep(PAUSE_S)
        finally:
            del table.recounts[number]
