"""What the kernel does with datagrams before anyone reads them."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from outlast.cloud.gateway.dns_sockets import bind, queue_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have one queue for all")
Bound = tuple[list[socket.socket], tuple[str, int]]


@pytest.fixture
def bound() -> Iterator[Callable[[str], Bound]]:
    with ExitStack() as opened:

        def make(host: str) -> Bound:
            udp, tcp = bind(host, 0)
            for each in (*udp, tcp):
                opened.enter_context(closing(each))
            return udp, tcp.getsockname()[:2]

        yield make


def send(address: str, server: tuple[str, int], number: int = 1) -> None:
    """From a new port of the address each time, as resolvers do."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.bind((address, 0))
        for _ in range(number):
            client.sendto(address.encode(), server)


def waiting(queue: socket.socket) -> list[str]:
    """Who sent what waits in the queue."""
    senders = []
    while True:
        try:
            senders.append(queue.recv(100).decode())
        except BlockingIOError:
            return senders


@pytest.mark.parametrize(
    ("host", "clients"),
    [("127.0.0.1", [f"127.1.{n % 7}.{n}" for n in range(1, 120)]), ("::1", ["::1"])],
    ids=["IPv4", "IPv6"],
)
def test_each_address_has_its_queue_whatever_its_port(
    bound: Callable[[str], Bound], host: str, clients: list[str]
) -> None:
    try:
        udp, server = bound(host)
    except OSError:
        pytest.skip(f"there is no {host} here")
    for client in clients:
        for _ in range(3):
            send(client, server)
    found = [waiting(queue) for queue in udp]
    for number, senders in enumerate(found):
        assert sorted(senders) == sorted(3 * [client for client in clients if queue_of(client) == number])
    assert len([senders for senders in found if senders]) == min(len(clients), len(udp))


def test_a_flood_takes_the_places_of_its_own_queue_only(bound: Callable[[str], Bound]) -> None:
    udp, server = bound("127.0.0.1")
    send("127.1.0.1", server, 5_000)
    others = [f"127.1.0.{n}" for n in range(2, 40) if queue_of(f"127.1.0.{n}") != queue_of("127.1.0.1")]
    for other in others:
        send(other, server)
    kept = [sender for queue in udp for sender in waiting(queue)]
    assert 100 < kept.count("127.1.0.1") < 5_000, "the flood was larger than its queue"
    assert sorted(sender for sender in kept if sender != "127.1.0.1") == sorted(others)


def test_nothing_stays_open_when_a_port_is_taken(bound: Callable[[str], Bound]) -> None:
    _, (host, port) = bound("127.0.0.1")
    with pytest.raises(OSError, match="in use"):
        bind(host, port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((host, 0))
        with pytest.raises(OSError, match="in use"):
            bind(host, taken.getsockname()[1])
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            tcp.bind((host, taken.getsockname()[1]))
