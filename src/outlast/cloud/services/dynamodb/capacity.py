"""Capacity units, as arithmetic.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

READ_BYTES = 4096
WRITE_BYTES = 1024


def read_units(size: int, consistent: bool) -> float:
    """Units for reading `size` bytes in one piece; half for eventually consistent reads."""
    units = (size + READ_BYTES - 1) // READ_BYTES or 1
    return float(units) if consistent else units / 2


def write_units(size: int) -> float:
    """Units for writing an item of `size` bytes, at least one."""
    return float((size + WRITE_BYTES - 1) // WRITE_BYTES or 1)


@dataclass(slots=True)
class Consumed:
    """What one request consumed of one table: the table's own units and those of its indexes."""

    table_name: str
    table: float = 0.0
    global_indexes: dict[str, float] = field(default_factory=dict)
    local_indexes: dict[str, float] = field(default_factory=dict)
    reads: bool = False
    transactional: bool = False

    @property
    def total(self) -> float:
        """All units."""
        return self.table + sum(self.global_indexes.values()) + sum(self.local_indexes.values())

    def merge(self, other: Consumed) -> None:
        """Add another request's units."""
        self.table += other.table
        for mine, theirs in (
            (self.global_indexes, other.global_indexes),
            (self.local_indexes, other.local_indexes),
        ):
            for name, units in theirs.items():
                mine[name] = mine.get(name, 0.0) + units

    def shown(self, detail: str | None) -> dict[str, Any] | None:
        """ConsumedCapacity for ReturnConsumedCapacity TOTAL or INDEXES; None for NONE."""
        if detail is None or detail == "NONE":
            return None
        shown: dict[str, Any] = {"TableName": self.table_name, **self._units(self.total)}
        if detail == "INDEXES":
            shown["Table"] = self._units(self.table)
            if self.global_indexes:
                shown["GlobalSecondaryIndexes"] = self._each(self.global_indexes)
            if self.local_indexes:
                shown["LocalSecondaryIndexes"] = self._each(self.local_indexes)
        return shown

    def _each(self, units: Mapping[str, float]) -> dict[str, Any]:
        return {name: self._units(amount) for name, amount in units.items()}

    def _units(self, amount: float) -> dict[str, Any]:
        if not self.transactional:
            return {"CapacityUnits": amount}
        return {"CapacityUnits": amount, "ReadCapacityUnits" if self.reads else "WriteCapacityUnits": amount}
