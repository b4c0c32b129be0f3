"""REST routes: method and compiled URI template to an operation; the most specific wins.

A node of the tree is a path segment: literal children before a label, a label before a greedy label. Among the
operations of one path, query literals of the template (`?tagging`) decide, then required query and header members
(S3 tells UploadPart from PutObject, and CopyObject from both, only so).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from outlast.cloud.wire.messages import WireError


@dataclass(frozen=True, slots=True)
class Target:
    """One operation at the end of a path."""

    name: str
    labels: tuple[str, ...]
    literals: tuple[tuple[str, str | None], ...]
    queries: tuple[str, ...]
    headers: tuple[str, ...]

    def rank(self, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[bool, int, int] | None:
        """How well the request fits, or None when a query literal is missing. Larger is better."""
        for key, value in self.literals:
            if key not in query or (value is not None and query[key] != value):
                return None
        met = sum(key in query for key in self.queries) + sum(key in headers for key in self.headers)
        wanted = len(self.queries) + len(self.headers)
        return (met == wanted, len(self.literals), met if met == wanted else -wanted)


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    label: _Node | None = None
    greedy: _Node | None = None
    targets: dict[str, list[Target]] = field(default_factory=dict)


def query_pairs(text: str) -> dict[str, str]:
    """The last value of every query parameter; raises WireError."""
    if not text:
        return {}
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=1000))
    except ValueError as error:
        raise WireError("MalformedQueryString", "The query string is malformed.") from error


class Routes:
    """The REST operations of one service."""

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, name: str, method: str, uri: str, queries: tuple[str, ...], headers: tuple[str, ...]) -> None:
        """Add an operation; `queries` and `headers` are the wire names of its required members bound there."""
        path, _, query = uri.partition("?")
        node = self._root
        labels = []
        for segment in _split(path):
            if segment.startswith("{") and segment.endswith("+}"):
                labels.append(segment[1:-2])
                node.greedy = node = node.greedy or _Node()
            elif segment.startswith("{") and segment.endswith("}"):
                labels.append(segment[1:-1])
                node.label = node = node.label or _Node()
            elif "{" in segment:
                raise ValueError(f"{name}: {uri} has a label within a segment")
            else:
                node = node.literals.setdefault(segment, _Node())
        literals = tuple(
            (key, value if given else None)
            for key, given, value in (part.partition("=") for part in query.split("&") if part)
        )
        node.targets.setdefault(method, []).append(Target(name, tuple(labels), literals, queries, headers))

    def find(self, method: str, path: str, query: str, headers: Mapping[str, str]) -> tuple[str, dict[str, str]] | None:
        """The operation's name and the labels' values, percent-decoded; None when nothing fits."""
        pairs = query_pairs(query)
        trimmed = path[1:] if path.startswith("/") else path
        return _descend(self._root, trimmed.split("/"), 0, [], (method, pairs, headers))


def _split(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]


_Wanted = tuple[str, Mapping[str, str], Mapping[str, str]]


def _descend(
    node: _Node, segments: list[str], at: int, captured: list[str], wanted: _Wanted
) -> tuple[str, dict[str, str]] | None:
    if at == len(segments) or (at == len(segments) - 1 and not segments[at]):
        found = _choose(node, captured, wanted)
        if found is not None or at == len(segments):
            return found
    segment = segments[at]
    child = node.literals.get(segment)
    if child is not None:
        found = _descend(child, segments, at + 1, captured, wanted)
        if found is not None:
            return found
    if node.label is not None and segment:
        found = _descend(node.label, segments, at + 1, [*captured, segment], wanted)
        if found is not None:
            return found
    if node.greedy is not None:
        rest = "/".join(segments[at:])
        if rest:
            return _choose(node.greedy, [*captured, rest], wanted)
    return None


def _choose(node: _Node, captured: list[str], wanted: _Wanted) -> tuple[str, dict[str, str]] | None:
    method, query, headers = wanted
    best: Target | None = None
    best_rank: tuple[bool, int, int] | None = None
    for target in node.targets.get(method, ()):
        rank = target.rank(query, headers)
        if rank is not None and (best_rank is None or rank > best_rank):
            best, best_rank = target, rank
    if best is None:
        return None
    return best.name, {label: unquote(text) for label, text in zip(best.labels, captured, strict=True)}
