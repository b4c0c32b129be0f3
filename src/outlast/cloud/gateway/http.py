"""HTTP/1.1 over a byte stream: bounded headers, bodies, connections and time; one request at a time a connection."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Final, cast

import httptools

from outlast.cloud.effects import Clock
from outlast.cloud.gateway.tls import RECORD_HANDSHAKE, TlsFailure, TlsPump
from outlast.cloud.wire import Request, Response

Respond = Callable[[Request, str, bool], Awaitable[Response]]

REASONS: Final = {
    200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 206: "Partial Content", 301: "Moved Permanently",
    304: "Not Modified", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 408: "Request Timeout", 409: "Conflict", 411: "Length Required",
    412: "Precondition Failed", 413: "Content Too Large", 416: "Range Not Satisfiable", 429: "Too Many Requests",
    431: "Request Header Fields Too Large", 500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Timeout",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection, and all of them together, may use."""

    header_bytes: int = 65_536
    body_bytes: int = 72 * 1024 * 1024
    pipelined: int = 16
    connections: int = 4_096
    idle_s: float = 75.0
    request_s: float = 60.0


@dataclass(slots=True)
class Listener:
    """What all connections of one listening address share."""

    respond: Respond
    clock: Clock
    context: Callable[[], ssl.SSLContext | None]
    plain_allowed: bool = True
    limits: Limits = field(default_factory=Limits)
    open: set[Connection] = field(default_factory=set)
    _date: tuple[int, bytes] = (0, b"")

    def date(self) -> bytes:
        """The Date header's value, made once a second."""
        now = self.clock.now_ms() // 1000
        if self._date[0] != now:
            self._date = (now, formatdate(now, usegmt=True).encode())
        return self._date[1]

    def sweep(self) -> None:
        """Close connections that have been idle, or slow to send a request, for too long."""
        now = self.clock.monotonic_s()
        for connection in tuple(self.open):
            connection.expire(now)

    async def close(self, grace_s: float = 2.0) -> None:
        """Let running requests finish for `grace_s`, then close every connection."""
        deadline = self.clock.monotonic_s() + grace_s
        while any(connection.busy for connection in self.open) and self.clock.monotonic_s() < deadline:
            await self.clock.sleep(0.02)
        for connection in tuple(self.open):
            connection.abort()


class Connection(asyncio.Protocol):
    """One client connection."""

    __slots__ = (
        "_body", "_body_bytes", "_expects", "_header_bytes", "_headers", "_keep", "_listener", "_parser", "_peer",
        "_queue", "_since", "_sniffed", "_started", "_task", "_tls", "_transport", "_url",
    )  # fmt: skip

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._tls: TlsPump | None = None
        self._sniffed = False
        self._peer = ""
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[tuple[Request, bool]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._since = listener.clock.monotonic_s()
        self._started = False
        self._reset()

    def _reset(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._header_bytes = 0
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._expects = False

    @property
    def busy(self) -> bool:
        """Is a request being answered?"""
        return self._task is not None

    # the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports do not inherit asyncio's
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if peer else ""
        if len(self._listener.open) >= self._listener.limits.connections:
            self._transport.abort()
            return
        self._listener.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.open.discard(self)
        self._transport = None
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        if not self._sniffed:
            self._sniffed = True
            if not self._sniff(data[0]):
                return
        if self._tls is not None:
            try:
                data = self._tls.feed(data)
            except TlsFailure:
                self.abort()
                return
            if not data:
                return
        self._since = self._listener.clock.monotonic_s()
        try:
            self._parser.feed_data(data)
        except _Refused as refusal:
            self._refuse(refusal.status)
        except httptools.HttpParserUpgrade:
            self._refuse(400)
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            self._refuse(cause.status if isinstance(cause, _Refused) else 400)
        except httptools.HttpParserError:
            self._refuse(400)

    def _sniff(self, first: int) -> bool:
        if first == RECORD_HANDSHAKE:
            context = self._listener.context()
            if context is None:
                self.abort()
                return False
            self._tls = TlsPump(context, self._send_raw)
        elif not self._listener.plain_allowed:
            self.abort()
            return False
        return True

    def expire(self, now: float) -> None:
        """Close when idle too long, or when a request has been arriving for too long."""
        if self.busy:
            return
        limits = self._listener.limits
        if now - self._since > (limits.request_s if self._started else limits.idle_s):
            self.abort()

    def abort(self) -> None:
        """Close now."""
        if self._transport is not None:
            if self._tls is not None:
                self._tls.close()
            self._transport.close()

    # the parser's side

    def on_message_begin(self) -> None:
        self._started = True

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        known = self._headers.get(key)
        if known is None:
            self._headers[key] = text
        elif key in ("host", "content-length", "authorization", "x-amz-date", "x-amz-target"):
            raise _Refused(400)
        else:
            self._headers[key] = f"{known},{text}"

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > self._listener.limits.header_bytes:
            raise _Refused(431)

    def on_headers_complete(self) -> None:
        headers = self._headers
        length = headers.get("content-length")
        if length is not None and int(length) > self._listener.limits.body_bytes:
            raise _Refused(413)
        if headers.get("expect", "").lower() == "100-continue":
            self._send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > self._listener.limits.body_bytes:
            raise _Refused(413)
        self._body.append(body)

    def on_message_complete(self) -> None:
        if len(self._queue) >= self._listener.limits.pipelined:
            raise _Refused(429)
        url = self._url.decode("latin-1")
        if not url.startswith("/"):
            url = _origin_form(url)
        path, _, query = url.partition("?")
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        request = Request(self._parser.get_method().decode("latin-1"), path, query, self._headers, body)
        keep = self._parser.should_keep_alive()
        self._started = False
        self._reset()
        self._queue.append((request, keep))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._queue and self._transport is not None:
                request, keep = self._queue.popleft()
                response = await self._listener.respond(request, self._peer, self._tls is not None)
                self._write(request, response, keep)
                if not keep:
                    self.abort()
                    return
        finally:
            self._task = None
            self._since = self._listener.clock.monotonic_s()

    # writing

    def _write(self, request: Request, response: Response, keep: bool) -> None:
        body = response.body
        lines = [f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Status')}\r\n"]
        explicit_length = False
        for name, value in response.headers:
            if name.lower() == "content-length":
                explicit_length = True
            lines.append(f"{name}: {value}\r\n")
        if not explicit_length and response.status not in (204, 304):
            lines.append(f"Content-Length: {len(body)}\r\n")
        if not keep:
            lines.append("Connection: close\r\n")
        head = "".join(lines).encode("latin-1", "replace") + b"Date: " + self._listener.date() + b"\r\n\r\n"
        if request.method == "HEAD" or response.status in (204, 304):
            body = b""
        self._send(head + body if len(body) < 65_536 else head)
        if len(body) >= 65_536:
            self._send(body)

    def _refuse(self, status: int) -> None:
        reason = REASONS.get(status, "Bad Request")
        self._send(f"HTTP/1.1 {status} {reason}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode("latin-1"))
        self.abort()

    def _send(self, data: bytes) -> None:
        if self._tls is not None:
            try:
                self._tls.write(data)
            except ssl.SSLError:
                self.abort()
        else:
            self._send_raw(data)

    def _send_raw(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


class _Refused(Exception):
    """Raised inside a parser callback to answer with a bare status and close."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def _origin_form(url: str) -> str:
    """`/path?query` of an absolute-form request target."""
    _scheme, separator, rest = url.partition("://")
    if not separator:
        raise _Refused(400)
    _host, slash, path = rest.partition("/")
    return slash + path if slash else "/"
