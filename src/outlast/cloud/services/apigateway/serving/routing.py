"""Which resource of an API a path means.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-settings-method-request.html: a path
part as it stands comes before `{name}`, and that before `{name+}`, which takes all that is left.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

ANY: Final = "ANY"


@dataclass(slots=True)
class _Node:
    exact: dict[str, _Node] = field(default_factory=dict)
    named: list[tuple[str, _Node]] = field(default_factory=list)
    greedy: list[tuple[str, str]] = field(default_factory=list)
    resource: str | None = None


def parts_of(path: str) -> list[str]:
    """The parts between slashes; a slash at the end counts for nothing."""
    return [part for part in path.strip("/").split("/") if part] if path.strip("/") else []


class Routes:
    """The resources of one deployment by their paths."""

    __slots__ = ("_root",)

    def __init__(self, resources: Iterable[tuple[str, str]]) -> None:
        """`resources` are (path template, resource id)."""
        self._root = _Node()
        for path, resource in resources:
            self._add(parts_of(path), resource)

    def _add(self, parts: list[str], resource: str) -> None:
        node = self._root
        for part in parts:
            if part.startswith("{") and part.endswith("+}"):
                node.greedy.append((part[1:-2], resource))
                return
            if part.startswith("{") and part.endswith("}"):
                name = part[1:-1]
                known = next((child for each, child in node.named if each == name), None)
                if known is None:
                    known = _Node()
                    node.named.append((name, known))
                node = known
            else:
                node = node.exact.setdefault(part, _Node())
        node.resource = resource

    def find(self, path: str) -> tuple[str, dict[str, str]] | None:
        """The resource id and the path parameters (decoded), or None. `path` is raw and starts with a slash."""
        return _find(self._root, parts_of(path), 0)


def _find(node: _Node, parts: list[str], at: int) -> tuple[str, dict[str, str]] | None:
    if at == len(parts):
        return None if node.resource is None else (node.resource, {})
    child = node.exact.get(parts[at])
    if child is not None and (found := _find(child, parts, at + 1)) is not None:
        return found
    for name, child in node.named:
        if (found := _find(child, parts, at + 1)) is not None:
            found[1][name] = unquote(parts[at])
            return found
    for name, resource in node.greedy:
        return resource, {name: unquote("/".join(parts[at:]))}
    return None
