"""A hosted zone compiled for answering: what is at a name, below it, or covered by a wildcard. Pure.

Wildcards follow RFC 4592: only the asterisk at the closest encloser counts, and a name that exists, be it only because
something is below it, is never covered by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from outlast.cloud.services.route53 import dnsnames
from outlast.cloud.services.route53.dnsnames import WILDCARD
from outlast.cloud.services.route53.model import RecordSet, Zone

Group = tuple[RecordSet, ...]
"""All record sets of one name and type; they share a routing policy."""

Node = Mapping[str, Group]
"""What is at one name, by type; empty for a name that exists only because of those below it."""

EMPTY: Final[Node] = {}


@dataclass(frozen=True, slots=True)
class Found:
    """Where a name leads: `node` is None when the name does not exist; `cut` is the delegation that takes it away."""

    node: Node | None
    cut: Group = ()


class Tree:
    """One zone by name."""

    __slots__ = ("_has_wildcards", "_nodes", "delegated", "soa", "zone")

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        nodes: dict[bytes, dict[str, list[RecordSet]]] = {}
        for record in zone.ordered:
            nodes.setdefault(record.name, {}).setdefault(record.type, []).append(record)
        for name in tuple(nodes):
            above = name
            while len(above) > len(zone.name):
                above = dnsnames.parent(above)
                nodes.setdefault(above, {})
        self._nodes: dict[bytes, Node] = {
            name: {kind: tuple(group) for kind, group in by_type.items()} for name, by_type in nodes.items()
        }
        self._has_wildcards = any(name.startswith(WILDCARD) for name in nodes)
        self.delegated = frozenset(name for name in nodes if name != zone.name and "NS" in nodes[name])
        self.soa = self._nodes[zone.name]["SOA"][0]

    def group(self, name: bytes, kind: str) -> Group:
        """The record sets exactly at `name`, without wildcards."""
        return self._nodes.get(name, EMPTY).get(kind, ())

    def find(self, name: bytes, kind: str) -> Found:
        """What answers a question for `name`, which lies within the zone."""
        if self.delegated:
            cut = self._cut(name, kind)
            if cut:
                return Found(None, cut)
        node = self._nodes.get(name)
        if node is not None:
            return Found(node)
        if self._has_wildcards:
            above = dnsnames.parent(name)
            while above not in self._nodes:
                above = dnsnames.parent(above)
            return Found(self._nodes.get(WILDCARD + above))
        return Found(None)

    def _cut(self, name: bytes, kind: str) -> Group:
        """The highest delegation at or above `name`; a DS at the cut itself belongs to this side (RFC 4035)."""
        found: Group = ()
        at = name
        while len(at) > len(self.zone.name):
            if at in self.delegated and not (kind == "DS" and at == name):
                found = self._nodes[at]["NS"]
            at = dnsnames.parent(at)
        return found
