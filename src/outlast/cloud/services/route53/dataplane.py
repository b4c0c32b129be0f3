"""The DNS data plane of one Region: the zones compiled, and the door through which the sockets ask (`Names`)."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from outlast.cloud.contract import ActiveFaults
from outlast.cloud.contract.names import Answer, Draw, Question, Rcode, RecordType, WorldMap
from outlast.cloud.services.route53 import dnsnames
from outlast.cloud.services.route53.answers import Knowledge, lookup
from outlast.cloud.services.route53.cloudnames import CloudNames
from outlast.cloud.services.route53.dnsnames import BadName
from outlast.cloud.services.route53.model import Zone
from outlast.cloud.services.route53.tree import Tree

MOST_LOGGED: Final = 10_000
"""Query log lines that wait to be sent; beyond that the oldest are dropped and counted."""

EMPTY: Final = Draw.one(Answer(Rcode.NOERROR))


@dataclass(frozen=True, slots=True)
class LoggedQuery:
    """One query of a zone that keeps a query log."""

    zone_id: str
    at_ms: int
    name: bytes
    type: int
    rcode: Rcode
    tcp: bool
    resolver: str
    subnet: str


class DataPlane:
    """Implements `outlast.cloud.contract.names.Names` for one Region."""

    def __init__(
        self,
        cloud: CloudNames,
        world_map: WorldMap,
        faults: ActiveFaults,
        *,
        healthy: Callable[[str], bool],
        uniform: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        self._zones: dict[str, Zone] = {}
        self._trees: dict[bytes, Tree] = {}
        self.known = Knowledge(self._trees, cloud, world_map, healthy, uniform)
        self._faults = faults
        self._faults_seen = faults.active
        self._emptied: frozenset[bytes] = frozenset()
        self._now_ms = now_ms
        self._generation = 1
        self.queries: Counter[str] = Counter()
        self.logged_zones: frozenset[str] = frozenset()
        self.log_lines: deque[LoggedQuery] = deque(maxlen=MOST_LOGGED)
        self.log_dropped = 0
        self._read_faults()

    # ---- what is served

    def serve(self, zones: Iterable[Zone]) -> None:
        """Answer for exactly these zones."""
        self._zones = {zone.id: zone for zone in zones}
        self._trees.clear()
        for zone in self._zones.values():
            self._plant(zone)
        self._changed()

    def put(self, zone: Zone) -> None:
        """Answer for a zone that is new or changed."""
        self._zones[zone.id] = zone
        self._plant(zone)
        self._changed()

    def drop(self, zone_id: str) -> None:
        """Answer for a zone no longer; an older one of the same name takes its place."""
        zone = self._zones.pop(zone_id, None)
        if zone is None:
            return
        self._trees.pop(zone.name, None)
        for other in self._zones.values():
            if other.name == zone.name:
                self._plant(other)
        self._changed()

    def _plant(self, zone: Zone) -> None:
        """Of zones with the same name the oldest answers: on AWS it would be the one that the parent delegates to."""
        rival = self._trees.get(zone.name)
        if rival is None or rival.zone.id == zone.id or zone.age_key < rival.zone.age_key:
            self._trees[zone.name] = Tree(zone)

    def _changed(self) -> None:
        self.known.cloud.know_servers(
            {server.name: server.region for zone in self._zones.values() for server in zone.servers}
        )
        self.touch()

    def touch(self) -> None:
        """Earlier answers may be wrong now."""
        self._generation += 1

    def version(self, zone_id: str) -> int:
        """The version of the zone that is answered from; 0 when it is not served here."""
        zone = self._zones.get(zone_id)
        return 0 if zone is None else zone.version

    def tree(self, zone_id: str) -> Tree:
        """The zone compiled, whether or not it is the one that answers for its name; raises KeyError."""
        zone = self._zones[zone_id]
        tree = self._trees.get(zone.name)
        return tree if tree is not None and tree.zone is zone else Tree(zone)

    # ---- Names

    @property
    def generation(self) -> int:
        if self._faults.active is not self._faults_seen:
            self._read_faults()
        return self._generation

    def place(self, address: str) -> str:
        return self.known.map.locate(address)[0]

    def lookup(self, question: Question) -> Draw:
        if self._emptied and any(dnsnames.within(question.name, domain) for domain in self._emptied):
            return EMPTY
        return lookup(self.known, question, logged=self.logged_zones.__contains__)

    def count(self, queries: Mapping[str, int]) -> None:
        self.queries.update(queries)

    def log(self, question: Question, answer: Answer) -> None:
        if answer.zone_id is None:
            return
        if len(self.log_lines) == MOST_LOGGED:
            self.log_dropped += 1
        subnet = "-" if question.subnet_bits is None else f"{question.client}/{question.subnet_bits}"
        self.log_lines.append(
            LoggedQuery(
                answer.zone_id,
                self._now_ms(),
                question.name,
                question.type,
                answer.rcode,
                question.tcp,
                question.resolver,
                subnet,
            )
        )

    def _read_faults(self) -> None:
        """The domains whose answers a fault empties: its `names` with everything below, all when it has none."""
        self._faults_seen = self._faults.active
        emptied: set[bytes] = set()
        for fault in self._faults_seen:
            if fault.spec.kind == "dns-empty":
                for name in fault.spec.parameters.get("names") or (".",):
                    with suppress(BadName):
                        emptied.add(dnsnames.wire(str(name)))
        self._emptied = frozenset(emptied)
        self.touch()


def type_name(number: int) -> str:
    """`A`, `TXT`, …; `TYPE123` for one without a name here (RFC 3597)."""
    try:
        return RecordType(number).name
    except ValueError:
        return f"TYPE{number}"
