"""The listener under attack: forms that can be read in two ways, slow clients, half-open ones, floods."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable

import pytest

from outlast.cloud.effects import RealClock
from outlast.cloud.gateway.http import Connection, Limits, Listener
from outlast.cloud.wire import Request, Response

HOST = b"Host: h\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST


class Handy(RealClock):
    """A clock that a test moves."""

    ahead_s = 0.0

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.ahead_s


class Door:
    """A listener on a free port that remembers what came through."""

    def __init__(self, limits: Limits) -> None:
        self.seen: list[Request] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.answer = Response(200, ())
        self.clock = Handy()
        self.listener = Listener(self._respond, self.clock, lambda: None, limits=limits)
        self.port = 0

    async def _respond(self, request: Request, peer: str, secure: bool) -> Response:
        self.seen.append(request)
        await self.gate.wait()
        return Response(self.answer.status, self.answer.headers, self.answer.body or request.path.encode())

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def say(self, data: bytes) -> bytes:
        """All that comes back until the connection is closed or quiet."""
        reader, writer = await self.connect()
        writer.write(data)
        answer = b""
        try:
            while piece := await asyncio.wait_for(reader.read(65_536), 0.3):
                answer += piece
        except (TimeoutError, ConnectionError):
            return answer
        finally:
            writer.close()
        return answer


async def until(truth: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not truth():
            await asyncio.sleep(0.005)


@pytest.fixture
async def door(request: pytest.FixtureRequest) -> AsyncIterator[Door]:
    made = Door(getattr(request, "param", Limits(head_s=20, idle_s=75, write_s=30)))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(made.listener), "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    made.gate.set()
    server.close()
    await made.listener.close(0.1)


def bounded(**limits: int | float) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("door", [Limits(**limits)], indirect=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data",
    [
        POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nab",
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: +3\r\n\r\nabc",
        POST + b"Content-Length: 3, 3\r\n\r\nabc",
        POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        POST + b"Content-Length: 0x3\r\n\r\nabc",
        POST + b"Content-Length: 99999999999999999999999\r\n\r\nabc",
        b"GET / HTTP/1.1\nHost: h\n\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\rY: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX Y: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n",
        b"GET http://other/x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nHost: h\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
        b"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n2\nab\n0\n\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nab\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabX\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"a%d: b\r\n" % number for number in range(500)) + b"\r\n",
    ],
)
async def test_what_could_be_read_in_two_ways_is_refused(door: Door, data: bytes) -> None:
    answer = await door.say(data)
    assert answer.split(b" ")[1] in (b"400", b"413", b"431", b"505")
    assert answer.count(b"HTTP/1.1") == 1
    assert door.seen == []


async def test_what_trails_a_body_becomes_no_header(door: Door) -> None:
    tail = b"2\r\nab\r\n0\r\nAuthorization: x\r\nX-Amz-Target: y\r\nHost: other\r\n\r\n"
    assert b"200" in await door.say(POST + b"Transfer-Encoding: chunked\r\n\r\n" + tail)
    assert set(door.seen[0].headers) == {"host", "transfer-encoding"}
    assert door.seen[0].headers["host"] == "h"


async def test_answers_keep_the_order_of_their_requests_and_a_refusal_comes_last(door: Door) -> None:
    door.gate.clear()
    reader, writer = await door.connect()
    for number in (1, 2):
        writer.write(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number)
    writer.write(b"nonsense\r\n\r\n")
    await until(lambda: door.seen)
    await asyncio.sleep(0.02)
    door.gate.set()
    whole = await asyncio.wait_for(reader.read(-1), 5)
    writer.close()
    assert [piece[:3] for piece in whole.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"400"]
    assert whole.index(b"/1") < whole.index(b"/2")


async def test_a_value_cannot_begin_a_header_of_its_own(door: Door) -> None:
    door.answer = Response(200, (("X-One", "a\r\nSet-Cookie: b"), ("X-Two", "c\nd")), b"body")
    head = (await door.say(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")).partition(b"\r\n\r\n")[0]
    assert b"X-One: a Set-Cookie: b\r\n" in head
    assert b"X-Two: c d\r\n" in head


async def test_a_client_that_sends_byte_by_byte_is_dropped(door: Door) -> None:
    reader, writer = await door.connect()
    writer.write(b"GET / HTTP/1.1\r\nX: ")
    await until(lambda: any(each._started for each in door.listener.open))  # type: ignore[attr-defined]
    for _ in range(2):
        door.clock.ahead_s += 9
        writer.write(b"y")
        await asyncio.sleep(0.02)
        door.listener.sweep()
        assert len(door.listener.open) == 1
    door.clock.ahead_s += 9
    door.listener.sweep()
    assert await asyncio.wait_for(reader.read(100), 5) == b""
    writer.close()


async def test_a_body_that_only_trickles_is_dropped_and_one_that_flows_is_not(door: Door) -> None:
    slow, fast = await door.connect(), await door.connect()
    for _, writer in (slow, fast):
        writer.write(POST + b"Content-Length: 1000000\r\n\r\n")
    slow[1].write(b"x" * 10)
    fast[1].write(b"x" * 500_000)
    await until(lambda: sum(each._body_bytes for each in door.listener.open) == 500_010)  # type: ignore[attr-defined]
    door.clock.ahead_s = 60
    door.listener.sweep()
    assert await asyncio.wait_for(slow[0].read(100), 5) == b""
    assert len(door.listener.open) == 1
    for _, writer in (slow, fast):
        writer.close()


async def test_a_handshake_that_never_ends_is_dropped(door: Door) -> None:
    door.listener.context = lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    reader, writer = await door.connect()
    writer.write(b"\x16\x03\x01\x02\x00\x01")
    await until(lambda: door.listener.open)
    await asyncio.sleep(0.02)
    door.clock.ahead_s = 25
    door.listener.sweep()
    assert await asyncio.wait_for(reader.read(100), 5) == b""
    writer.close()


async def test_a_client_that_does_not_read_costs_one_answer_and_is_dropped(door: Door) -> None:
    door.answer = Response(200, (), b"x" * 4_000_000)
    reader, writer = await door.connect()
    for _ in range(10):
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    await until(lambda: len(door.seen) >= 2 or any(each._stalled for each in door.listener.open))  # type: ignore[attr-defined]
    await asyncio.sleep(0.05)
    assert len(door.seen) <= 3
    door.clock.ahead_s = 31
    door.listener.sweep()
    await until(lambda: not door.listener.open)
    writer.close()
    del reader


@bounded(connections=4, connections_per_client=4)
async def test_half_open_connections_give_way_to_those_that_ask(door: Door) -> None:
    idle = [await door.connect() for _ in range(6)]
    await until(lambda: len(door.listener.open) == 4)
    assert b"200" in await door.say(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert await asyncio.wait_for(idle[0][0].read(100), 5) == b""
    for _, writer in idle:
        writer.close()


@bounded(connections=2, connections_per_client=2)
async def test_a_request_under_way_is_not_ended_for_a_newcomer(door: Door) -> None:
    door.gate.clear()
    busy = [await door.connect() for _ in range(2)]
    for _, writer in busy:
        writer.write(b"GET /busy HTTP/1.1\r\nHost: h\r\n\r\n")
    await until(lambda: len(door.seen) == 2)
    assert await door.say(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n") == b""
    door.gate.set()
    for reader, writer in busy:
        assert b"200" in await asyncio.wait_for(reader.read(1000), 5)
        writer.close()


@bounded(held_bytes=300_000, held_bytes_per_client=200_000)
async def test_one_client_holds_a_bounded_part_of_memory(door: Door) -> None:
    reader, writer = await door.connect()
    writer.write(POST + b"Content-Length: 160000\r\n\r\n" + b"x" * 150_000)
    await until(lambda: door.listener._held["127.0.0.1"] >= 150_000)
    assert b"503" in await door.say(POST + b"Content-Length: 100000\r\n\r\n" + b"x" * 100_000)
    writer.write(b"x" * 10_000)
    assert b"200" in await asyncio.wait_for(reader.read(1000), 5)
    writer.close()
    await until(lambda: not door.listener.open)
    assert (door.listener._held_bytes, dict(door.listener._held), dict(door.listener._by_client)) == (0, {}, {})
    assert b"200" in await door.say(POST + b"Content-Length: 150000\r\n\r\n" + b"x" * 150_000)


async def test_a_client_that_has_said_all_still_gets_its_answer(door: Door) -> None:
    door.gate.clear()
    reader, writer = await door.connect()
    writer.write(b"GET /last HTTP/1.1\r\nHost: h\r\n\r\n")
    writer.write_eof()
    await until(lambda: door.seen)
    door.gate.set()
    assert (await asyncio.wait_for(reader.read(-1), 5)).endswith(b"/last")
    writer.close()


async def test_a_request_goes_on_when_its_client_has_gone(door: Door) -> None:
    door.gate.clear()
    _, writer = await door.connect()
    writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    await until(lambda: door.seen)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    await until(lambda: not door.listener.open)
    assert door.listener.running == 1
    door.gate.set()
    await until(lambda: door.listener.running == 0)


async def test_pipelining_is_answered_in_order(door: Door) -> None:
    answer = await door.say(b"".join(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number for number in range(12)))
    assert [int(piece.rpartition(b"/")[2]) for piece in answer.split(b"HTTP/1.1 ")[1:]] == list(range(12))


@pytest.mark.parametrize("door", [Limits()], indirect=True)
async def test_nothing_is_left_of_a_client_that_went_away(door: Door) -> None:
    """Without the collector of cycles: it comes seldom to a Region, and a client could leave bodies faster."""

    def held() -> list[Connection]:
        return [each for each in gc.get_objects() if type(each) is Connection]

    door.listener.context = lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    gc.collect()
    before = len(held())
    gc.disable()
    try:
        for head in (
            POST + b"Content-Length: 1000000\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + HOST + b"\r\n",
            b"\x16\x03\x01",
        ):
            _reader, writer = await door.connect()
            writer.write(head + b"x" * 500_000)
            await writer.drain()
            await until(lambda: door.listener.open)
            writer.transport.abort()
            await until(lambda: not door.listener.open)
        await until(lambda: len(held()) <= before)
    finally:
        gc.enable()
    assert door.listener.sweep() > 400_000
    assert door.listener.sweep() == 0
