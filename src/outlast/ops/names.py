"""DNS as a customer's resolver asks it: from a place, told by EDNS Client Subnet, following aliases to addresses.

https://www.rfc-editor.org/rfc/rfc7871
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import dns.asyncquery
import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

MAX_ALIASES: Final = 8
SILENT_S: Final = 15.0
"""So long a server that was silent is asked after the others; RFC 2308 allows five minutes."""


class NoAnswer(Exception):
    """No name server gave a usable answer; the text says what they did."""


@dataclass(frozen=True, slots=True)
class NameServer:
    """Where to ask."""

    host: str
    port: int = 53


@dataclass(frozen=True, slots=True)
class Resolved:
    """The addresses of a name, every name on the way to them, and how long the whole may be kept.

    `addresses` is empty when the name exists and has none: an empty answer, which a client cannot use.
    """

    addresses: tuple[str, ...]
    names: tuple[str, ...]
    ttl_s: float
    server: NameServer


class Names(Protocol):
    """Turns a name into addresses."""

    async def resolve(self, name: str) -> Resolved:
        """Raises NoAnswer."""
        ...


class Machine:
    """The machine's own resolver: for names that the given name servers do not answer for. It tells no TTL."""

    ttl_s = 60.0

    async def resolve(self, name: str) -> Resolved:
        """The IPv4 addresses of `name`. Raises NoAnswer."""
        loop = asyncio.get_running_loop()
        try:
            infos = await loop.getaddrinfo(name, 443, family=socket.AF_INET, type=socket.SOCK_STREAM)
        except OSError as error:
            raise NoAnswer(f"{name}: {error}") from error
        return Resolved(tuple(str(info[4][0]) for info in infos), (name,), self.ttl_s, NameServer("machine"))


class Stub:
    """Asks the given name servers in turn, as a resolver at `subnet` (for example 198.51.100.0/24) would.

    `timeout_s` is for one server; a server that refuses, fails or is silent is passed over. One that was silent is
    asked last for a while, as resolvers do (RFC 2308, section 7.2). When an alias leads out of what the servers answer
    for, `beyond` resolves the rest.
    """

    def __init__(
        self, servers: Sequence[NameServer], subnet: str = "", timeout_s: float = 1.0, beyond: Names | None = None
    ) -> None:
        if not servers:
            raise ValueError("a resolver needs a name server")
        self._servers = tuple(servers)
        self._timeout_s = timeout_s
        self._beyond = beyond
        self._silent_s: dict[NameServer, float] = {}
        self._options: list[dns.edns.Option] = []
        if subnet:
            address, _, bits = subnet.partition("/")
            self._options = [dns.edns.ECSOption(address, int(bits or 24))]

    async def resolve(self, name: str) -> Resolved:
        """The addresses of `name`, all aliases followed. Raises NoAnswer."""
        names: list[str] = []
        wanted, ttl_s = name.rstrip(".").lower(), float("inf")
        for _ in range(MAX_ALIASES):
            try:
                answer, server = await self._ask(wanted)
            except NoAnswer:
                if self._beyond is None or not names:
                    raise
                rest = await self._beyond.resolve(wanted)
                return Resolved(rest.addresses, (*names, *rest.names), min(ttl_s, rest.ttl_s), rest.server)
            names.append(wanted)
            found = _read(answer, wanted)
            names.extend(found.aliases)
            ttl_s = min(ttl_s, found.ttl_s)
            if found.addresses or not found.aliases:
                return Resolved(found.addresses, tuple(names), ttl_s if ttl_s != float("inf") else 0.0, server)
            wanted = names.pop()
        raise NoAnswer(f"{name} is an alias of an alias, {MAX_ALIASES} times over")

    async def _ask(self, name: str) -> tuple[dns.message.Message, NameServer]:
        query = dns.message.make_query(name, dns.rdatatype.A, use_edns=0, payload=1232, options=self._options)
        failures: list[str] = []
        begun_s = time.monotonic()
        for server in sorted(self._servers, key=lambda each: begun_s < self._silent_s.get(each, begun_s)):
            try:
                async with asyncio.timeout(self._timeout_s):
                    answer, _ = await dns.asyncquery.udp_with_fallback(query, server.host, port=server.port)
            except (dns.exception.DNSException, OSError, TimeoutError) as error:
                failures.append(f"{server.host}: {type(error).__name__}")
                if isinstance(error, OSError):  # silent, or not there
                    self._silent_s[server] = time.monotonic() + SILENT_S
                continue
            if answer.rcode() == dns.rcode.NOERROR:
                return answer, server
            failures.append(f"{server.host}: {dns.rcode.to_text(answer.rcode())}")
        raise NoAnswer(f"{name}: {'; '.join(failures)}")


@dataclass(frozen=True, slots=True)
class _Found:
    addresses: tuple[str, ...]
    aliases: tuple[str, ...]
    ttl_s: float


def _read(answer: dns.message.Message, name: str) -> _Found:
    """What one message says of a name: the chain of aliases it holds, and the addresses at its end."""
    aliases: list[str] = []
    ttl_s = float("inf")
    here = name
    for _ in range(MAX_ALIASES):
        addresses = []
        following = ""
        for rrset in answer.answer:
            if rrset.name.to_text(omit_final_dot=True).lower() != here:
                continue
            if rrset.rdtype == dns.rdatatype.A:
                ttl_s = min(ttl_s, rrset.ttl)
                addresses += [record.address for record in rrset]
            elif rrset.rdtype == dns.rdatatype.CNAME:
                ttl_s = min(ttl_s, rrset.ttl)
                first: Any = rrset[0]
                following = first.target.to_text(omit_final_dot=True).lower()
        if addresses or not following:
            return _Found(tuple(addresses), tuple(aliases), ttl_s)
        aliases.append(following)
        here = following
    return _Found((), tuple(aliases), ttl_s)
