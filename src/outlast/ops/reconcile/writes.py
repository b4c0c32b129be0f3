"""Conditional writes as data: what must still be so, what is changed then. Rendered for DynamoDB at the very end.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from outlast.ops.reconcile.items import Item, Ref, Value

MAX_WRITES: Final = 100
"""Items of one transaction."""


@dataclass(frozen=True, slots=True)
class Term:
    """One attribute: it equals `value`, is there, or is not."""

    name: str
    relation: Literal["equals", "present", "absent"]
    value: Value = field(default_factory=dict)

    def holds(self, item: Item | None) -> bool:
        """Whether it is so."""
        held = (item or {}).get(self.name)
        if self.relation == "equals":
            return held is not None and held == self.value
        return (held is not None) == (self.relation == "present")


@dataclass(frozen=True, slots=True)
class Condition:
    """All of these hold; `negated`: not all of them."""

    terms: tuple[Term, ...]
    negated: bool = False

    def holds(self, item: Item | None) -> bool:
        """Whether it is so; an item that does not exist has no attribute."""
        return all(term.holds(item) for term in self.terms) != self.negated


@dataclass(frozen=True, slots=True)
class Check:
    """An item that must be so, and is not changed."""

    table: str
    key: str
    ref: Ref
    condition: Condition


@dataclass(frozen=True, slots=True)
class Update:
    """An item that is changed if the condition holds. Never a whole item; never a deletion."""

    table: str
    key: str
    ref: Ref
    condition: Condition
    sets: Mapping[str, Value] = field(default_factory=dict)
    removes: tuple[str, ...] = ()


Write = Check | Update


@dataclass(frozen=True, slots=True)
class Repair:
    """Writes that are made together or not at all."""

    text: str
    writes: tuple[Write, ...]

    def document(self) -> dict[str, Any]:
        """The repair as JSON members."""
        return {
            "text": self.text,
            "writes": [{"kind": type(write).__name__.lower(), **asdict(write)} for write in self.writes],
        }


def render(repair: Repair) -> list[dict[str, Any]]:
    """The TransactItems of a repair."""
    return [_check(write) if isinstance(write, Check) else _update(write) for write in repair.writes]


class _Names:
    """Placeholders for names and values of one expression."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.values: dict[str, Value] = {}

    def name(self, name: str) -> str:
        for known, meant in self.names.items():
            if meant == name:
                return known
        placeholder = f"#n{len(self.names)}"
        self.names[placeholder] = name
        return placeholder

    def value(self, value: Value) -> str:
        placeholder = f":v{len(self.values)}"
        self.values[placeholder] = value
        return placeholder

    def condition(self, condition: Condition) -> str:
        text = " AND ".join(self._term(term) for term in condition.terms)
        return f"NOT ({text})" if condition.negated else text

    def _term(self, term: Term) -> str:
        if term.relation == "equals":
            return f"{self.name(term.name)} = {self.value(term.value)}"
        function = "attribute_exists" if term.relation == "present" else "attribute_not_exists"
        return f"{function}({self.name(term.name)})"

    def members(self) -> dict[str, Any]:
        found: dict[str, Any] = {"ExpressionAttributeNames": self.names}
        return {**found, "ExpressionAttributeValues": self.values} if self.values else found


def _check(check: Check) -> dict[str, Any]:
    names = _Names()
    condition = names.condition(check.condition)
    return {
        "ConditionCheck": {
            "TableName": check.table,
            "Key": {check.key: check.ref.value},
            "ConditionExpression": condition,
            **names.members(),
        }
    }


def _update(update: Update) -> dict[str, Any]:
    names = _Names()
    parts = []
    if update.sets:
        changes = ", ".join(f"{names.name(name)} = {names.value(value)}" for name, value in update.sets.items())
        parts.append(f"SET {changes}")
    if update.removes:
        parts.append(f"REMOVE {', '.join(names.name(name) for name in update.removes)}")
    condition = names.condition(update.condition)
    return {
        "Update": {
            "TableName": update.table,
            "Key": {update.key: update.ref.value},
            "UpdateExpression": " ".join(parts),
            "ConditionExpression": condition,
            **names.members(),
        }
    }
