"""The functions of one Region: what is stored, and what runs them."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

from outlast.cloud.contract import Region, Shelf
from outlast.cloud.enclosure.ways import Way, ways_to
from outlast.cloud.engine import Space
from outlast.cloud.runtime.cell import Cell
from outlast.cloud.runtime.host import Host, Outside
from outlast.cloud.services.lambda_ import names, policies
from outlast.cloud.services.lambda_.concurrency import Concurrency
from outlast.cloud.services.lambda_.errors import CodeStorageExceededException, ResourceNotFoundException
from outlast.cloud.services.lambda_.events import EventQueue
from outlast.cloud.services.lambda_.fleet import Fleet, Runs
from outlast.cloud.services.lambda_.measures import Metering
from outlast.cloud.services.lambda_.model import Function, Version
from outlast.cloud.services.lambda_.names import LATEST, Reference
from outlast.cloud.services.lambda_.packages import Package
from outlast.cloud.services.lambda_.provision import Provisioner
from outlast.cloud.services.lambda_.roles import Roles
from outlast.cloud.services.lambda_.shipping import Shipper

CHUNK_BYTES: Final = 128 * 1024
TOTAL_CODE_BYTES: Final = 80_530_636_800


def outside(region: Region) -> Outside:
    """What functions reach: the addresses of all Regions and the front door, nothing else."""
    addresses, own = region.addresses, region.name
    front = urlsplit(addresses.front_url)
    ways = [] if front.hostname is None or front.port is None else [Way(front.hostname, front.port, front.port)]
    for name, host in addresses.hosts.items():
        ways += ways_to(host, addresses.ports[name], addresses.dns_ports[name])
    others = [host for name, host in addresses.hosts.items() if name != own]
    here = addresses.hosts[own]
    world = os.path.dirname(addresses.ca_path)
    return Outside(
        cell=Cell((here, *others), addresses.ca_path, tuple(dict.fromkeys(ways)), (world,) if world else ()),
        host=here,
        port=addresses.ports[own],
        serve=region.capabilities.get("door"),
        names=(here, addresses.dns_ports[own], addresses.ports[own]),
    )


@dataclass(frozen=True, slots=True)
class Found:
    """A version that a reference names, and what it was named by."""

    function: Function
    version: Version
    qualifier: str | None


class LambdaState:
    """Everything of Lambda in one Region."""

    def __init__(self, region: Region, host: Runs) -> None:
        self.region = region
        self._shelf = Shelf(region, "lambda/functions")
        self._code: Space = region.engine.space("lambda/code")
        self.functions = {name: Function.read(document) for name, document in self._shelf.items()}
        self.concurrency = Concurrency()
        for function in self.functions.values():
            self.concurrency.load(function.name, function.reserved)
        self.host = host
        self.roles = Roles(region)
        self.shipper = Shipper(region)
        self.fleet = Fleet(region, host, self.roles, self.archive)
        self.events = EventQueue(region)
        self.metering = Metering(region.meter)
        self.provisioner = Provisioner(self)
        self._policies: dict[str, dict[str, Any]] = {}

    @classmethod
    def open(cls, region: Region) -> LambdaState:
        """The state of a Region whose storage has been recovered."""
        host = Host(region.clock.now_ms, outside(region), folder=region.folder)
        return cls(region, host)

    def arn(self, reference: Reference) -> str:
        """The ARN of a function of this Region."""
        return names.arn(self.region.name, self.region.account_id, reference)

    def reference(self, text: str, qualifier: str | None = None) -> Reference:
        """Read a FunctionName; raises InvalidParameterValueException or ResourceNotFoundException."""
        return names.parse(text, qualifier, self.region.name, self.region.account_id)

    def function(self, reference: Reference) -> Function:
        """The function of that name; raises ResourceNotFoundException."""
        function = self.functions.get(reference.name)
        if function is None:
            raise ResourceNotFoundException.function(self.arn(reference))
        return function

    def find(self, reference: Reference, draw: float = 0.0) -> Found:
        """The version that a reference names; an alias with weights chooses by `draw`. Raises not-found."""
        function = self.function(reference)
        qualifier = reference.qualifier
        number = qualifier
        if qualifier is not None and qualifier in function.aliases:
            number = function.aliases[qualifier].choose(draw)
        version = function.version(number)
        if version is None:
            raise ResourceNotFoundException.function(self.arn(reference))
        return Found(function, version, qualifier)

    def replace(self, function: Function) -> None:
        """Store a function, new or changed. Environments of versions that changed are let go."""
        known = self.functions.get(function.name)
        self._shelf.put(function.name, function.document())
        self.functions[function.name] = function
        self._forget_policies(function.name)
        if known is not None:
            self.fleet.retire(_keys(known) - _keys(function))
            self._drop_code(_codes(known) - _codes(function))
        self.concurrency.load(function.name, function.reserved)

    def remove(self, function: Function) -> None:
        """Forget a function with all its versions."""
        self._shelf.delete(function.name)
        self.functions.pop(function.name, None)
        self._forget_policies(function.name)
        self.concurrency.load(function.name, None)
        self.fleet.retire(_keys(function))
        self._drop_code(_codes(function))

    def is_current(self, version: Version) -> bool:
        """Whether the version is still what its function has under that number."""
        function = self.functions.get(version.name)
        known = None if function is None else function.version(version.number)
        return known is not None and known.execution_key == version.execution_key

    def set_version(self, version: Version, **changes: Any) -> None:
        """Change a version in place if it is still current; its revision stays."""
        function = self.functions.get(version.name)
        if function is not None and self.is_current(version):
            self.replace(function.with_version(replace(version, **changes)))

    # code

    @property
    def code_bytes(self) -> int:
        """Bytes of all packages of all versions."""
        return sum(version.code_size for function in self.functions.values() for version in _versions(function))

    def keep(self, package: Package) -> None:
        """Store a package; raises CodeStorageExceededException."""
        if self.code_bytes + package.size_bytes > TOTAL_CODE_BYTES:
            raise CodeStorageExceededException("Code storage limit exceeded.")
        chunks = range(0, package.size_bytes, CHUNK_BYTES)
        with self.region.engine.begin() as tx:
            for number, at in enumerate(chunks):
                tx.put(self._code, _chunk(package.key, number), package.archive[at : at + CHUNK_BYTES])

    def archive(self, key: str) -> bytes:
        """A stored package."""
        start = key.encode() + b"/"
        return b"".join(value for _, value in self._code.range(start, start[:-1] + b"0"))

    def _drop_code(self, keys: set[str]) -> None:
        used = {key for function in self.functions.values() for key in _codes(function)}
        with self.region.engine.begin() as tx:
            for key in keys - used:
                start = key.encode() + b"/"
                for name, _ in list(self._code.range(start, start[:-1] + b"0")):
                    tx.delete(self._code, name)

    # resource policies

    def policy(self, arn: str) -> dict[str, Any] | None:
        """The resource policy that guards a function's ARN, qualified or not."""
        known = self._policies.get(arn)
        if known is not None:
            return known
        head = self.arn(Reference(""))
        if not arn.startswith(head):
            return None
        name, _, qualifier = arn[len(head) :].partition(":")
        function = self.functions.get(name)
        statements = None if function is None else function.policies.get("" if qualifier == LATEST else qualifier)
        if not statements:
            return None
        made = policies.document(statements)
        self._policies[arn] = made
        return made

    def _forget_policies(self, name: str) -> None:
        head = self.arn(Reference(name))
        for arn in [arn for arn in self._policies if arn == head or arn.startswith(f"{head}:")]:
            del self._policies[arn]

    async def close(self) -> None:
        """End every worker, then send what logs wait."""
        await self.fleet.close()
        await self.shipper.flush()


def _chunk(key: str, number: int) -> bytes:
    return f"{key}/{number:04d}".encode()


def _versions(function: Function) -> list[Version]:
    return [function.latest, *function.versions.values()]


def _keys(function: Function) -> set[str]:
    return {version.execution_key for version in _versions(function)}


def _codes(function: Function) -> set[str]:
    return {version.code_key for version in _versions(function)}
