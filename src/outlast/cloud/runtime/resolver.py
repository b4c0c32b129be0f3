"""Name resolution inside a worker: the world's name server first, then the machine's resolver.

`install` replaces `socket.getaddrinfo` and its older relatives. Names the world's server refuses (it is authoritative
for its own zones and for `amazonaws.com` only) go to the machine. Connections to port 443 or 80 of a world's address
are sent to the port the world listens on, so that `https://NAME/` works where port 443 could not be bound.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

TYPE_A: Final = 1
TYPE_CNAME: Final = 5
MAX_CHAIN: Final = 8
TRIES: Final = 2
WAIT_S: Final = 1.0
WELL_KNOWN: Final = frozenset({80, 443, "80", "443", "http", "https", b"80", b"443"})
LOCAL_NAMES: Final = frozenset({"localhost", "ip6-localhost", "localhost.localdomain"})

Info = tuple[Any, Any, int, str, Any]


class NotOurs(Exception):
    """The name server is not authoritative for the name, or is not there."""


@dataclass(frozen=True, slots=True)
class Names:
    """The Region's name server and the port its HTTPS addresses listen on (0: the well-known one)."""

    host: str
    port: int
    https_port: int = 0


def question(name: str, ident: int) -> bytes:
    """The wire form of one A query (RFC 1035, section 4)."""
    labels = name.rstrip(".").split(".")
    if not all(0 < len(label.encode("idna")) <= 63 for label in labels):
        raise ValueError(f"not a host name: {name}")
    text = b"".join(bytes([len(part)]) + part for part in (label.encode("idna") for label in labels))
    return struct.pack(">HHHHHH", ident, 0x0100, 1, 0, 0, 0) + text + b"\0" + struct.pack(">HH", TYPE_A, 1)


def _name_at(packet: bytes, at: int) -> tuple[str, int]:
    """The name at an offset and the offset after it, following compression pointers."""
    labels: list[str] = []
    after = -1
    for _ in range(128):
        size = packet[at]
        if size & 0xC0 == 0xC0:
            after = at + 2 if after < 0 else after
            at = struct.unpack_from(">H", packet, at)[0] & 0x3FFF
        elif size == 0:
            return ".".join(labels).lower(), at + 1 if after < 0 else after
        else:
            labels.append(packet[at + 1 : at + 1 + size].decode("latin-1"))
            at += 1 + size
    raise ValueError("a name without end")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reply says of a name: addresses, or the alias to ask for next."""

    addresses: tuple[str, ...]
    alias: str | None = None
    truncated: bool = False


def parse(packet: bytes, ident: int, name: str) -> Answer:
    """Read a reply; raises NotOurs when refused, ValueError when it is no reply to the question."""
    try:
        got, flags, questions, answers = struct.unpack_from(">HHHH", packet)
        if got != ident or not flags & 0x8000:
            raise ValueError("a reply to another question")
        if flags & 0x0F not in (0, 3):
            raise NotOurs(name)
        at = 12
        for _ in range(questions):
            at = _name_at(packet, at)[1] + 4
        addresses: dict[str, list[str]] = {}
        aliases: dict[str, str] = {}
        for _ in range(answers):
            owner, at = _name_at(packet, at)
            kind, _class, _ttl, size = struct.unpack_from(">HHIH", packet, at)
            at += 10
            if kind == TYPE_A and size == 4:
                addresses.setdefault(owner, []).append(socket.inet_ntoa(packet[at : at + 4]))
            elif kind == TYPE_CNAME:
                aliases[owner] = _name_at(packet, at)[0]
            at += size
    except (IndexError, struct.error, OSError) as error:
        raise ValueError("a reply cut short") from error
    target = name.rstrip(".").lower()
    for _ in range(MAX_CHAIN):
        if target in addresses or target not in aliases:
            break
        target = aliases[target]
    alias = target if target != name.rstrip(".").lower() else None
    return Answer(tuple(addresses.get(target, ())), alias, bool(flags & 0x0200))


def _over_udp(names: Names, query: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(WAIT_S)
        sock.connect((names.host, names.port))
        sock.send(query)
        return sock.recv(4096)


def _over_tcp(names: Names, query: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.settimeout(WAIT_S)
        sock.connect((names.host, names.port))
        sock.sendall(struct.pack(">H", len(query)) + query)
        with sock.makefile("rb") as stream:
            (size,) = struct.unpack(">H", stream.read(2))
            return stream.read(size)


def _ask(names: Names, name: str) -> Answer:
    ident = int.from_bytes(os.urandom(2), "big")
    query = question(name, ident)
    for _ in range(TRIES):
        try:
            answer = parse(_over_udp(names, query), ident, name)
            return parse(_over_tcp(names, query), ident, name) if answer.truncated else answer
        except (OSError, ValueError, struct.error):
            continue
    raise NotOurs(name)


def addresses_of(names: Names, name: str) -> tuple[str, ...]:
    """The IPv4 addresses the world gives a name, aliases followed; raises NotOurs."""
    for _ in range(MAX_CHAIN):
        answer = _ask(names, name)
        if answer.addresses or answer.alias is None:
            return answer.addresses
        name = answer.alias
    return ()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return False
    return True


class Resolver:
    """`getaddrinfo` that asks the world first."""

    def __init__(self, names: Names, machine: Callable[..., list[Info]]) -> None:
        self._names = names
        self._machine = machine

    def getaddrinfo(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Info]:
        """As `socket.getaddrinfo`; raises socket.gaierror when the name has no address."""
        text = host.decode() if isinstance(host, bytes | bytearray) else host
        plain = not text or _is_address(text) or text.lower() in LOCAL_NAMES or text == socket.gethostname()
        if plain or family not in (0, socket.AF_INET):
            return self._machine(host, port, family, type, proto, flags)
        try:
            found = addresses_of(self._names, text)
        except (NotOurs, ValueError, UnicodeError):
            return self._machine(host, port, family, type, proto, flags)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if port in WELL_KNOWN and self._names.https_port:
            port = self._names.https_port
        return [info for address in found for info in self._machine(address, port, socket.AF_INET, type, proto, flags)]

    def gethostbyname(self, hostname: str) -> str:
        """The first IPv4 address of a name; raises socket.gaierror."""
        return str(self.getaddrinfo(hostname, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])


def install(names: Names) -> None:
    """Resolve this process's names through the world from now on."""
    resolver = Resolver(names, socket.getaddrinfo)
    socket.getaddrinfo = resolver.getaddrinfo
    socket.gethostbyname = resolver.gethostbyname
