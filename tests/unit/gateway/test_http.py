"""The HTTP listener: framing, limits, TLS on the same port."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from outlast.cloud.effects import RealClock
from outlast.cloud.gateway.http import Connection, Limits, Listener
from outlast.cloud.wire import Request, Response
from outlast.cloud.world.authority import Authority, server_context


class Echo:
    """Answers with what it got, and remembers it."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.hold: asyncio.Event | None = None

    async def respond(self, request: Request, peer: str, secure: bool) -> Response:
        self.seen.append(request)
        if self.hold is not None:
            await self.hold.wait()
        return Response(
            200, (("X-Peer", peer), ("X-Secure", str(secure))), request.method.encode() + b" " + request.body
        )


class Site:
    """A listener on a free port."""

    def __init__(self, echo: Echo, port: int, listener: Listener, authority: Authority) -> None:
        self.echo, self.port, self.listener, self.authority = echo, port, listener, authority

    async def talk(self, data: bytes, context: ssl.SSLContext | None = None) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context)
        writer.write(data)
        await writer.drain()
        if writer.can_write_eof() and context is None:
            answer = await asyncio.wait_for(reader.read(1 << 20), 5)
        else:
            answer = await asyncio.wait_for(reader.read(1 << 20), 5)
        writer.close()
        return answer


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    authority = Authority.create("test", dt.datetime.now(dt.UTC))
    pair = authority.issue(("localhost", "127.0.0.1"), dt.datetime.now(dt.UTC))
    context = server_context(pair, tmp_path)
    echo = Echo()
    limits = Limits(header_bytes=2_000, body_bytes=10_000, pipelined=3, idle_s=0.0, head_s=0.0)
    listener = Listener(echo.respond, RealClock(), lambda: context, limits=limits)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(listener), "127.0.0.1", 0)
    yield Site(echo, server.sockets[0].getsockname()[1], listener, authority)
    server.close()
    await listener.close(0.1)


async def test_a_request_reaches_the_responder_as_it_came(site: Site) -> None:
    answer = await site.talk(
        b"POST /a%2Fb?x=1&y HTTP/1.1\r\nHost: h\r\nX-One: a\r\nx-one:  b \r\nContent-Length: 3\r\n\r\nabc"
    )
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"X-Secure: False" in answer
    assert answer.endswith(b"\r\n\r\nPOST abc")
    request = site.echo.seen[0]
    assert (request.method, request.path, request.query, request.body) == ("POST", "/a%2Fb", "x=1&y", b"abc")
    assert request.headers["x-one"].replace(" ", "") == "a,b"


async def test_the_same_port_speaks_tls(site: Site) -> None:
    context = ssl.create_default_context(cadata=site.authority.pair.certificate_pem)
    answer = await site.talk(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", context)
    assert answer.endswith(b"GET ")
    assert b"X-Secure: True" in answer
    with pytest.raises(ssl.SSLCertVerificationError):
        await site.talk(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ssl.create_default_context())


async def test_chunked_bodies_and_pipelined_requests(site: Site) -> None:
    one = b"PUT /1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    two = b"GET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(one + two)
    answer = await asyncio.wait_for(reader.read(-1), 5)
    writer.close()
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert [request.path for request in site.echo.seen] == ["/1", "/2"]
    assert site.echo.seen[0].body == b"abcde"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 3_000 + b"\r\n\r\n", b"431"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n" + b"a" * 20_000, b"413"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", b"400"),
        (b"no http at all\r\n\r\n", b"400"),
    ],
)
async def test_bad_framing_is_refused_and_the_connection_closed(site: Site, data: bytes, status: bytes) -> None:
    answer = await site.talk(data)
    assert answer.split(b" ")[1] == status
    assert site.echo.seen == []


async def test_too_many_requests_ahead_are_refused(site: Site) -> None:
    site.echo.hold = asyncio.Event()
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" * 6)
    while not site.echo.seen:
        await asyncio.sleep(0.005)
    site.echo.hold.set()
    answer = await asyncio.wait_for(reader.read(-1), 5)
    writer.close()
    statuses = [piece[:3] for piece in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"200", b"200", b"429"]


async def test_expect_continue_is_answered(site: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(b"PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert (await asyncio.wait_for(reader.readline(), 5)) == b"HTTP/1.1 100 Continue\r\n"
    await reader.readline()
    writer.write(b"ok")
    assert b"PUT ok" in await asyncio.wait_for(reader.read(1 << 16), 5)
    writer.close()


async def test_a_slow_client_is_dropped(site: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(b"GET / HTTP/1.1\r\nHos")
    while not site.listener.open:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.02)
    site.listener.sweep()
    assert await asyncio.wait_for(reader.read(1 << 16), 5) == b""
    writer.close()
