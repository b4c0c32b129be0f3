"""The alternatives of a SELECT: each is a read by key of its own, and no two may reach the same keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import keys
from outlast.cloud.services.dynamodb.expressions.keyconditions import KeyRange, KeyTest, index_range, table_range
from outlast.cloud.services.dynamodb.expressions.tree import All, AnyOf, Compare, Condition, In, Not, Path
from outlast.cloud.services.dynamodb.partiql.planning import attributes_of, key_test, terms
from outlast.cloud.services.dynamodb.schema import KeyAttribute, KeySchema
from outlast.cloud.services.dynamodb.values import ordering

OVERLAP = "Overlapping conditions with range keys are not supported in where clause"
TOO_MANY = "Too many decomposed read operations for a given query."
MAX_READS = 50
_MOST = 10_000
"""No more alternatives than these are spelled out."""

Branch = tuple[Condition, ...]


def keyed_branches(schema: KeySchema, where: Condition | None, is_index: bool) -> list[Branch] | None:
    """The alternatives, in the order of their partitions, when each pins one; None when a scan is needed.

    Raises ValidationException for too many, for keys of the wrong type, and for two that overlap.
    """
    if where is None:
        return None
    branches = _spelled_out(where, schema.names) if _has_alternatives(where) else [terms(where)]
    pins = [_pins(schema, branch) for branch in branches]
    if not all(pins):
        return None
    if len(branches) > MAX_READS:
        raise ValidationException(TOO_MANY)
    for branch in branches:
        for attribute in (*schema.partition, *schema.sort):
            _check_types(attribute, branch)
    if len(branches) == 1:
        return branches
    _check_overlaps([_span(schema, branch, is_index) for branch in branches])
    return sorted(branches, key=lambda branch: _place(schema, branch))


def ordered_ranges(
    schema: KeySchema, branches: list[Branch], ranges_of: Callable[[Branch], Iterable[KeyRange]], reverse: bool
) -> list[list[KeyRange]]:
    """What the alternatives read, partition by partition; the ranges of each do not overlap and lie in key order."""
    found = []
    for _, group in groupby(branches, lambda branch: _place(schema, branch)):
        spans = joined(span for branch in group for span in ranges_of(branch))
        found.append(spans[::-1] if reverse else spans)
    return found


def _place(schema: KeySchema, branch: Branch) -> bytes:
    return keys.scalar_bytes(_pins(schema, branch)[0].values[0])


def joined(spans: Iterable[KeyRange]) -> list[KeyRange]:
    """The same keys in ranges that do not overlap, in key order."""
    found: list[KeyRange] = []
    for span in sorted(spans, key=lambda each: each.start):
        last = found[-1] if found else None
        if last is None or (last.end is not None and last.end <= span.start):
            found.append(span)
        elif last.end is not None and (span.end is None or span.end > last.end):
            found[-1] = KeyRange(last.start, span.end)
    return found


def absent_attributes(branches: list[Branch], held: frozenset[str]) -> list[str]:
    """What the last alternative looks at and an index does not hold; nothing when another one needs nothing more."""
    absent: list[str] = []
    for branch in branches:
        absent = list(dict.fromkeys(name for term in branch for name in attributes_of(term) if name not in held))
        if not absent:
            return []
    size = 16
    while len(absent) > size * 3 // 4:
        size *= 2
    return sorted(absent, key=lambda name: _spread(name) % size)


def _spread(name: str) -> int:
    """Where AWS's set of names keeps a name."""
    found = 0
    for unit in memoryview(name.encode("utf-16-le", "surrogatepass")).cast("H"):
        found = (31 * found + unit) & 0xFFFFFFFF
    return found ^ (found >> 16)


def _has_alternatives(node: Condition) -> bool:
    if isinstance(node, All):
        return any(map(_has_alternatives, node.terms))
    return isinstance(node, (AnyOf, In))


def _spelled_out(node: Condition, names: tuple[str, ...]) -> list[Branch]:
    """The alternatives of a condition that a key decides, each as the terms that must hold together."""
    found: list[Branch]
    if isinstance(node, AnyOf) and not set(names).isdisjoint(attributes_of(node)):
        found = [branch for term in node.terms for branch in _spelled_out(term, names)]
    elif isinstance(node, All):
        found = [()]
        for term in node.terms:
            more = _spelled_out(term, names)
            if len(found) * len(more) > _MOST:
                raise ValidationException(TOO_MANY)
            found = [(*branch, *rest) for branch in found for rest in more]
    elif isinstance(node, In) and isinstance(node.operand, Path) and node.operand.parts[0] in names:
        found = [(Compare("=", node.operand, option),) for option in node.options]
    else:
        found = [(node,)]
    return found


def _pins(schema: KeySchema, branch: Branch) -> list[KeyTest]:
    return [test for test in _tests(branch, schema.partition[0]) if test.operator == "="]


def _check_types(attribute: KeyAttribute, branch: Branch) -> None:
    for test in _tests(branch, attribute):
        if any(attribute.type not in value for value in test.values):
            raise ValidationException(
                f"Key attribute's data type should match its data type in table's schema: Key {attribute.name}"
            )


def _check_overlaps(spans: list[KeyRange | None]) -> None:
    reach = b""
    for span in sorted((span for span in spans if span is not None), key=lambda span: span.start):
        if span.start < reach:
            raise ValidationException(OVERLAP)
        reach = max(reach, span.end or span.start)


def _span(schema: KeySchema, branch: Branch, is_index: bool) -> KeyRange | None:
    """The keys that an alternative reads; None when there are none, or when they are no plain range."""
    first, *others = _pins(schema, branch)
    sort = schema.sort[0] if schema.sort else None
    if any(other.values != first.values for other in others) or _is_negated(branch, sort):
        return None
    value = first.values[0]
    tests: list[KeyTest | None] = [] if sort is None else list(_tests(branch, sort))
    if any(test is not None and _is_empty(test) for test in tests):
        return None
    ranges = [
        index_range([value], [] if test is None else [test]) if is_index else table_range(value, test, sort is not None)
        for test in tests or [None]
    ]
    start = max(each.start for each in ranges)
    end = min((each.end for each in ranges if each.end is not None), default=None)
    return KeyRange(start, end) if end is None or start < end else None


def _tests(branch: Branch, attribute: KeyAttribute) -> Iterator[KeyTest]:
    for term in branch:
        found = key_test(term)
        if found is not None and found[0] == attribute.name:
            yield found[1]


def _is_negated(branch: Branch, sort: KeyAttribute | None) -> bool:
    """Whether a NOT or <> looks at the sort key: AWS compares no ranges then."""
    return sort is not None and any(
        isinstance(term, Not) or (isinstance(term, Compare) and term.operator == "<>")
        for term in branch
        if sort.name in attributes_of(term)
    )


def _is_empty(test: KeyTest) -> bool:
    return test.operator == "BETWEEN" and ordering(test.values[0]) > ordering(test.values[1])
