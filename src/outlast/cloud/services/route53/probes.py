"""One probe of an endpoint, as Route 53's checkers make it.

Connect within four seconds (TCP checks: ten), a status of 200 to 399 within two more, and for string matching the
body's first 5,120 bytes within two more. Certificates are not verified; SNI is sent unless switched off.
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final, Protocol

from outlast.cloud.effects import Clock
from outlast.cloud.services.route53.health import Outcome
from outlast.cloud.services.route53.model import Check

CONNECT_S: Final = 4.0
TCP_CONNECT_S: Final = 10.0
RESPOND_S: Final = 2.0
BODY_S: Final = 2.0
BODY_BYTES: Final = 5_120
HEAD_BYTES: Final = 16_384
USER_AGENT: Final = "Amazon-Route53-Health-Check-Service (ref {check}; report http://amzn.to/1vsZADi)"


class Prober(Protocol):
    """Probes endpoints; never raises."""

    async def probe(self, check: Check, address: str, port: int) -> Outcome:
        """Probe `address` once."""
        ...


class _Failed(Exception):
    """The probe failed; the message is the reason."""


def default_port(kind: str) -> int | None:
    """The port of a health check that names none; TCP checks must name one."""
    return {"HTTP": 80, "HTTP_STR_MATCH": 80, "HTTPS": 443, "HTTPS_STR_MATCH": 443}.get(kind)


class EndpointProber:
    """Opens real connections."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE

    async def probe(self, check: Check, address: str, port: int) -> Outcome:
        began_s = self._clock.monotonic_s()
        times: dict[str, float] = {}
        try:
            reason = await self._try(check, address, port, times)
            return Outcome(True, reason, self._clock.now_ms(), **_spans(times, began_s))
        except _Failed as failed:
            return Outcome(False, f"Failure: {failed}", self._clock.now_ms(), **_spans(times, began_s))

    async def _try(self, check: Check, address: str, port: int, times: dict[str, float]) -> str:
        config = check.config
        secure = check.kind.startswith("HTTPS")
        reader, writer = await self._connect(address, port, TCP_CONNECT_S if check.kind == "TCP" else CONNECT_S)
        times["connected"] = self._clock.monotonic_s()
        try:
            if check.kind == "TCP":
                return "Success: TCP connection was established."
            if secure:
                await self._start_tls(writer, config)
                times["secured"] = self._clock.monotonic_s()
            status, head = await _within(RESPOND_S, self._status(reader, writer, check, address, port), "No response")
            times["responded"] = self._clock.monotonic_s()
            if not 200 <= status < 400:
                raise _Failed(f"HTTP Status Code {status}, {_phrase(status)}")
            if check.kind.endswith("STR_MATCH"):
                body = await _within(BODY_S, _body(reader, head), "The response body did not come")
                if config["SearchString"].encode() not in body:
                    raise _Failed("The search string was not found in the first 5120 bytes of the response body")
            return f"Success: HTTP Status Code {status}, {_phrase(status)}"
        finally:
            writer.close()
            with suppress(OSError, ssl.SSLError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 0.5)

    async def _connect(
        self, address: str, port: int, limit_s: float
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            return await asyncio.wait_for(asyncio.open_connection(address, port, limit=HEAD_BYTES), limit_s)
        except TimeoutError:
            raise _Failed(
                "Connection timed out. The endpoint or the internet connection is down, or requests are being blocked "
                "by your firewall."
            ) from None
        except OSError as error:
            raise _Failed(f"Connection failed: {error.strerror or error}") from None

    async def _start_tls(self, writer: asyncio.StreamWriter, config: Mapping[str, Any]) -> None:
        name = config.get("FullyQualifiedDomainName") if config.get("EnableSNI", True) else None
        try:
            await writer.start_tls(self._tls, server_hostname=name or "", ssl_handshake_timeout=CONNECT_S)
        except (OSError, ssl.SSLError, TimeoutError) as error:
            raise _Failed(f"SSL handshake failed: {error}") from None

    async def _status(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, check: Check, address: str, port: int
    ) -> tuple[int, bytes]:
        """Ask, and read up to the end of the head; the status, and the head for what it says of the body."""
        config = check.config
        host = config.get("FullyQualifiedDomainName") or address
        if port != default_port(check.kind):
            host = f"{host}:{port}"
        path = config.get("ResourcePath") or "/"
        path = path if path.startswith("/") else f"/{path}"
        agent = USER_AGENT.format(check=check.id)
        fields = (f"Host: {host}", f"User-Agent: {agent}", "Accept: */*", "Connection: close")
        writer.write("\r\n".join((f"GET {path} HTTP/1.1", *fields, "", "")).encode())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise _Failed("The endpoint closed the connection without an HTTP response") from None
        parts = head.split(b"\r\n", 1)[0].split(None, 2)
        if len(parts) < 2 or not parts[0].startswith(b"HTTP/") or not parts[1].isdigit():
            raise _Failed("The response was not HTTP")
        return int(parts[1]), head


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    """The first bytes of the body, up to the end that its head announces or that closing makes."""
    fields = {
        name.strip().lower(): value.strip().lower()
        for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
    }
    length = fields.get(b"content-length", b"")
    wanted = min(int(length), BODY_BYTES) if length.isdigit() else BODY_BYTES
    body = bytearray()
    while len(body) < wanted:
        try:
            piece = await reader.read(BODY_BYTES)
        except OSError:
            break
        if not piece:
            break
        body += piece
        if fields.get(b"transfer-encoding") == b"chunked" and body.endswith(b"0\r\n\r\n"):
            break
    if fields.get(b"transfer-encoding") == b"chunked":
        return _unchunked(bytes(body))[:BODY_BYTES]
    return bytes(body[:BODY_BYTES])


def _unchunked(data: bytes) -> bytes:
    """The content of as many chunks as came whole or in part."""
    content = bytearray()
    while data:
        size_text, _, rest = data.partition(b"\r\n")
        try:
            size = int(size_text.split(b";")[0], 16)
        except ValueError:
            break
        if size == 0:
            break
        content += rest[:size]
        data = rest[size + 2 :]
    return bytes(content)


async def _within(limit_s: float, work: Any, complaint: str) -> Any:
    try:
        return await asyncio.wait_for(work, limit_s)
    except TimeoutError:
        raise _Failed(f"{complaint} within {limit_s:g} seconds") from None


def _spans(times: Mapping[str, float], began_s: float) -> dict[str, float | None]:
    connected, secured, responded = (times.get(name) for name in ("connected", "secured", "responded"))
    return {
        "connect_ms": None if connected is None else (connected - began_s) * 1000,
        "tls_ms": None if secured is None or connected is None else (secured - connected) * 1000,
        "first_byte_ms": None if responded is None else (responded - began_s) * 1000,
    }


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
