"""What the DynamoDB service of one Region holds: its tables, kept on a shelf, and the work that is due later."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from outlast.cloud.contract import Shelf
from outlast.cloud.services.dynamodb.counting import Counting
from outlast.cloud.services.dynamodb.errors import ResourceNotFoundException
from outlast.cloud.services.dynamodb.latency import Latencies
from outlast.cloud.services.dynamodb.metrics import NAMESPACE
from outlast.cloud.services.dynamodb.names import table_name
from outlast.cloud.services.dynamodb.table import Document, Table, drop_table_spaces
from outlast.cloud.services.dynamodb.watching import Healing

if TYPE_CHECKING:
    from outlast.cloud.contract import Region

NOT_FOUND = "Requested resource not found"
READABLE = frozenset({"ACTIVE", "UPDATING"})


class DynamoDB:
    """The tables of a Region. `usable` maps names of tables that items can be read from and written to."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.engine = region.engine
        self.shelf = Shelf(region, "dynamodb/tables")
        self.backups = Shelf(region, "dynamodb/backups")
        self.restores: dict[str, Any] = {}
        self.tokens = region.engine.space("dynamodb/tokens")
        self.departed = Shelf(region, "dynamodb/departed")
        self.tables: dict[str, Table] = {}
        self.by_space: dict[str, Table] = {}
        self.usable: dict[str, Table] = {}
        self.unsaved: set[str] = set()
        self._losses = region.engine.losses
        self.wake = asyncio.Event()
        self.healing = Healing()
        region.engine.on_older_copy(lambda _: self.healing.found())
        self.latencies = Latencies(region)
        self.user_errors = region.meter.series(NAMESPACE, "UserErrors", {}, "Count")
        for name, doc in self.shelf.items():
            self.tables[name] = Table(doc, region)
        self._refresh()
        self.counting = Counting(self.engine)
        self.counting.begin(self)

    @classmethod
    def open(cls, region: Region) -> DynamoDB:
        """The state of a Region whose storage has been recovered."""
        from outlast.cloud.services.dynamodb.replicas import serve_peers

        state = cls(region)
        serve_peers(state)
        return state

    def _refresh(self) -> None:
        self.usable = {name: table for name, table in self.tables.items() if table.status in READABLE}
        self.by_space = {table.items.name: table for table in self.tables.values()}

    # ---- finding tables

    def table(self, given: str) -> Table:
        """The table that items are read from or written to; `given` is a name or an ARN. Raises Fault."""
        found = self.usable.get(given)
        if found is None:
            found = self.usable.get(table_name(given, self.region))
            if found is None:
                raise ResourceNotFoundException(NOT_FOUND)
        return found

    def controlled(self, given: str) -> Table:
        """The table that a control plane operation is about, in whatever status; raises Fault."""
        name = table_name(given, self.region)
        found = self.tables.get(name)
        if found is None:
            raise ResourceNotFoundException(f"{NOT_FOUND}: Table: {name} not found")
        return found

    # ---- changing tables

    def add(self, doc: Document) -> Table:
        """Keep a new table."""
        table = Table(doc, self.region)
        self.tables[table.name] = table
        self.save(table)
        return table

    def save(self, table: Table) -> None:
        """Keep the table's document as it is now, and follow it; what a full disk does not take, `save_again` keeps."""
        self.unsaved.add(table.name)
        try:
            self.shelf.put(table.name, table.doc)
            self.unsaved.discard(table.name)
        finally:
            table.configure()
            self._refresh()
            self.wake.set()

    def save_again(self) -> None:
        """Keep what could not be kept, or was lost on its way to the disk. Raises StorageUnavailable."""
        losses = self.engine.losses
        if losses != self._losses:
            self.unsaved.update(self.tables)
        for name in sorted(self.unsaved):
            if name in self.tables:
                self.save(self.tables[name])
            self.unsaved.discard(name)
        self._losses = losses

    def remove(self, table: Table) -> None:
        """Forget the table and everything in it."""
        self.shelf.delete(table.name)
        self.tables.pop(table.name, None)
        self._refresh()
        drop_table_spaces(table.doc, self.engine)

    def schedule(self, table: Table, step: str, in_ms: int, **details: Any) -> None:
        """Note on the table's document what is due in `in_ms`; the caller saves the table."""
        at = self.region.clock.now_ms() + in_ms
        table.doc.setdefault("Due", []).append({"AtMs": at, "Step": step, **details})

    def due(self) -> Iterable[tuple[int, Table, dict[str, Any]]]:
        """Everything that is due some time: (epoch ms, table, step)."""
        for table in list(self.tables.values()):
            for step in table.doc.get("Due") or ():
                yield step["AtMs"], table, step
