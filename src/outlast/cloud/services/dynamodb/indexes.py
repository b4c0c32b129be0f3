"""Secondary indexes: which entry an item has, and what a change of the item changes in the index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import keys
from outlast.cloud.services.dynamodb import values as av
from outlast.cloud.services.dynamodb.capacity import write_units
from outlast.cloud.services.dynamodb.errors import invalid
from outlast.cloud.services.dynamodb.schema import (
    MAX_PARTITION_BYTES,
    MAX_SORT_BYTES,
    KeySchema,
    size_fault,
)
from outlast.cloud.services.dynamodb.values import Item, Value

HEADER = 4
SURELY_SHORT = 256
"""So many characters are short enough for any key, in whatever letters."""


def packed(item: Item, size: int) -> bytes:
    """An item as it is stored: its size in bytes, then its wire JSON."""
    return size.to_bytes(HEADER, "big") + orjson.dumps(item)


def unpacked(stored: bytes) -> Item:
    """The item of stored bytes."""
    item: Item = orjson.loads(memoryview(stored)[HEADER:])
    return item


def stored_size(stored: bytes | None) -> int:
    """The item size that stored bytes tell; 0 for none."""
    return 0 if stored is None else int.from_bytes(stored[:HEADER], "big")


def _fit(parts: Sequence[Value], most: int) -> bool:
    """Whether a key can have these values."""
    raw = [keys.scalar_bytes(part) for part in parts]
    return all(raw) and sum(map(len, raw)) <= most


@dataclass(frozen=True, slots=True)
class Index:
    """One secondary index as the item path sees it.

    `projected` holds the names of projected attributes, None for all. `number` keeps spaces of indexes of one name
    apart that lived one after the other.
    """

    name: str
    schema: KeySchema
    is_global: bool
    projected: frozenset[str] | None
    number: str

    @property
    def has_parts(self) -> bool:
        """Whether a part of the key has several attributes."""
        return len(self.schema.partition) > 1 or len(self.schema.sort) > 1

    @classmethod
    def of(cls, entry: Mapping[str, Any], types: Mapping[str, str], table: KeySchema) -> Index:
        """The index of an entry of a table's document."""
        schema = KeySchema.of(entry["KeySchema"], types)
        projection = entry.get("Projection") or {}
        projected: frozenset[str] | None = None
        if projection.get("ProjectionType", "ALL") != "ALL":
            extra = projection.get("NonKeyAttributes") or ()
            projected = frozenset((*table.names, *schema.names, *extra))
        return cls(entry["IndexName"], schema, bool(entry["Global"]), projected, entry["Number"])

    def entry(self, item: Item, base: bytes, stored: bytes) -> tuple[bytes, bytes] | None:
        """The key and value of the item's entry, or None when a key attribute is missing, misfit, empty or too long.

        Writes with such a key are refused; items older than the index may have one.
        """
        parts, is_sure = [], True
        for attribute in self.schema.attributes:
            value = item.get(attribute.name)
            if value is None:
                return None
            raw = value.get(attribute.type)
            if raw is None:
                return None
            if not 0 < len(raw) <= SURELY_SHORT:
                is_sure = False
            parts.append(value)
        split = len(self.schema.partition)
        if not is_sure and not (_fit(parts[:split], MAX_PARTITION_BYTES) and _fit(parts[split:], MAX_SORT_BYTES)):
            return None
        key = keys.index_key(parts[:split], parts[split:], base)
        if self.projected is None:
            return key, stored
        cut = {name: value for name, value in item.items() if name in self.projected}
        return key, packed(cut, av.item_size(cut))


@dataclass(frozen=True, slots=True)
class EntryChange:
    """What one index must do for a changed item, the write units that it costs, and by how much the index grows."""

    index: Index
    removed: bytes | None
    written: tuple[bytes, bytes] | None
    units: float
    entries: int
    size: int


def entry_changes(
    indexes: Iterable[Index], base: bytes, old: tuple[Item, bytes] | None, new: tuple[Item, bytes] | None
) -> list[EntryChange]:
    """The changes of all indexes when an item goes from `old` to `new` (item and stored bytes each)."""
    changes = []
    for index in indexes:
        before = index.entry(old[0], base, old[1]) if old is not None else None
        after = index.entry(new[0], base, new[1]) if new is not None else None
        if before == after:
            continue
        if before is not None and after is not None:
            if before[0] == after[0]:
                if av.equal({"M": unpacked(before[1])}, {"M": unpacked(after[1])}):
                    continue
                was, now = stored_size(before[1]), stored_size(after[1])
                changes.append(EntryChange(index, None, after, write_units(max(was, now)), 0, now - was))
            else:
                was, now = stored_size(before[1]), stored_size(after[1])
                units = write_units(was) + write_units(now)
                changes.append(EntryChange(index, before[0], after, units, 0, now - was))
        elif before is not None:
            was = stored_size(before[1])
            changes.append(EntryChange(index, before[0], None, write_units(was), -1, -was))
        elif after is not None:
            now = stored_size(after[1])
            changes.append(EntryChange(index, None, after, write_units(now), 1, now))
    return changes


class IndexKeys:
    """The attributes that indexes of a table use as keys, and the check of their values in an item."""

    __slots__ = ("_rows", "_sums", "names")

    def __init__(self, indexes: Iterable[Index], table: KeySchema) -> None:
        rows, sums = [], []
        own = set(table.names)
        for index in sorted(indexes, key=lambda index: index.name):
            for part, is_partition in ((index.schema.partition, True), (index.schema.sort, False)):
                if len(part) > 1 or (not is_partition and any(each in table.partition for each in part)):
                    sums.append((index.schema.names, part, is_partition))
            for attribute in index.schema.attributes:
                if attribute.name not in own:
                    is_partition = attribute in index.schema.partition
                    rows.append((attribute.name, attribute.type, index.name, is_partition))
        self._rows = tuple(rows)
        self._sums = tuple(sums)
        self.names = frozenset(row[0] for row in rows)

    def check(self, item: Item, *, updating: frozenset[str] | None = None) -> None:
        """Refuse values that an index cannot take; raises ValidationException.

        With `updating`, the attributes that an update touched, the fault for an empty value is an update's.
        """
        for name, wanted, index, is_partition in self._rows:
            value = item.get(name)
            if value is None:
                continue
            raw = value.get(wanted)
            if raw is None:
                actual = av.type_of(value)
                raise invalid(
                    f"Type mismatch for Index Key {name} Expected: {wanted} Actual: {actual} IndexName: {index}"
                )
            if not raw:
                word = "binary" if wanted == "B" else "string"
                raise empty_index_value(name, index, word, updating is not None)
            if len(raw) > MAX_SORT_BYTES // 4 and wanted != "N":
                size = av.value_size(value)
                if size > (MAX_PARTITION_BYTES if is_partition else MAX_SORT_BYTES):
                    raise size_fault(is_partition)
        for all_names, part, is_partition in self._sums:
            if all(name in item for name in all_names):
                size = sum(len(keys.scalar_bytes(item[each.name])) for each in part)
                if size > (MAX_PARTITION_BYTES if is_partition else MAX_SORT_BYTES):
                    raise size_fault(is_partition)


class EmptyIndexKey(ValidationException, code="ValidationException"):
    """An index key has an empty value: refused before anything is done, even within a transaction."""


def empty_index_value(name: str, index: str, word: str, updating: bool) -> EmptyIndexKey:
    """The fault for an empty value of an index key."""
    tail = f"The AttributeValue for a key attribute cannot contain an empty {word} value."
    if updating:
        return EmptyIndexKey(
            "One or more parameter values are not valid. The update expression attempted to update a secondary index "
            f"key to a value that is not supported. {tail}"
        )
    return EmptyIndexKey(
        "One or more parameter values are not valid. A value specified for a secondary index key is not supported. "
        f"{tail} IndexName: {index}, IndexKey: {name}"
    )
