"""The gate of one Region: its services and their states, and where a request finds its operation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from outlast.cloud.contract import Declared, Region, Service
from outlast.cloud.identity.sigv4 import SigningKeys
from outlast.cloud.wire import Operation, Request

if TYPE_CHECKING:
    from outlast.cloud.gateway.trail import Journal


@dataclass(frozen=True, slots=True)
class Hosted:
    """A service with its state in this Region."""

    service: Service[Any]
    state: Any


@dataclass(slots=True)
class Gate:
    """Everything the pipeline needs of a Region; made once, then only read."""

    region: Region
    hosted: dict[str, Hosted] = field(default_factory=dict)
    by_signing_name: dict[str, list[Hosted]] = field(default_factory=dict)
    by_target: dict[str, Hosted] = field(default_factory=dict)
    targets: dict[str, tuple[Hosted, Operation, str]] = field(default_factory=dict)
    """X-Amz-Target -> what it means, for those that were met; bounded by the operations that there are."""
    keys: SigningKeys = field(default_factory=SigningKeys)
    tls_expected: bool = False
    trail: Journal | None = None
    """Where requests are recorded; the world gives it."""
    _prefix: str = ""
    _requests: int = 0

    def __post_init__(self) -> None:
        head = self.region.entropy.hex(20)
        self._prefix = f"{head[:8]}-{head[8:12]}-4{head[13:16]}-a{head[17:20]}-"

    def host(self, service: Service[Any], state: Any) -> None:
        """Serve `service` here."""
        hosted = Hosted(service, state)
        self.hosted[service.name] = hosted
        self.by_signing_name.setdefault(service.model.signing_name, []).append(hosted)
        if service.model.target_prefix:
            self.by_target[service.model.target_prefix] = hosted

    def request_id(self) -> str:
        """An identifier no other request of this world has, in a UUID's form."""
        self._requests += 1
        return f"{self._prefix}{self._requests:012x}"

    def home(self, service: Service[Any]) -> str | None:
        """The Region that holds the service's only control plane; None for services that have one in each Region."""
        if service.home is None:
            return None
        homes: Mapping[str, str] = self.region.settings.get("control_home", {})
        return homes.get(service.name, service.home)

    async def settle(self, losses: int | None = None) -> None:
        """Wait until every write applied so far is durable, and none was lost since there were so many `losses`."""
        await self.region.engine.settled(losses)

    def candidates(self, request: Request, signing_name: str) -> list[Hosted]:
        """The services that a request signed for `signing_name` may mean."""
        target = request.headers.get("x-amz-target")
        if target is not None:
            found = self.by_target.get(target.rpartition(".")[0])
            if found is not None:
                return [found]
        return self.by_signing_name.get(signing_name, [])

    def declared(self, hosted: Hosted, operation: Operation) -> Declared | None:
        """How the service declares the operation; None when it does not offer it."""
        return hosted.service.operations.get(operation.name)

    def policy_of(self, hosted: Hosted, arn: str) -> Mapping[str, Any] | None:
        """The resource policy that guards `arn`."""
        look_up = hosted.service.resource_policy
        return None if look_up is None else look_up(hosted.state, arn)
