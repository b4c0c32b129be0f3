"""ProjectionExpression: its grammar, and cutting items down to it.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ProjectionExpressions.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from outlast.cloud.services.dynamodb.expressions.parser import Parser
from outlast.cloud.services.dynamodb.expressions.tree import PathParts
from outlast.cloud.services.dynamodb.expressions.updates import path_clash
from outlast.cloud.services.dynamodb.values import Item, Value

RANKS = ("reserved", "index", "depth", "name", "overlap", "conflict")
Branch = dict[str | int, Any]


class ProjectionParser(Parser):
    """Parses one projection; afterwards `paths` and `projection` are there."""

    def __init__(self, text: str, names: Mapping[str, str]) -> None:
        super().__init__(text, "ProjectionExpression", names)
        while True:
            self.path()
            if not self.accept(","):
                break
        for place, path in enumerate(self.paths):
            for other in self.paths[:place]:
                clash = path_clash(other, path)
                if clash is not None:
                    self.note(*clash)
        self.finish(RANKS)
        self.projection = Projection(self.paths)


class Projection:
    """A set of document paths as a tree, ready to cut items down to.

    `heads` are the top-level attributes. Elements of lists come out packed, in the order of their indexes.
    """

    __slots__ = ("_flat", "_tree", "heads")

    def __init__(self, paths: Iterable[PathParts]) -> None:
        self._tree: Branch = {}
        found = list(paths)
        for path in found:
            branch = self._tree
            for part in path[:-1]:
                branch = branch.setdefault(part, {})
                if branch is None:
                    break
            else:
                branch[path[-1]] = None
        self.heads = tuple(str(head) for head in self._tree)
        self._flat = all(branch is None for branch in self._tree.values())

    def of(self, item: Item) -> Item:
        """The part of the item that the paths reach; a new top level, shared values."""
        if self._flat:
            return {name: item[name] for name in self.heads if name in item}
        found: Item = {}
        for name, branch in self._tree.items():
            value = item.get(name)  # type: ignore[arg-type]
            if value is not None:
                cut = value if branch is None else _cut(value, branch)
                if cut is not None:
                    found[str(name)] = cut
        return found


def _cut(value: Value, branch: Branch) -> Value | None:
    """What the branch reaches inside a map or a list, or None."""
    members = value.get("M")
    if members is not None:
        kept = {}
        for name, below in branch.items():
            if isinstance(name, str) and name in members:
                cut = members[name] if below is None else _cut(members[name], below)
                if cut is not None:
                    kept[name] = cut
        return {"M": kept} if kept else None
    elements = value.get("L")
    if elements is not None:
        chosen = []
        for index in sorted(part for part in branch if isinstance(part, int)):
            if index < len(elements):
                below = branch[index]
                cut = elements[index] if below is None else _cut(elements[index], below)
                if cut is not None:
                    chosen.append(cut)
        return {"L": chosen} if chosen else None
    return None
