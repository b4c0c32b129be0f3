"""A table at run time: its key, its indexes, its stream, and what every change of an item brings with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from outlast.cloud.engine import Change, Engine, Space, Transaction
from outlast.cloud.services.dynamodb import values as av
from outlast.cloud.services.dynamodb.counting import Recount
from outlast.cloud.services.dynamodb.expiry import Expiry
from outlast.cloud.services.dynamodb.history import History
from outlast.cloud.services.dynamodb.indexes import (
    HEADER,
    EntryChange,
    Index,
    IndexKeys,
    entry_changes,
    stored_size,
    unpacked,
)
from outlast.cloud.services.dynamodb.metrics import TableMetrics
from outlast.cloud.services.dynamodb.names import table_arn
from outlast.cloud.services.dynamodb.schema import KeySchema, TableKey
from outlast.cloud.services.dynamodb.stream_log import StreamLog
from outlast.cloud.services.dynamodb.values import Item

if TYPE_CHECKING:
    from outlast.cloud.contract.region import Region

Document = dict[str, Any]


class Keeper(Protocol):
    """What wants to know the value that a change takes away."""

    def keep(self, tx: Transaction, change: Change) -> None:
        """Hear of a change, within its transaction."""
        ...


NOTHING: Item = {}


class Table:
    """One table of this Region. `doc` is what is kept of it; the rest follows from `doc`.

    After a write `before` is the item as it was stored, and `index_units` the write units of each index.
    `index_counts` are the entries and bytes of each index by its number; those in `filling` are being backfilled.
    `recounts` are those of its spaces that are counted again: "" its items, else an index by its number.
    `sightings` tells of each member the status that it was last seen in, and since when (monotonic seconds).
    """

    __slots__ = (
        "_hint",
        "_region",
        "arn",
        "before",
        "count",
        "doc",
        "expiry",
        "filling",
        "history",
        "index_counts",
        "index_keys",
        "index_spaces",
        "index_units",
        "indexes",
        "items",
        "key",
        "local",
        "metrics",
        "name",
        "recounts",
        "sightings",
        "size",
        "snapshots",
        "stream",
    )

    def __init__(self, doc: Document, region: Region) -> None:
        self.doc = doc
        self.name: str = doc["TableName"]
        self.arn = table_arn(region, self.name)
        self._region = region
        self.metrics = TableMetrics(region.meter, self.name)
        self.items: Space = region.engine.space(f"dynamodb/items/{doc['Items']}", derive=self.derive)
        self.before: bytes | None = None
        self.index_units: dict[str, float] = {}
        self._hint: tuple[Item | None, Item | None] | None = None
        counted = doc.get("Counted") or {}
        self.count: int = counted.get("Items", 0)
        self.size: int = counted.get("Bytes", 0)
        self.index_counts: dict[str, list[int]] = {
            number: list(pair) for number, pair in (counted.get("Indexes") or {}).items()
        }
        self.filling: set[str] = set()
        self.recounts: dict[str, Recount] = {}
        self.stream: StreamLog | None = None
        self.expiry: Expiry | None = None
        self.history: History | None = None
        self.snapshots: list[Keeper] = []
        self.sightings: dict[str, tuple[str, float]] = {}
        self.configure()

    def configure(self) -> None:
        """Follow `doc`: schema, indexes, stream."""
        doc, engine = self.doc, self._region.engine
        types = {each["AttributeName"]: each["AttributeType"] for each in doc["AttributeDefinitions"]}
        schema = KeySchema.of(doc["KeySchema"], types)
        self.key = TableKey(schema)
        self.indexes = tuple(
            Index.of(entry, types, schema) for entry in doc["Indexes"] if entry["Status"] != "DELETING"
        )
        self.index_counts = {index.number: self.index_counts.get(index.number, [0, 0]) for index in self.indexes}
        self.filling = {entry["Number"] for entry in doc["Indexes"] if entry["Status"] == "CREATING"}
        self.local = tuple(index for index in self.indexes if not index.is_global)
        self.index_keys = IndexKeys(self.indexes, schema)
        self.index_spaces = {index.name: engine.space(index_space_name(doc, index.number)) for index in self.indexes}
        stream = doc.get("Stream") or {}
        if not stream.get("Enabled"):
            self.stream = None
        elif self.stream is None or self.stream.label != stream["Label"]:
            self.stream = self.stream_log(stream)
        ttl = doc.get("TimeToLive")
        if ttl is None:
            self.expiry = None
        elif self.expiry is None or self.expiry.attribute != ttl["AttributeName"]:
            self.expiry = Expiry(engine.space(expiry_space_name(doc)), ttl["AttributeName"])
        if not doc.get("Recovery"):
            self.history = None
        elif self.history is None:
            self.history = History(engine.space(history_space_name(doc)))

    def stream_log(self, stream: dict[str, Any]) -> StreamLog:
        """The log of the current stream, or of an older one by its entry."""
        space = self._region.engine.space(stream_space_name(self.doc, stream["Number"]))
        arn = f"{self.arn}/stream/{stream['Label']}"
        return StreamLog(space, self.key, self._region.name, arn, stream["Label"], stream["ViewType"])

    @property
    def region(self) -> str:
        """The name of the Region."""
        return self._region.name

    @property
    def schema(self) -> KeySchema:
        return self.key.schema

    @property
    def status(self) -> str:
        """CREATING, ACTIVE, UPDATING, DELETING or another status of AWS's."""
        status: str = self.doc["Status"]
        return status

    def index(self, name: str) -> Index | None:
        """The index of that name that can be read or written."""
        for index in self.indexes:
            if index.name == name:
                return index
        return None

    def space_of(self, index: Index | None) -> Space:
        """Where the entries of an index lie, or those of the table."""
        return self.items if index is None else self.index_spaces[index.name]

    # ---- changes

    def write(
        self,
        tx: Transaction,
        key: bytes,
        stored: bytes | None,
        old: Item | None,
        new: Item | None,
        context: bytes,
    ) -> None:
        """Put `stored` (or delete, for None). `old` and `new` are the items when the caller has them at hand."""
        self._hint = (old, new)
        self.before = None
        self.index_units = {}
        try:
            if stored is None:
                tx.delete(self.items, key, context)
            else:
                tx.put(self.items, key, stored, context)
        finally:
            self._hint = None

    def derive(self, change: Change, tx: Transaction) -> None:
        """Write index entries and the stream record of a change, local or arrived; keep count."""
        before, after = change.old, change.new
        self.before = before
        size, items = stored_size(after) - stored_size(before), (after is not None) - (before is not None)
        self.size += size
        self.count += items
        if self.recounts:
            recount = self.recounts.get("")
            if recount is not None:
                recount.changed(change.key, items, size)
        if self.history is not None:
            self.history.note(tx, change)
        for snapshot in self.snapshots:
            snapshot.keep(tx, change)
        if not self.indexes and self.stream is None and self.expiry is None:
            return
        old, new = self._hint if self._hint is not None and not change.replicated else (None, None)
        if before is None:
            old = None
        elif old is None:
            old = unpacked(before)
        if after is None:
            new = None
        elif new is None:
            new = unpacked(after)
        if self.indexes:
            self._derive_indexes(change, tx, old, new)
        if self.expiry is not None:
            self.expiry.follow(tx, change.key, old, new)
        if self.stream is not None and not (
            old is not None and new is not None and (before == after or av.equal({"M": old}, {"M": new}))
        ):
            self.stream.append(tx, change, old, new, change.stamp >> 16)

    def _derive_indexes(self, change: Change, tx: Transaction, old: Item | None, new: Item | None) -> None:
        held = (old, change.old) if old is not None and change.old is not None else None
        made = (new, change.new) if new is not None and change.new is not None else None
        units: dict[str, float] = {}
        for each in entry_changes(self.indexes, change.key, held, made):
            space = self.index_spaces[each.index.name]
            counts = self.index_counts[each.index.number]
            entries, size = _grown(tx, space, each) if each.index.number in self.filling else (each.entries, each.size)
            counts[0] += entries
            counts[1] += size
            recount = self.recounts.get(each.index.number)
            if recount is not None:
                recount.add(*_grown(tx, space, each, recount.at))
            if each.removed is not None:
                tx.delete(space, each.removed)
            if each.written is not None:
                tx.put(space, *each.written)
            units[each.index.name] = each.units
        self.index_units = units

    @property
    def counted(self) -> Document:
        """Items and bytes of the table and its indexes, as its document keeps them."""
        counted: Document = {"Items": self.count, "Bytes": self.size}
        if self.index_counts:
            counted["Indexes"] = {number: list(pair) for number, pair in self.index_counts.items()}
        return counted

    @property
    def before_size(self) -> int:
        """The item size before the last write."""
        return stored_size(self.before)


def _grown(tx: Transaction, space: Space, change: EntryChange, below: bytes | None = None) -> tuple[int, int]:
    """By how much an index grows that may lack the item's entry still: (entries, bytes), with keys `below` alone."""
    entries = size = 0
    written = () if change.written is None else (change.written,)
    for key, value in written:
        if below is None or key < below:
            entries, size = entries + 1, size + stored_size(value)
    for gone in (change.removed, *[key for key, _ in written]):
        held = None if gone is None or (below is not None and gone >= below) else tx.get(space, gone)
        if held is not None:
            entries, size = entries - 1, size - stored_size(held)
    return entries, size


def image(stored: bytes) -> memoryview:
    """The wire JSON of stored bytes."""
    return memoryview(stored)[HEADER:]


def index_space_name(doc: Document, number: str) -> str:
    """The name of the space that holds an index."""
    return f"dynamodb/index/{doc['TableId']}/{number}"


def stream_space_name(doc: Document, number: str) -> str:
    """The name of the space that holds a stream."""
    return f"dynamodb/stream/{doc['TableId']}/{number}"


def expiry_space_name(doc: Document) -> str:
    """The name of the space that holds expiry times."""
    return f"dynamodb/expiry/{doc['TableId']}"


def history_space_name(doc: Document) -> str:
    """The name of the space that holds what point-in-time recovery needs."""
    return f"dynamodb/history/{doc['TableId']}"


def drop_table_spaces(doc: Document, engine: Engine) -> None:
    """Forget the table's items, indexes and streams."""
    names = {f"dynamodb/items/{doc['Items']}", expiry_space_name(doc), history_space_name(doc)}
    names.update(engine.spaces(f"dynamodb/index/{doc['TableId']}/"))
    names.update(engine.spaces(f"dynamodb/stream/{doc['TableId']}/"))
    for name in sorted(names & set(engine.spaces("dynamodb/"))):
        engine.drop(engine.space(name))
