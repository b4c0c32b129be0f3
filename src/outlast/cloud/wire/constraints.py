"""Constraints of the model, checked and worded as AWS words them.

"2 validation errors detected: Value 'x' at 'tableName' failed to satisfy constraint: Member must have length greater
than or equal to 3; Value null at 'key' failed to satisfy constraint: Member must not be null". See
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/CommonErrors.html (ValidationError). At most ten are
reported. botocore itself checks no maximum, pattern or enumeration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from outlast.cloud.wire import timestamps
from outlast.cloud.wire.patterns import MAX_CHECKED_LENGTH, matcher

Check = Callable[[Any, str, list[str]], None]
Show = Callable[[Any], str]
Rule = tuple[Callable[[Any], bool], str]
"""A test that a good value passes, and what AWS says when it does not."""
Rules = tuple[Rule, ...]
MAX_REPORTED = 10
_ORDERS: Mapping[frozenset[str], tuple[str, ...]] = {
    frozenset(order): order
    for order in (
        ("ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"),
        ("B", "N", "S"),
        ("SIZE", "NONE"),
        ("Tail", "None"),
        ("SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"),
        ("OR", "AND"),
        ("ALL", "INCLUDE", "KEYS_ONLY"),
        (
            "IN",
            "NULL",
            "BETWEEN",
            "LT",
            "NOT_CONTAINS",
            "EQ",
            "GT",
            "NOT_NULL",
            "NE",
            "LE",
            "BEGINS_WITH",
            "GE",
            "CONTAINS",
        ),
    )
}
"""Enumerations that AWS lists in another order than its model."""
_PRESENT: Rules = ((lambda _: True, "Member must not be null"),)
_OWN_WORDS = frozenset({"AttributeName"})
"""Shapes whose lengths DynamoDB's operations check, and word, themselves."""


def report(violations: list[str]) -> str:
    """The message for the violations found."""
    shown = violations[:MAX_REPORTED]
    plural = "" if len(shown) == 1 else "s"
    return f"{len(shown)} validation error{plural} detected: {'; '.join(shown)}"


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]


class Checks:
    """Compiles shapes to checks; None where a shape constrains nothing."""

    def __init__(self, opaque: frozenset[str], shape_for: Callable[[str], Shape]) -> None:
        self._opaque = opaque
        self._shape_for = shape_for
        self._structures: dict[str, Check | None] = {}
        self.skipped_patterns: set[str] = set()

    def of(self, shape: Shape) -> Check | None:
        """The check of one shape."""
        if shape.name in self._opaque or shape.metadata.get("document"):
            return None
        if isinstance(shape, StructureShape):
            return self._structure(shape)
        if isinstance(shape, ListShape):
            return self._list(shape)
        if isinstance(shape, MapShape):
            return self._map(shape)
        return _report_with(self.rules(shape), self._shown(shape))

    def _structure(self, shape: StructureShape) -> Check | None:
        if shape.name in self._structures:
            return self._structures[shape.name]
        cell: list[Check | None] = []

        def later(value: Any, path: str, found: list[str]) -> None:
            check = cell[0]
            if check is not None:
                check(value, path, found)

        self._structures[shape.name] = later
        made = self._members(shape)
        cell.append(made)
        self._structures[shape.name] = made
        return made

    def _members(self, shape: StructureShape) -> Check | None:
        required = frozenset(shape.required_members)
        rows = []
        for name, member in shape.members.items():
            check = self.of(member)
            if check is not None or name in required:
                rows.append((name, _lower_first(name), name in required, check))
        if not rows:
            return None

        def members(value: Any, path: str, found: list[str]) -> None:
            for name, step, needed, check in rows:
                item = value.get(name)
                if item is None:
                    if needed:
                        found.append(_null(path + step))
                elif check is not None:
                    check(item, path + step, found)

        def structure(value: Any, path: str, found: list[str]) -> None:
            members(value, f"{path}." if path else "", found)

        return structure

    def _list(self, shape: ListShape) -> Check | None:
        own = _report_with(self.rules(shape), self._shown(shape))
        if shape.member.type_name in ("structure", "list", "map"):
            return _both(own, _each(self.of(shape.member)))
        if shape.member.name in self._opaque:
            return own
        return _both(own, _members_of(self.rules(shape.member) or _PRESENT, self._shown(shape), "Member"))

    def _map(self, shape: MapShape) -> Check | None:
        own = _report_with(self.rules(shape), self._shown(shape))
        check = _both(own, _members_of(self.rules(shape.key), self._shown(shape), "Map keys"))
        if shape.value.name in self._opaque:
            return check
        if shape.value.type_name in ("structure", "list", "map"):
            return _both(check, _each_value(self.of(shape.value)))
        return _both(check, _members_of(self.rules(shape.value), self._shown(shape), "Map value"))

    def rules(self, shape: Shape) -> Rules:
        """What a value of the shape itself must satisfy, its members apart."""
        if shape.name in _OWN_WORDS:
            return ()
        metadata = shape.metadata
        rules: list[Rule] = []
        if shape.type_name in ("string", "blob", "list", "map"):
            rules += _lengths(metadata.get("min"), metadata.get("max"))
        elif shape.type_name in ("integer", "long", "float", "double"):
            rules += _ranges(metadata.get("min"), metadata.get("max"))
        if metadata.get("enum"):
            rules.append(_enum(tuple(metadata["enum"])))
        if metadata.get("pattern") and shape.type_name == "string":
            rules += self._pattern(str(metadata["pattern"]))
        return tuple(rules)

    def _shown(self, shape: Shape) -> Show:
        """How a value of the shape stands in a message; sensitive values do not. Compiled when first needed."""
        if shape.metadata.get("sensitive"):
            return lambda value: ""
        shape_for, name = self._shape_for, shape.name
        return lambda value: f" '{_java(shape_for(name), 0)(value)}'"

    def _pattern(self, pattern: str) -> list[Rule]:
        matches = matcher(pattern)
        if matches is None:
            self.skipped_patterns.add(pattern)
            return []

        def good(value: Any) -> bool:
            return len(value) > MAX_CHECKED_LENGTH or matches(value) is not None

        return [(good, f"Member must satisfy regular expression pattern: {pattern}")]


def _lengths(low: Any, high: Any) -> list[Rule]:
    rules: list[Rule] = []
    if high is not None:
        rules.append((lambda value: len(value) <= high, f"Member must have length less than or equal to {high}"))
    if low:
        rules.append((lambda value: len(value) >= low, f"Member must have length greater than or equal to {low}"))
    return rules


def _ranges(low: Any, high: Any) -> list[Rule]:
    rules: list[Rule] = []
    if high is not None:
        rules.append((lambda value: value <= high, f"Member must have value less than or equal to {high}"))
    if low is not None:
        rules.append((lambda value: value >= low, f"Member must have value greater than or equal to {low}"))
    return rules


def _enum(values: tuple[str, ...]) -> Rule:
    allowed = frozenset(values)
    shown = ", ".join(_ORDERS.get(allowed, values))
    return allowed.__contains__, f"Member must satisfy enum value set: [{shown}]"


def _null(path: str) -> str:
    return f"Value null at '{path}' failed to satisfy constraint: Member must not be null"


def _report_with(rules: Rules, show: Show) -> Check | None:
    if not rules:
        return None

    def check(value: Any, path: str, found: list[str]) -> None:
        for good, text in rules:
            if not good(value):
                found.append(f"Value{show(value)} at '{path}' failed to satisfy constraint: {text}")

    return check


def _both(first: Check | None, second: Check | None) -> Check | None:
    if first is None or second is None:
        return first or second

    def check(value: Any, path: str, found: list[str]) -> None:
        first(value, path, found)
        second(value, path, found)

    return check


def _each(check: Check | None) -> Check | None:
    if check is None:
        return None

    def items(value: Any, path: str, found: list[str]) -> None:
        before = len(found)
        for number, item in enumerate(value, 1):
            if item is not None:
                check(item, "", found)
                if len(found) == before:  # most are good: their places need no names
                    continue
            del found[before:]
            if item is None:
                found.append(_null(f"{path}.{number}.member"))
            else:
                check(item, f"{path}.{number}.member", found)
            before = len(found)
            if before >= MAX_REPORTED:
                return

    return items


def _each_value(check: Check | None) -> Check | None:
    if check is None:
        return None

    def entries(value: Any, path: str, found: list[str]) -> None:
        for key, item in value.items():
            if item is None:
                found.append(_null(f"{path}.{key}.member"))
            else:
                check(item, f"{path}.{key}.member", found)
            if len(found) >= MAX_REPORTED:
                return

    return entries


def _members_of(rules: Rules, show: Show, subject: str) -> Check | None:
    """One violation on the collection that lists every constraint its scalars must meet, as AWS does."""
    if not rules:
        return None
    texts = ", ".join(text for _, text in rules)

    def check(value: Any, path: str, found: list[str]) -> None:
        items = value.values() if subject == "Map value" else value
        for item in items:
            if item is None or not all(good(item) for good, _ in rules):
                found.append(
                    f"Value{show(value)} at '{path}' failed to satisfy constraint: "
                    f"{subject} must satisfy constraint: [{texts}]"
                )
                return

    return check


def _java(shape: Shape, depth: int) -> Show:
    """Java's toString of the value; within what is opaque, nobody has checked that it has its shape."""
    if shape.metadata.get("sensitive"):
        return lambda value: "*** Sensitive Data Redacted ***"
    if shape.type_name == "timestamp":
        return timestamps.iso8601
    if depth < 6 and isinstance(shape, ListShape):
        item = _nullable(_java(shape.member, depth + 1))
        return lambda value: (
            f"[{', '.join(item(entry) for entry in value)}]" if isinstance(value, list) else _java_scalar(value)
        )
    if depth < 6 and isinstance(shape, MapShape):
        entry = _nullable(_java(shape.value, depth + 1))
        return lambda value: (
            "{" + ", ".join(f"{key}={entry(item)}" for key, item in value.items()) + "}"
            if isinstance(value, dict)
            else _java_scalar(value)
        )
    if depth < 6 and isinstance(shape, StructureShape):
        return _java_structure(shape, depth)
    return _java_scalar


def _java_structure(shape: StructureShape, depth: int) -> Show:
    owner = shape.name
    members = [
        (name, _lower_first(name), _nullable(_java(member, depth + 1))) for name, member in shape.members.items()
    ]

    def show(value: Any) -> str:
        if not isinstance(value, dict):
            return _java_scalar(value)
        parts = (f"{label}={item(value.get(name))}" for name, label, item in members)
        return f"{owner}({', '.join(parts)})"

    return show


def _nullable(show: Show) -> Show:
    return lambda value: "null" if value is None else show(value)


def _java_scalar(value: Any) -> str:
    if isinstance(value, bytes):
        return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        return str(value)
    except RecursionError:
        return "..."
