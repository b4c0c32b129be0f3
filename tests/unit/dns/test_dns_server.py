"""The listeners on real sockets, asked by dnspython."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator

import dns.asyncquery
import dns.flags
import dns.message
import pytest

from outlast.cloud.effects import RealClock, RealEntropy
from outlast.cloud.gateway.dns import DATAGRAMS_A_TURN, DnsLimits, DnsServer
from tests.unit.dns.zone import LittleZone

HOST = "127.0.0.1"


@pytest.fixture
def idle_s() -> float:
    """Longer than any test here pauses, however busy the machine is."""
    return 60.0


@pytest.fixture
async def server(idle_s: float) -> AsyncIterator[DnsServer]:
    limits = DnsLimits(connections=4, connections_per_client=3, idle_s=idle_s)
    server = DnsServer(LittleZone(), clock=RealClock(), entropy=RealEntropy(), server_id="us-east-1", limits=limits)
    await server.start(HOST, 0)
    yield server
    await server.close()


def query(name: str = "www.example.com", kind: str = "A") -> dns.message.Message:
    return dns.message.make_query(name, kind)


async def test_answers_by_udp_and_tcp(server: DnsServer) -> None:
    for ask in (dns.asyncquery.udp, dns.asyncquery.tcp):
        reply = await ask(query(), HOST, port=server.port, timeout=5)
        assert reply.answer[0][0].address == "192.0.2.80"


async def test_a_cut_answer_is_fetched_by_tcp(server: DnsServer) -> None:
    question = query("big.example.com", "TXT")
    reply, over_tcp = await dns.asyncquery.udp_with_fallback(question, HOST, port=server.port, timeout=5)
    assert over_tcp
    assert not reply.flags & dns.flags.TC


async def test_pipelined_questions_are_answered_in_order(server: DnsServer) -> None:
    reader, writer = await asyncio.open_connection(HOST, server.port)
    questions = [query(f"n{n}.example.com") for n in range(20)] + [query()]
    stream = b"".join(len(wire).to_bytes(2, "big") + wire for wire in (q.to_wire() for q in questions))
    writer.write(stream[:7])
    await writer.drain()
    writer.write(stream[7:])
    for question in questions:
        size = int.from_bytes(await reader.readexactly(2), "big")
        assert question.is_response(dns.message.from_wire(await reader.readexactly(size)))
    writer.close()


async def test_a_client_that_reads_nothing_piles_up_no_answers(server: DnsServer) -> None:
    """Four thousand questions for two kilobytes each: they are answered as they are read, and all are."""
    reader, writer = await asyncio.open_connection(HOST, server.port, limit=1 << 10)
    number = 4_000
    wire = query("big.example.com", "TXT").to_wire()
    writer.write((len(wire).to_bytes(2, "big") + wire) * number)
    most = 0
    for _ in range(200):
        await asyncio.sleep(0.001)
        most = max([most, *(each.unread_bytes for each in server.connections)])
    assert most < 256 << 10
    size = int.from_bytes(await reader.readexactly(2), "big")
    await reader.readexactly(size + (number - 1) * (2 + size))
    writer.close()


async def test_pipelined_questions_leave_others_their_turn(server: DnsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second client is answered before a flood of the first is done."""
    _, flood = await asyncio.open_connection(HOST, server.port)
    _, other = await asyncio.open_connection(HOST, server.port)
    order: list[str] = []
    real = server.responder.respond

    def noted(data: bytes, address: str, *, tcp: bool = False) -> bytes | None:
        order.append("other" if b"near" in data else "flood")
        return real(data, address, tcp=tcp)

    monkeypatch.setattr(server.responder, "respond", noted)
    for writer, name, number in ((flood, "www", 1_000), (other, "near", 1)):
        wire = query(f"{name}.example.com").to_wire()
        writer.write((len(wire).to_bytes(2, "big") + wire) * number)
    async with asyncio.timeout(20):
        while len(order) < 1_001:
            await asyncio.sleep(0.01)
    assert order.index("other") < 1_000
    for writer in (flood, other):
        writer.close()


@pytest.mark.parametrize("idle_s", [0.3])
async def test_idle_connections_are_closed(server: DnsServer) -> None:
    reader, writer = await asyncio.open_connection(HOST, server.port)
    writer.write(b"\0")
    assert await closed(reader)
    writer.close()
    assert not server.connections


async def test_connections_are_bounded(server: DnsServer) -> None:
    streams = [await asyncio.open_connection(HOST, server.port) for _ in range(4)]
    assert await closed(streams[3][0])
    reply = query().to_wire()
    streams[0][1].write(len(reply).to_bytes(2, "big") + reply)
    assert int.from_bytes(await streams[0][0].readexactly(2), "big") > 12
    for _, writer in streams:
        writer.close()


async def closed(reader: asyncio.StreamReader) -> bool:
    """Whether the other side ends the connection without a word."""
    try:
        return await asyncio.wait_for(reader.read(1), 5) == b""
    except ConnectionResetError:
        return True


async def test_a_hopeless_message_ends_the_connection(server: DnsServer) -> None:
    reader, writer = await asyncio.open_connection(HOST, server.port)
    writer.write(b"\0\x03abc")
    assert await closed(reader)
    writer.close()


async def test_garbage_by_udp_gets_no_answer_and_does_no_harm(server: DnsServer) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect((HOST, server.port))
        for junk in (b"", b"x", b"\xff" * 40):
            await loop.sock_sendall(client, junk)
        await loop.sock_sendall(client, query().to_wire())
        reply = dns.message.from_wire(await asyncio.wait_for(loop.sock_recv(client, 2048), 5))
    assert reply.answer
    assert server.responder.dropped == 3


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have one queue for all, and one address")
async def test_a_flood_by_udp_leaves_other_addresses_and_the_region_their_turn(
    server: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything waits before any of it is read; of the flood a few are answered a turn."""
    loop = asyncio.get_running_loop()
    order: list[str] = []
    real = server.responder.respond

    def noted(data: bytes, address: str, *, tcp: bool = False) -> bytes | None:
        order.append(address)
        return real(data, address, tcp=tcp)

    def mark_turn() -> None:
        order.append("turn")
        if order.count("127.1.0.1") < 200:
            loop.call_soon(mark_turn)

    for each in server._datagrams:
        monkeypatch.setattr(each, "_respond", noted)
    for address, number in (("127.1.0.1", 200), ("127.1.0.2", 1)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind((address, 0))
            for _ in range(number):
                client.sendto(query().to_wire(), (HOST, server.port))
    loop.call_soon(mark_turn)
    async with asyncio.timeout(20):
        while len(order) - order.count("turn") < 201:
            await asyncio.sleep(0.001)
    turns = " ".join(order).split("turn")
    assert max(turn.count("127.1.0.1") for turn in turns) == DATAGRAMS_A_TURN
    assert order.index("127.1.0.2") < 2 * DATAGRAMS_A_TURN


async def test_a_taken_port_is_an_os_error(server: DnsServer) -> None:
    other = DnsServer(LittleZone(), clock=RealClock(), entropy=RealEntropy())
    with pytest.raises(OSError, match="in use"):
        await other.start(HOST, server.port)


async def test_it_can_be_started_again_on_the_same_port() -> None:
    port = 0
    for _ in range(2):
        server = DnsServer(LittleZone(), clock=RealClock(), entropy=RealEntropy())
        await server.start(HOST, port)
        port = server.port
        assert (await dns.asyncquery.tcp(query(), HOST, port=port, timeout=5)).answer
        await server.close()
