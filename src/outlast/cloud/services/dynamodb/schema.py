"""Key schemas: which attributes make a key, of which types, and the checks and bytes that follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import keys
from outlast.cloud.services.dynamodb import values as av
from outlast.cloud.services.dynamodb.errors import invalid
from outlast.cloud.services.dynamodb.values import Item, Value

MAX_PARTITION_BYTES = 2048
MAX_SORT_BYTES = 1024
MISMATCH = "The provided key element does not match the schema"


@dataclass(frozen=True, slots=True)
class KeyAttribute:
    """One attribute of a key and its type: S, N or B."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class KeySchema:
    """The partition attributes and the sort attributes of a table (at most one of each) or an index (up to four).

    `attributes` are all of them, the partition's first; `names` are their names.
    """

    partition: tuple[KeyAttribute, ...]
    sort: tuple[KeyAttribute, ...]
    attributes: tuple[KeyAttribute, ...] = field(init=False)
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "attributes", self.partition + self.sort)
        object.__setattr__(self, "names", tuple([attribute.name for attribute in self.partition + self.sort]))

    @classmethod
    def of(cls, elements: Iterable[Mapping[str, Any]], types: Mapping[str, str]) -> KeySchema:
        """The schema of a KeySchema list with the types of AttributeDefinitions."""
        partition: list[KeyAttribute] = []
        sort: list[KeyAttribute] = []
        for element in elements:
            attribute = KeyAttribute(element["AttributeName"], types[element["AttributeName"]])
            (partition if element["KeyType"] == "HASH" else sort).append(attribute)
        return cls(tuple(partition), tuple(sort))


def empty_value_fault(value: Value, name: str) -> ValidationException | None:
    """The fault for an empty key value; None when it is not empty."""
    for kind, raw in value.items():
        if not raw and kind in ("S", "B"):
            word = "string" if kind == "S" else "binary"
            return ValidationException(
                "One or more parameter values are not valid. "
                f"The AttributeValue for a key attribute cannot contain an empty {word} value. Key: {name}"
            )
    return None


def size_fault(is_partition: bool) -> ValidationException:
    """The fault for a key value that is too long."""
    if is_partition:
        return invalid(f"Size of hashkey has exceeded the maximum size limit of{MAX_PARTITION_BYTES} bytes")
    return invalid(f"Aggregated size of all range keys has exceeded the size limit of {MAX_SORT_BYTES} bytes")


class TableKey:
    """A table's key, ready for the hot path: checks keys and makes their bytes."""

    __slots__ = ("_both", "partition", "partition_type", "schema", "sort", "sort_type")

    def __init__(self, schema: KeySchema) -> None:
        self.schema = schema
        self.partition = schema.partition[0].name
        self.partition_type = schema.partition[0].type
        self.sort = schema.sort[0].name if schema.sort else None
        self.sort_type = schema.sort[0].type if schema.sort else ""
        self._both = 2 if schema.sort else 1

    def of_key(self, key: Mapping[str, Value]) -> bytes:
        """The bytes of a checked Key parameter; raises ValidationException when it does not fit the schema."""
        if len(key) != self._both:
            raise ValidationException(MISMATCH)
        partition = key.get(self.partition)
        if partition is None or self.partition_type not in partition:
            raise ValidationException(MISMATCH)
        if self.sort is None:
            return self._bytes(partition, None)
        sort = key.get(self.sort)
        if sort is None or self.sort_type not in sort:
            raise ValidationException(MISMATCH)
        return self._bytes(partition, sort)

    def of_item(self, item: Item) -> bytes:
        """The bytes of a checked item's key; raises ValidationException when the item lacks a fitting key."""
        raw = self.found_in(item)
        if raw is None:
            partition = item.get(self.partition)
            if partition is None or self.partition_type not in partition:
                raise self._item_fault(partition, self.partition, self.partition_type)
            raise self._item_fault(item.get(str(self.sort)), str(self.sort), self.sort_type)
        return raw

    def found_in(self, item: Item) -> bytes | None:
        """The same; None when the item lacks a fitting key."""
        partition = item.get(self.partition)
        if partition is None or self.partition_type not in partition:
            return None
        if self.sort is None:
            return self._bytes(partition, None)
        sort = item.get(self.sort)
        if sort is None or self.sort_type not in sort:
            return None
        return self._bytes(partition, sort)

    def _item_fault(self, value: Value | None, name: str, wanted: str) -> ValidationException:
        if value is None:
            return invalid(f"Missing the key {name} in the item")
        return invalid(f"Type mismatch for key {name} expected: {wanted} actual: {av.type_of(value)}")

    def _bytes(self, partition: Value, sort: Value | None) -> bytes:
        raw = keys.scalar_bytes(partition)
        if not raw or len(raw) > MAX_PARTITION_BYTES:
            raise empty_value_fault(partition, self.partition) or size_fault(True)
        if sort is None:
            return keys.partition_prefix(raw)
        tail = keys.scalar_bytes(sort)
        if not tail or len(tail) > MAX_SORT_BYTES:
            raise empty_value_fault(sort, str(self.sort)) or size_fault(False)
        return keys.partition_prefix(raw) + tail

    def key_of(self, item: Item) -> Item:
        """The key attributes of an item."""
        if self.sort is None:
            return {self.partition: item[self.partition]}
        return {self.partition: item[self.partition], self.sort: item[self.sort]}
