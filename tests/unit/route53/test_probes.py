"""Probes against real listeners: what passes, what fails, and what is said of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from outlast.cloud.effects import RealClock
from outlast.cloud.services.route53 import probes
from outlast.cloud.services.route53.health import Outcome
from outlast.cloud.services.route53.model import Check
from outlast.cloud.services.route53.probes import EndpointProber
from outlast.cloud.world.authority import Authority

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Listen = Callable[..., Awaitable[int]]


class Seen:
    """What the endpoint was asked."""

    head = b""
    sni: str | None = None


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    """Start listeners: `port = await listen(answer, tls)`; `answer` is bytes to send or a coroutine function."""
    servers: list[asyncio.Server] = []

    async def start(answer: bytes | Handler, tls: ssl.SSLContext | None = None) -> int:
        async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if callable(answer):
                await answer(reader, writer)
            else:
                Seen.head = await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)
            writer.close()

        server = await asyncio.start_server(reply, "127.0.0.1", 0, ssl=tls)
        servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()


def http(status: int, body: bytes = b"", extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d Whatever\r\nContent-Length: %d\r\n%s\r\n%s" % (status, len(body), extra, body)


async def probe(kind: str, port: int, **config: Any) -> Outcome:
    check = Check("check-1", "r", 1, {"Type": kind, "ResourcePath": "/health", **config})
    return await EndpointProber(RealClock()).probe(check, "127.0.0.1", port)


@pytest.mark.parametrize("status", [200, 204, 301, 399])
async def test_2xx_and_3xx_are_healthy(listen: Listen, status: int) -> None:
    outcome = await probe("HTTP", await listen(http(status)))
    assert outcome.ok
    assert outcome.reason.startswith(f"Success: HTTP Status Code {status}, ")
    assert outcome.connect_ms is not None
    assert outcome.first_byte_ms is not None
    assert outcome.tls_ms is None


@pytest.mark.parametrize(("status", "phrase"), [(404, "Not Found"), (503, "Service Unavailable"), (799, "Unknown")])
async def test_other_statuses_are_not(listen: Listen, status: int, phrase: str) -> None:
    outcome = await probe("HTTP", await listen(http(status)))
    assert (outcome.ok, outcome.reason) == (False, f"Failure: HTTP Status Code {status}, {phrase}")


async def test_the_request_says_who_asks_for_what(listen: Listen) -> None:
    port = await listen(http(200))
    await probe("HTTP", port, FullyQualifiedDomainName="api.example.com")
    lines = Seen.head.decode().split("\r\n")
    assert lines[0] == "GET /health HTTP/1.1"
    assert f"Host: api.example.com:{port}" in lines
    assert any(line.startswith("User-Agent: Amazon-Route53-Health-Check-Service (ref check-1;") for line in lines)


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b"all is well", True), (b"all is lost", False), (b"x" * 5_116 + b"well", True), (b"x" * 5_117 + b"well", False)],
)
async def test_the_search_string_must_be_in_the_first_5120_bytes(listen: Listen, body: bytes, expected: bool) -> None:
    outcome = await probe("HTTP_STR_MATCH", await listen(http(200, body)), SearchString="well")
    assert outcome.ok is expected
    if not expected:
        assert "search string was not found" in outcome.reason


async def test_a_chunked_body_is_searched_without_its_frames(listen: Listen) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nall \r\n7\r\nis well\r\n0\r\n\r\n"
    port = await listen(chunked)
    assert (await probe("HTTP_STR_MATCH", port, SearchString="all is well")).ok
    assert not (await probe("HTTP_STR_MATCH", port, SearchString="7\r\n")).ok


async def test_a_status_that_is_bad_fails_before_the_body_is_searched(listen: Listen) -> None:
    outcome = await probe("HTTP_STR_MATCH", await listen(http(500, b"well")), SearchString="well")
    assert outcome.reason == "Failure: HTTP Status Code 500, Internal Server Error"


async def test_tcp_needs_a_connection_only(listen: Listen) -> None:
    port = await listen(b"")
    assert (await probe("TCP", port)).ok


async def test_a_refused_connection(listen: Listen) -> None:
    port = await listen(b"")
    refused = await probe("HTTP", 1 if port != 1 else 2)
    assert not refused.ok
    assert refused.reason.startswith("Failure: Connection failed")
    assert refused.connect_ms is None


@pytest.mark.parametrize("garbage", [b"", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"x" * 20_000])
async def test_what_is_not_http(listen: Listen, garbage: bytes) -> None:
    assert not (await probe("HTTP", await listen(garbage))).ok


async def test_a_slow_endpoint(listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "RESPOND_S", 0.05)
    monkeypatch.setattr(probes, "BODY_S", 0.05)
    stop = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await stop.wait()

    async def head_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        await stop.wait()

    late = await probe("HTTP", await listen(silent))
    assert late.reason == "Failure: No response within 0.05 seconds"
    bodiless = await probe("HTTP_STR_MATCH", await listen(head_only), SearchString="x")
    assert bodiless.reason == "Failure: The response body did not come within 0.05 seconds"
    assert (await probe("HTTP", await listen(head_only))).ok
    stop.set()


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """A certificate that nobody has reason to trust, for a name that nobody asks for."""
    now = dt.datetime.now(dt.UTC)
    pair = Authority.create("Nobody", now).issue(("nobody.invalid",), now)
    path = tmp_path / "pair.pem"
    path.write_text(pair.certificate_pem + pair.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)

    def noticed(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        Seen.sni = name

    context.sni_callback = noticed  # type: ignore[assignment]
    return context


@pytest.mark.parametrize(("enabled", "expected"), [(True, "api.example.com"), (False, None)])
async def test_https_sends_sni_and_verifies_no_certificate(
    listen: Listen, tls: ssl.SSLContext, enabled: bool, expected: str | None
) -> None:
    Seen.sni = "unset"
    port = await listen(http(200), tls)
    outcome = await probe("HTTPS", port, FullyQualifiedDomainName="api.example.com", EnableSNI=enabled)
    assert outcome.ok
    assert outcome.tls_ms is not None
    assert Seen.sni == expected


async def test_https_to_a_plain_listener_fails(listen: Listen) -> None:
    outcome = await probe("HTTPS", await listen(http(200)))
    assert outcome.reason.startswith("Failure: SSL handshake failed")
