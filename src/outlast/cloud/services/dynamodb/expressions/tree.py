"""What an expression means: conditions, operands, paths and update actions, with all names resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PathParts = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """A document path: attribute names and list indexes."""

    parts: PathParts


@dataclass(frozen=True, slots=True)
class ValueRef:
    """A `:value` that each call binds."""

    name: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written into the tree itself, by a legacy parameter or PartiQL."""

    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Size:
    """The function size(operand)."""

    operand: Operand


@dataclass(frozen=True, slots=True)
class IfNotExists:
    """The function if_not_exists(path, operand)."""

    path: Path
    otherwise: Operand


@dataclass(frozen=True, slots=True)
class ListAppend:
    """The function list_append(first, second)."""

    first: Operand
    second: Operand


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """left + right, or left - right."""

    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class SetChange:
    """PartiQL's set_add and set_delete."""

    function: str
    path: Path
    members: Operand


Operand = Path | ValueRef | Literal | Size | IfNotExists | ListAppend | Arithmetic | SetChange


@dataclass(frozen=True, slots=True)
class Compare:
    """left operator right, with = <> < <= > >=."""

    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Between:
    """operand BETWEEN low AND high."""

    operand: Operand
    low: Operand
    high: Operand


@dataclass(frozen=True, slots=True)
class In:
    """operand IN (options)."""

    operand: Operand
    options: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Predicate:
    """attribute_exists, attribute_not_exists, attribute_type, begins_with or contains."""

    function: str
    arguments: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class All:
    """Every term holds."""

    terms: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one term holds."""

    terms: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The term does not hold."""

    term: Condition


Condition = Compare | Between | In | Predicate | All | AnyOf | Not
CONDITIONS = (Compare, Between, In, Predicate, All, AnyOf, Not)


@dataclass(frozen=True, slots=True)
class Assign:
    """SET path = operand."""

    path: PathParts
    operand: Operand


@dataclass(frozen=True, slots=True)
class Remove:
    """REMOVE path."""

    path: PathParts


@dataclass(frozen=True, slots=True)
class Add:
    """ADD path value."""

    path: PathParts
    operand: Operand


@dataclass(frozen=True, slots=True)
class Discard:
    """DELETE path set."""

    path: PathParts
    operand: Operand


Action = Assign | Remove | Add | Discard


def path_text(parts: PathParts) -> str:
    """A path as AWS's messages show it: [a, [0], b]."""
    return "[" + ", ".join(f"[{part}]" if isinstance(part, int) else part for part in parts) + "]"


def all_of(terms: list[Condition]) -> Condition:
    """The terms joined by AND, nested conjunctions flattened."""
    flat: list[Condition] = []
    for term in terms:
        flat.extend(term.terms if isinstance(term, All) else (term,))
    return flat[0] if len(flat) == 1 else All(tuple(flat))


def any_of(terms: list[Condition]) -> Condition:
    """The terms joined by OR, nested disjunctions flattened."""
    flat: list[Condition] = []
    for term in terms:
        flat.extend(term.terms if isinstance(term, AnyOf) else (term,))
    return flat[0] if len(flat) == 1 else AnyOf(tuple(flat))


def negate(term: Condition) -> Condition:
    """The term turned round; two negations vanish."""
    return term.term if isinstance(term, Not) else Not(term)
