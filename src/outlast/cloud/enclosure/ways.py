"""The ways out of an isolated network: which addresses lead where, and the sockets that stand for them inside."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

BACKLOG: Final = 128


@dataclass(frozen=True, slots=True)
class Way:
    """One address inside and where it leads outside."""

    host: str
    port: int
    to_port: int
    datagrams: bool = False


def ways_to(host: str, port: int, dns_port: int) -> tuple[Way, ...]:
    """The ways to one Region's address, whose well-known ports may lie elsewhere outside."""
    web = [Way(host, inside, port) for inside in dict.fromkeys((443, 80, port))]
    return (*web, Way(host, 53, dns_port), Way(host, 53, dns_port, datagrams=True))


def listen(ways: Sequence[Way]) -> list[socket.socket]:
    """Inside: a socket for each way, in their order. Raises OSError."""
    made = []
    for way in ways:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if way.datagrams else socket.SOCK_STREAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((way.host, way.port))
        if not way.datagrams:
            one.listen(BACKLOG)
        one.setblocking(False)
        made.append(one)
    return made
