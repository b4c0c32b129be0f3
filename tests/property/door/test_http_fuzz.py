"""Any bytes at all: the listener answers or closes, never fails, and reads the same however the bytes are cut."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from outlast.cloud.effects import RealClock
from outlast.cloud.gateway.http import Connection, Limits, Listener
from outlast.cloud.wire import Request, Response
from tests.property.door.fuzzing import at_length, briefly

LIMITS = Limits(header_bytes=2_000, headers=20, body_bytes=3_000, pipelined=64)
NAMES = [
    b"Host",
    b"Content-Length",
    b"Transfer-Encoding",
    b"Connection",
    b"X-Amz-Date",
    b"Authorization",
    b"Expect",
    b"A",
]
VALUES = [
    b"h",
    b"0",
    b"3",
    b"-1",
    b"chunked",
    b"gzip, chunked",
    b"close",
    b"keep-alive",
    b"100-continue",
    b"upgrade",
    b"",
]

ends = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b" \r\n", b"\r\n "])
names = st.one_of(st.sampled_from(NAMES), st.binary(max_size=6))
values = st.one_of(st.sampled_from(VALUES), st.binary(max_size=12))
headers = st.builds(
    lambda name, gap, value, end: name + gap + value + end, names, st.sampled_from([b": ", b":", b" : "]), values, ends
)
targets = st.one_of(
    st.sampled_from([b"/", b"/a?b=c", b"*", b"http://h/x", b"//", b"/#"]), st.binary(min_size=1, max_size=8)
)
methods = st.one_of(st.sampled_from([b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT"]), st.binary(max_size=5))
versions = st.sampled_from([b" HTTP/1.1", b" HTTP/1.1", b" HTTP/1.0", b" HTTP/2.0", b" HTTP/0.9", b""])
bodies = st.one_of(
    st.just(b""), st.sampled_from([b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"0\r\nX: y\r\n\r\n"]), st.binary(max_size=30)
)


def message(
    method: bytes, target: bytes, version: bytes, end: bytes, fields: list[bytes], last: bytes, body: bytes
) -> bytes:
    return method + b" " + target + version + end + b"".join(fields) + last + body


messages = st.builds(message, methods, targets, versions, ends, st.lists(headers, max_size=5), ends, bodies)
good = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab",
        b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    ]
)
streams = st.lists(st.one_of(good, messages, st.binary(max_size=40)), min_size=1, max_size=4).map(b"".join)
cuts = st.lists(st.integers(min_value=1, max_value=400), max_size=6)


class Still(RealClock):
    """Time stands still, so that answers can be compared."""

    def now_ms(self) -> int:
        return 0


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else default

    def write(self, data: Any) -> None:
        assert not self.closed
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close


async def read(stream: bytes, places: list[int]) -> tuple[list[tuple[str, str, bytes]], bytes, bool]:
    """What the listener made of the stream, cut at these places."""
    seen: list[Request] = []

    async def respond(request: Request, peer: str, secure: bool) -> Response:
        seen.append(request)
        return Response(200, ())

    listener = Listener(respond, Still(), lambda: None, limits=LIMITS)
    wire, connection = Wire(), Connection(listener)
    connection.connection_made(wire)
    at = 0
    for place in [*sorted(set(places)), len(stream)]:
        if stream[at:place] and not wire.closed:
            connection.data_received(stream[at:place])
            for _ in range(4):
                await asyncio.sleep(0)
        at = max(at, place)
    while connection.busy:
        await asyncio.sleep(0)
    connection.connection_lost(None)
    assert listener.running == 0
    assert not listener.open
    assert listener._held_bytes == 0
    return [(each.method, each.path, each.body) for each in seen], wire.written, wire.closed


def check(stream: bytes, places: list[int]) -> None:
    if stream[:1] == b"\x16":
        return  # the first byte of a TLS handshake
    whole = asyncio.run(read(stream, []))
    for line in whole[1].split(b"\r\n"):
        if line.startswith(b"HTTP/1.1 "):
            assert line[9:10] in b"124" or line[9:12] == b"505", line
    pieces = asyncio.run(read(stream, places))
    if b"100-continue" not in stream.lower():
        assert pieces == whole


@briefly(250)
@given(stream=streams, places=cuts)
def test_any_bytes(stream: bytes, places: list[int]) -> None:
    check(stream, places)


@at_length
@given(stream=streams, places=cuts)
def test_any_bytes_at_length(stream: bytes, places: list[int]) -> None:
    check(stream, places)
