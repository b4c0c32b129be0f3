"""Hostile bytes over the sockets of a name server, in any order and cut anywhere; it goes on answering everyone."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

import dns.message
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import World

NAME = "dynamodb.us-east-1.amazonaws.com"
GOOD = dns.message.make_query(NAME, "A", use_edns=0, payload=1232, id=7).to_wire()
REGION = "us-east-2"


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good question with some bytes changed, and cut or longer than it was."""
    data = bytearray(GOOD)
    for at, byte in draw(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=4)):
        data[at] = byte
    return bytes(data[: draw(st.integers(0, len(GOOD)))] + draw(st.binary(max_size=20)))


messages = st.lists(st.one_of(st.just(GOOD), damaged(), st.binary(max_size=700)), max_size=12)


@pytest.fixture(scope="session")
def server(world: World) -> tuple[str, int]:
    return world.config.hosts[REGION], world.config.dns_port


def addresses(answer: bytes) -> list[str]:
    return [item.address for rrset in dns.message.from_wire(answer).answer for item in rrset]


@settings(max_examples=60, deadline=None)
@given(sent=messages)
def test_any_datagrams(server: tuple[str, int], sent: list[bytes]) -> None:
    """Each is answered once at most, by something that dnspython reads; the good question behind them always is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(20)
        client.connect(server)
        for each in (*sent, GOOD[:1] + b"\x08" + GOOD[2:]):
            client.send(each)
        answers = [client.recv(4096)]
        while answers[-1][:2] != GOOD[:1] + b"\x08" or not addresses(answers[-1]):
            answers.append(client.recv(4096))
    assert len(answers) <= len(sent) + 1
    for answer in answers:
        assert dns.message.from_wire(answer).flags & 0x8000
        assert len(answer) <= 1232


@settings(max_examples=60, deadline=None)
@given(sent=messages, cuts=st.lists(st.integers(1, 4_000), max_size=6), lie=st.booleans())
def test_any_stream(server: tuple[str, int], sent: list[bytes], cuts: list[int], lie: bool) -> None:
    """Messages cut anywhere, the last one perhaps shorter than it says: answered in order, up to the first that ends
    the connection; a new connection is answered as ever.
    """
    stream = b"".join(len(each).to_bytes(2, "big") + each for each in sent) + (b"\xff\xffabc" if lie else b"")
    with socket.create_connection(server, timeout=20) as client:
        with suppress(OSError):  # it may have been ended by then
            for start, end in zip((0, *sorted(cuts)), (*sorted(cuts), len(stream)), strict=True):
                client.sendall(stream[start:end])
            client.shutdown(socket.SHUT_WR)
        answers = list(answered(client))
    assert len(answers) <= len(sent)
    for question, answer in zip(sent, answers, strict=False):
        assert answer[:2] == question[:2]
        assert dns.message.from_wire(answer).flags & 0x8000
    with socket.create_connection(server, timeout=20) as client:
        client.sendall(len(GOOD).to_bytes(2, "big") + GOOD)
        assert addresses(next(answered(client)))


def answered(client: socket.socket) -> Iterator[bytes]:
    """The messages that come until the other side closes."""
    with suppress(ConnectionError), client.makefile("rb") as stream:
        while size := stream.read(2):
            yield stream.read(int.from_bytes(size, "big"))
