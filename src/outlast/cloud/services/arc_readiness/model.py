"""Cells, recovery groups, resource sets and readiness checks as frozen values.

https://docs.aws.amazon.com/r53recovery/latest/dg/introduction-components-readiness.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar


def _nothing() -> dict[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Cell:
    """A replica of the application: a Region, or a part of one. `cells` are the ARNs of those nested in it."""

    kind: ClassVar[str] = "cell"
    name: str
    cells: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class Group:
    """The application: a recovery group of cells."""

    kind: ClassVar[str] = "recovery-group"
    name: str
    cells: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class Part:
    """One resource of a set: an ARN or, for a DNS target, `target` under a generated id. `scopes` are ARNs."""

    id: str
    arn: str = ""
    scopes: tuple[str, ...] = ()
    target: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ResourceSet:
    """Resources of one type, one in each cell or so."""

    kind: ClassVar[str] = "resource-set"
    name: str
    type: str
    parts: tuple[Part, ...]
    tags: Mapping[str, str] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class Check:
    """A readiness check of one resource set."""

    kind: ClassVar[str] = "readiness-check"
    name: str
    resource_set: str
    tags: Mapping[str, str] = field(default_factory=_nothing)


Thing = Cell | Group | ResourceSet | Check
_KINDS: Mapping[str, type[Thing]] = {each.kind: each for each in (Cell, Group, ResourceSet, Check)}


def revive(kind: str, document: Mapping[str, Any]) -> Thing:
    """The value of a document on the shelf."""
    fields: dict[str, Any] = {}
    for name, value in document.items():
        fields[name] = tuple(value) if isinstance(value, list) else value
    if "parts" in fields:
        fields["parts"] = tuple(Part(**{**part, "scopes": tuple(part["scopes"])}) for part in fields["parts"])
    return _KINDS[kind](**fields)
