"""What a statement says, with its parameters bound."""

from __future__ import annotations

from dataclasses import dataclass

from outlast.cloud.services.dynamodb.expressions.tree import Action, Condition, PathParts
from outlast.cloud.services.dynamodb.values import Item


@dataclass(frozen=True, slots=True)
class Select:
    """SELECT: `paths` is None for *; `called` is the fault of a function in their place."""

    table: str
    index: str | None
    paths: tuple[PathParts, ...] | None
    where: Condition | None
    order: tuple[tuple[str, bool], ...]
    called: str | None = None


@dataclass(frozen=True, slots=True)
class Insert:
    """INSERT INTO table VALUE item."""

    table: str
    item: Item


@dataclass(frozen=True, slots=True)
class Update:
    """UPDATE table SET … REMOVE … WHERE …; `returning` is such as ALL NEW."""

    table: str
    actions: tuple[Action, ...]
    where: Condition | None
    returning: str | None


@dataclass(frozen=True, slots=True)
class Delete:
    """DELETE FROM table WHERE …."""

    table: str
    where: Condition | None
    returning: str | None


@dataclass(frozen=True, slots=True)
class Exists:
    """EXISTS(SELECT …): a condition of a transaction."""

    select: Select


Statement = Select | Insert | Update | Delete | Exists
