"""Route 53 in one Region: what is on its shelves, the data plane made of it, and the health it has concluded.

Zones and health checks are written in the home Region only and spread to every other, which answers and judges from
its own copy, whatever has become of the home Region.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from outlast.cloud.contract import Region, Shelf, catching_up
from outlast.cloud.contract.names import WorldMap
from outlast.cloud.effects import LinkDown, PeerGone
from outlast.cloud.services.route53.cloudnames import CloudNames
from outlast.cloud.services.route53.dataplane import DataPlane
from outlast.cloud.services.route53.errors import NoSuchChange, no_such_check, no_such_zone
from outlast.cloud.services.route53.health import Board
from outlast.cloud.services.route53.model import Check, NameServer, Zone, bare_id
from outlast.cloud.services.route53.probes import EndpointProber, Prober

if TYPE_CHECKING:
    from outlast.cloud.services.route53.catching_up import CatchingUp
    from outlast.cloud.services.route53.gossip import Gossip

HOME: Final = "us-east-1"
VERSIONS_CHANNEL: Final = "route53.versions"
KEPT_CHANGES: Final = 1_000
ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
TOP_DOMAINS: Final = ("com", "net", "org", "co.uk")


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a zone on its way to every Region; `version` 0 means that the zone was deleted."""

    id: str
    zone_id: str
    version: int
    submitted_ms: int
    comment: str = ""
    in_sync: bool = False

    def info(self) -> dict[str, Any]:
        """As the API's ChangeInfo."""
        info: dict[str, Any] = {
            "Id": f"/change/{self.id}",
            "Status": "INSYNC" if self.in_sync else "PENDING",
            "SubmittedAt": self.submitted_ms / 1000,
        }
        return {**info, "Comment": self.comment} if self.comment else info


class State:
    """Everything Route 53 holds in one Region."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.home = str(region.settings.get("control_home", {}).get("route53", HOME))
        self._zone_shelf = Shelf(region, "route53/zones", spread=True)
        self._check_shelf = Shelf(region, "route53/health-checks", spread=True)
        self.log_configs = Shelf(region, "route53/query-logging", spread=True)
        self.shelves_catching_up = catching_up.CatchingUp(
            region, "route53.digests", self.home, {"checks": self._check_shelf, "logging": self.log_configs}
        )
        self._changes = Shelf(region, "route53/changes")
        self._known = Shelf(region, "route53/known-health")
        self.zones: dict[str, Zone] = {}
        self.board = Board(region.name, region.names)
        self.plane = DataPlane(
            CloudNames(region.addresses.hosts, self.home),
            WorldMap(networks=region.settings["networks"]) if region.settings.get("networks") else WorldMap(),
            region.faults,
            healthy=self.board.healthy,
            uniform=region.entropy.uniform,
            now_ms=region.clock.now_ms,
        )
        self.prober: Prober = region.capabilities.get("prober") or EndpointProber(region.clock)
        self.gossip: Gossip
        self.catching_up: CatchingUp
        region.network.serve(VERSIONS_CHANNEL, self._answer_versions)
        self._load()

    def _load(self) -> None:
        self.zones = {key: Zone.read(document) for key, document in self._zone_shelf.items()}
        self.plane.serve(self.zones.values())
        self.board.remember({key: bool(document["Healthy"]) for key, document in self._known.items()})
        for key, document in self._check_shelf.items():
            self._check_changed(key, document)
        self._log_config_changed("", None)
        self._zone_shelf.on_change(self._zone_changed)
        self._check_shelf.on_change(self._check_changed)
        self.log_configs.on_change(self._log_config_changed)
        self.conclude()

    # ---- what arrives on the shelves, from here or from the home Region

    def _zone_changed(self, key: str, document: Mapping[str, Any] | None) -> None:
        if document is None:
            self.zones.pop(key, None)
            self.plane.drop(key)
            return
        zone = self.zones[key] = Zone.read(document)
        self.plane.put(zone)

    def _check_changed(self, key: str, document: Mapping[str, Any] | None) -> None:
        if document is None:
            self.board.drop(key)
        else:
            self.board.put(Check.read(document))
        self.plane.touch()

    def _log_config_changed(self, _key: str, _document: Mapping[str, Any] | None) -> None:
        self.plane.logged_zones = frozenset(config["HostedZoneId"] for _, config in self.log_configs.items())
        self.plane.touch()

    # ---- zones

    def zone(self, zone_id: str) -> Zone:
        """The zone; raises NoSuchHostedZone."""
        zone = self.zones.get(bare_id(zone_id))
        if zone is None:
            raise no_such_zone(bare_id(zone_id))
        return zone

    def put_zone(self, zone: Zone, now_ms: int, comment: str = "") -> Change:
        """Keep the zone; the change that tells when every Region has it."""
        self._zone_shelf.put(zone.id, zone.document())
        return self._change(zone.id, zone.version, now_ms, comment)

    def replace_zone(self, zone: Zone) -> None:
        """Keep what is not answered from (comment, tags) without a change."""
        self._zone_shelf.put(zone.id, zone.document())

    def delete_zone(self, zone: Zone, now_ms: int) -> Change:
        """Forget the zone."""
        self._zone_shelf.delete(zone.id)
        return self._change(zone.id, 0, now_ms, "")

    def new_id(self, initial: str) -> str:
        """`Z` or `C` and twenty letters and digits."""
        token = self.region.entropy.token(20)
        return initial + "".join(ALPHABET[byte % len(ALPHABET)] for byte in token)

    def delegation(self) -> tuple[NameServer, ...]:
        """Four name servers under four top-level domains, in different Regions as far as there are so many."""
        token = self.region.entropy.token(9)
        regions = self.region.names
        start = token[8] % len(regions)
        servers = []
        for index, domain in enumerate(TOP_DOMAINS):
            number = 512 * index + int.from_bytes(token[2 * index : 2 * index + 2], "big") % 512
            name = f"ns-{number}.awsdns-{token[2 * index] % 64:02d}.{domain}"
            servers.append(NameServer(name, regions[(start + index) % len(regions)]))
        return tuple(servers)

    # ---- changes

    def _change(self, zone_id: str, version: int, now_ms: int, comment: str) -> Change:
        change = Change(self.new_id("C"), zone_id, version, now_ms, comment)
        self._keep_change(change)
        keys = self._changes.keys()
        if len(keys) > KEPT_CHANGES:
            documents = sorted(self._changes.items(), key=lambda item: int(item[1]["SubmittedMs"]))
            for key, _ in documents[: len(documents) - KEPT_CHANGES]:
                self._changes.delete(key)
        return change

    def _keep_change(self, change: Change) -> None:
        self._changes.put(
            change.id,
            {
                "ZoneId": change.zone_id,
                "Version": change.version,
                "SubmittedMs": change.submitted_ms,
                "Comment": change.comment,
                "InSync": change.in_sync,
            },
        )

    async def change(self, change_id: str) -> Change:
        """The change as it stands; raises NoSuchChange.

        It is in sync once every name server answers from it, or from something newer. A Region that does not run has
        none that could answer otherwise; one that cannot be reached may have, so it holds the change up.
        """
        found = self._changes.get(bare_id(change_id))
        if found is None:
            raise NoSuchChange(f"Could not find resource with ID: {bare_id(change_id)}")
        change = Change(
            bare_id(change_id),
            found["ZoneId"],
            found["Version"],
            found["SubmittedMs"],
            found["Comment"],
            found["InSync"],
        )
        if change.in_sync:
            return change
        reached = await asyncio.gather(*(self._version_at(peer, change) for peer in self.region.network.peers))
        if not all(reached):
            return change
        change = replace(change, in_sync=True)
        self._keep_change(change)
        return change

    async def _version_at(self, peer: str, change: Change) -> bool:
        """Whether the peer answers from the change, or does not answer anyone."""
        try:
            answer = await self.region.network.ask(peer, VERSIONS_CHANNEL, change.zone_id.encode(), 2.0)
        except PeerGone:
            return True
        except LinkDown:
            return False
        version = int(answer)
        return version == 0 if change.version == 0 else version >= change.version

    async def _answer_versions(self, _peer: str, message: bytes) -> bytes:
        return str(self.plane.version(message.decode())).encode()

    # ---- health checks

    def check(self, check_id: str) -> Check:
        """The health check; raises NoSuchHealthCheck."""
        check = self.board.checks.get(check_id)
        if check is None:
            raise no_such_check(check_id)
        return check

    def put_check(self, check: Check) -> None:
        """Keep the health check, everywhere."""
        self._check_shelf.put(check.id, check.document())

    def delete_check(self, check_id: str) -> None:
        """Forget the health check, everywhere."""
        self._check_shelf.delete(check_id)

    def uses_of(self, check_id: str) -> Iterator[str]:
        """What refers to the health check: record sets and calculated health checks, in words."""
        for zone in self.zones.values():
            for record in zone.ordered:
                if record.health_check == check_id:
                    yield f"resource record set in hosted zone {zone.id}"
        for check in self.board.checks.values():
            if check_id in check.children:
                yield f"health check {check.id}"

    def conclude(self) -> None:
        """Judge all health checks anew; answers change when a conclusion did."""
        before = self.board.plain()
        if not self.board.conclude(self.region.clock.monotonic_s()):
            return
        self.plane.touch()
        for check_id, healthy in self.board.plain().items():
            if before.get(check_id) != healthy:
                self._known.put(check_id, {"Healthy": healthy})
