"""The Region as its services see it: names, doors, storage, and the capabilities that the world gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from outlast.cloud.contract.call import Caller, Principal
from outlast.cloud.contract.faults import ActiveFaults, FaultBoard
from outlast.cloud.contract.meter import Meter
from outlast.cloud.contract.names import Names
from outlast.cloud.contract.resources import ResourceType
from outlast.cloud.contract.trail import Trail
from outlast.cloud.effects import Clock, Effects, Entropy, Network
from outlast.cloud.engine import Engine


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policies say of a request; `message` is the denial as AWS words it."""

    allowed: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """Whom an access key belongs to, and its secret."""

    secret: str
    principal: Principal


class Identities(Protocol):
    """Who holds which key and who may do what; given by the IAM service from data that every Region holds."""

    def owner(self, access_key_id: str, session_token: str | None, now_s: float) -> KeyOwner:
        """The owner of the key; raises Fault (UnrecognizedClientException, ExpiredTokenException)."""
        ...

    def judge(
        self,
        principal: Principal,
        action: str,
        resource: str,
        context: Mapping[str, Sequence[str]],
        resource_policy: Mapping[str, Any] | None = None,
    ) -> Decision:
        """Explicit deny first, then identity, boundary, session and resource policies of one account.

        `context` holds condition keys (`aws:SourceIp`, `aws:SourceArn`) with their values.
        """
        ...


class Certificates(Protocol):
    """The world's certificate authority."""

    @property
    def authority_pem(self) -> str:
        """The authority's own certificate, PEM."""
        ...

    def issue(self, names: Sequence[str], days: int) -> tuple[str, str]:
        """A fresh leaf for `names` that lasts `days`: (certificate PEM, private key PEM)."""
        ...

    def serve(self, name: str, certificate_pem: str, key_pem: str) -> None:
        """Present this certificate to clients that ask for `name` by SNI."""
        ...


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where things listen. `hosts` maps every Region of the world to its own loopback address."""

    hosts: Mapping[str, str]
    ports: Mapping[str, int]
    dns_ports: Mapping[str, int]
    front_url: str
    ca_path: str

    def url(self, region: str) -> str:
        """The Region's endpoint, TLS."""
        return f"https://{self.hosts[region]}:{self.ports[region]}"

    def plain_url(self, region: str) -> str:
        """The Region's endpoint in plain HTTP, loopback only."""
        return f"http://{self.hosts[region]}:{self.ports[region]}"


class Late(Exception):
    """A capability was used before its service had been opened."""


@dataclass(slots=True)
class Region:
    """One Region of the world, as given to every service in it.

    `secret` is the world's shared sealing key (session tokens). `folder` is where this Region may keep unzipped code
    and sockets of its worker processes (never data that must be encrypted). The capabilities at the end are set by
    the world once, while it opens the Region's services, and never change afterwards.

    `settings` are the world's own, see `outlast.cloud.world.config.Settings`:
    `root_access_key_id` and `root_secret_access_key` of the account's root; `control_home` (service -> Region of its
    control plane, for worlds that lack AWS's); `health_interval_s` (0: what the health check says);
    `shortest_rate_s` for canaries; `health_event_delay_s` of AWS Health events; `cluster_regions` (the five of ARC);
    `networks` (client prefix -> place, for latency answers).
    """

    name: str
    account_id: str
    names: tuple[str, ...]
    effects: Effects
    engine: Engine
    meter: Meter
    addresses: Addresses
    secret: bytes
    folder: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    faults: ActiveFaults = field(default_factory=ActiveFaults)
    resource_types: Mapping[str, ResourceType] = field(default_factory=dict)
    capabilities: dict[str, Any] = field(default_factory=dict)

    @property
    def clock(self) -> Clock:
        return self.effects.clock

    @property
    def entropy(self) -> Entropy:
        return self.effects.entropy

    @property
    def network(self) -> Network:
        return self.effects.network

    def _capability(self, name: str) -> Any:
        try:
            return self.capabilities[name]
        except KeyError:
            raise Late(f"{name} is not there yet in {self.name}") from None

    @property
    def aws(self) -> Caller:
        """Calls other services, in this Region or another."""
        caller: Caller = self._capability("aws")
        return caller

    @property
    def identities(self) -> Identities:
        identities: Identities = self._capability("identities")
        return identities

    @property
    def certificates(self) -> Certificates:
        certificates: Certificates = self._capability("certificates")
        return certificates

    @property
    def zones(self) -> Names:
        """The DNS data plane of this Region."""
        names: Names = self._capability("names")
        return names

    @property
    def trail(self) -> Trail:
        """The audit trail of this Region."""
        trail: Trail = self._capability("trail")
        return trail

    @property
    def board(self) -> FaultBoard:
        """Starts, ends and lists faults of the world."""
        board: FaultBoard = self._capability("board")
        return board

    def arn(self, service: str, resource: str) -> str:
        """`arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE` of this Region."""
        return f"arn:aws:{service}:{self.name}:{self.account_id}:{resource}"

    def service_principal(self, service: str) -> Principal:
        """`SERVICE.amazonaws.com`, for calls that resource and trust policies allow."""
        return Principal.service(service, self.name, self.account_id)

    def linked(self, service: str) -> Principal:
        """The service-linked role of `service`, for calls that its Service declares in `linked`."""
        return Principal.linked(service, self.account_id)
