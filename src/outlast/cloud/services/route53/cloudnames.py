"""The cloud's own names: `SERVICE.REGION.amazonaws.com`, Regional API endpoints, ARC endpoints, name servers.

Every Region answers for all of them, from what it has known since its start, so they depend on no control plane.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final

from outlast.cloud.contract.names import Answer, Rcode, Record, RecordType
from outlast.cloud.services.route53 import dnsnames
from outlast.cloud.services.route53.dnsnames import wire
from outlast.cloud.services.route53.model import ALIAS_TTL_S, SOA_TTL_S
from outlast.cloud.services.route53.rdata import encode

SUFFIXES: Final = tuple(wire(text) for text in ("amazonaws.com", "api.aws"))
SERVER_SUFFIXES: Final = ("com", "net", "org", "co.uk")
GLOBAL: Final = frozenset(b.encode() for b in ("route53", "iam", "sts", "s3", "cloudfront", "support", "health"))
NEGATIVE_TTL_S: Final = 60


class CloudNames:
    """Answers for the names that AWS itself owns. `hosts` maps Regions to addresses; `home` holds global services."""

    def __init__(self, hosts: Mapping[str, str], home: str) -> None:
        self._hosts = hosts
        self._home = home
        self._regions = {region.encode(): region for region in hosts}
        self._servers: dict[bytes, str] = {}

    def know_servers(self, servers: Mapping[str, str]) -> None:
        """Replace the name servers (name -> Region) that are answered for."""
        self._servers = {wire(name): region for name, region in servers.items()}

    def region_of(self, name: bytes) -> str | None:
        """The Region that `name` leads to; None when no such name exists."""
        server = self._servers.get(name)
        if server is not None:
            return server
        suffix = self._suffix(name)
        if suffix is None:
            return None
        heads = dnsnames.labels(name[: len(name) - len(suffix)] + b"\0")
        for label in reversed(heads):
            if label in self._regions:
                return self._regions[label] if label != heads[0] else None
        return self._home if heads and heads[-1] in GLOBAL else None

    def owns(self, name: bytes) -> bool:
        """Whether `name` lies in a domain of the cloud's own."""
        return name in self._servers or self._suffix(name) is not None

    @staticmethod
    def _suffix(name: bytes) -> bytes | None:
        for suffix in SUFFIXES:
            if name.endswith(suffix) and dnsnames.within(name, suffix):
                return suffix
        return None

    def addresses(self, name: bytes, kind: int, owner: bytes) -> tuple[Record, ...] | None:
        """The address records of `name`, owned by `owner`; None when there is no such name in this world."""
        region = self.region_of(name)
        if region is None:
            return None
        address = ipaddress.ip_address(self._hosts[region])
        if kind != (RecordType.A if address.version == 4 else RecordType.AAAA):
            return ()
        return (Record(owner, kind, ALIAS_TTL_S, address.packed),)

    def answer(self, name: bytes, kind: int) -> Answer:
        """The answer to a question for one of the cloud's own names."""
        records = self.addresses(name, kind, name)
        if records:
            return Answer(Rcode.NOERROR, records)
        known = records is not None or name in SUFFIXES or self._has_below(name)
        return Answer(Rcode.NOERROR if known else Rcode.NXDOMAIN, authority=(self._soa(name),))

    def _has_below(self, name: bytes) -> bool:
        """Whether the name exists because of those below it, such as `us-east-1.amazonaws.com`."""
        return any(label in self._regions for label in dnsnames.labels(name)[:1])

    def _soa(self, name: bytes) -> Record:
        suffix = self._suffix(name) or dnsnames.parent(name)
        value = f"ns-0.awsdns-00.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 {NEGATIVE_TTL_S}"
        return Record(suffix, RecordType.SOA, min(SOA_TTL_S, NEGATIVE_TTL_S), encode("SOA", value))
