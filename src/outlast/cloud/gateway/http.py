"""HTTP/1.1 over a byte stream: one request at a time a connection, answers in the order of their requests.

What two readers of the same bytes could understand differently is refused, never guessed: transfer codings other than
`chunked`, lengths beside them, more than one Host, targets with another authority, protocols other than HTTP/1.0 and
1.1 (RFC 9112, sections 3.2, 6.3 and 11). Fields that trail a body are dropped: nothing that comes after the head may
become a header.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import deque
from typing import Final, cast

import httptools

from outlast.cloud.gateway.codings import FIRST
from outlast.cloud.gateway.listener import Limits, Listener, Respond
from outlast.cloud.gateway.tls import RECORD_HANDSHAKE, TlsFailure, TlsPump
from outlast.cloud.wire import Request, Response

__all__ = ["Connection", "Limits", "Listener", "Respond"]

REASONS: Final = {
    200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 206: "Partial Content", 301: "Moved Permanently",
    304: "Not Modified", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 408: "Request Timeout", 409: "Conflict", 411: "Length Required",
    412: "Precondition Failed", 413: "Content Too Large", 416: "Range Not Satisfiable", 429: "Too Many Requests",
    431: "Request Header Fields Too Large", 500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported",
}  # fmt: skip
ONCE: Final = frozenset({"host", "content-length", "transfer-encoding", "authorization", "x-amz-date", "x-amz-target"})
BREAKS: Final = re.compile(r"[\r\n]+")
SMALL_BODY_BYTES: Final = 65_536
"""Bodies up to this size are not counted among what a client holds: connections are bounded too."""


class _Refused(Exception):
    """Raised inside a parser callback to answer with a bare status and close."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Connection(asyncio.Protocol):
    """One client connection."""

    __slots__ = (
        "_began", "_body", "_body_bytes", "_closing", "_counted", "_head_done", "_header_bytes", "_headers", "_held",
        "_listener", "_parser", "_queue", "_refusal", "_since", "_sniffed", "_stalled", "_started", "_task", "_tls",
        "_transport", "_url", "_writable", "peer",
    )  # fmt: skip

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._tls: TlsPump | None = None
        self._sniffed = False
        self.peer = ""
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[tuple[Request, bool, int]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._since = self._began = listener.clock.monotonic_s()
        self._started = False
        self._closing = False
        self._refusal = 0
        self._stalled = 0.0
        self._writable: asyncio.Event | None = None
        self._held = 0
        self._reset()

    def _reset(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._header_bytes = self._counted = self._body_bytes = 0
        self._head_done = False
        self._body: list[bytes] = []

    @property
    def busy(self) -> bool:
        """Is a request being answered?"""
        return self._task is not None

    @property
    def resting(self) -> bool:
        """Is nothing being answered, and no body on its way?"""
        return self._task is None and not self._head_done

    # the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports do not inherit asyncio's
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if peer else ""
        if not self._listener.admit(self):
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """A request that is being answered goes on to its end; its answer is dropped."""
        self._listener.leave(self)
        self._transport = None
        self._let_go(self._held)
        while self._queue:
            self._let_go_of(self._queue.popleft()[2])
        if self._writable is not None:
            self._writable.set()

    def eof_received(self) -> bool:
        """A client that has said all may still read the answers to it."""
        self._closing = True
        return self._tls is None and (self.busy or bool(self._queue))

    def pause_writing(self) -> None:
        """The client does not read: no further request of it is begun."""
        self._writable = asyncio.Event()
        self._stalled = self._listener.clock.monotonic_s()

    def resume_writing(self) -> None:
        if self._writable is not None:
            self._writable.set()
        self._writable = None
        self._stalled = 0.0

    def data_received(self, data: bytes) -> None:
        if self._refusal or self._closing:
            return
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
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            self._refuse(cause.status if isinstance(cause, _Refused) else 400)
        except (httptools.HttpParserUpgrade, httptools.HttpParserError):
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
        """Close when idle too long, or when a request comes, or its answer is read, too slowly."""
        limits = self._listener.limits
        if self._stalled and now - self._stalled > limits.write_s:
            self._drop()
        elif self.busy or self._queue:
            return
        elif self._started:
            allowed_s = limits.head_s + (self._body_bytes / limits.body_bytes_per_s if self._head_done else 0.0)
            if now - self._began > allowed_s:
                self.abort()
        elif self._tls is not None and not self._tls.handshaken:
            if now - self._began > limits.head_s:
                self.abort()
        elif now - self._since > limits.idle_s:
            self.abort()

    def abort(self) -> None:
        """Close now; what has been written is still sent."""
        if self._transport is not None:
            if self._tls is not None:
                self._tls.close()
            if self._transport is not None:
                self._transport.close()

    def _drop(self) -> None:
        """Close now, and drop what the client did not read."""
        if self._transport is not None:
            self._transport.abort()

    # the parser's side

    def on_message_begin(self) -> None:
        self._started = True
        self._began = self._listener.clock.monotonic_s()

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        self._counted += 1
        if self._counted > self._listener.limits.headers:
            raise _Refused(431)
        if self._head_done:
            return
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        known = self._headers.get(key)
        if known is None:
            self._headers[key] = text
        elif key in ONCE:
            raise _Refused(400)
        else:
            self._headers[key] = f"{known},{text}"
            if key == "accept-encoding":
                self._headers.setdefault(FIRST, known)

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > self._listener.limits.header_bytes:
            raise _Refused(431)

    def on_headers_complete(self) -> None:
        headers, parser = self._headers, self._parser
        version = parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise _Refused(505)
        if (version == "1.1" and "host" not in headers) or parser.should_upgrade():
            raise _Refused(400)
        coding = headers.get("transfer-encoding")
        if coding is not None and (coding.lower() != "chunked" or version == "1.0" or "content-length" in headers):
            raise _Refused(400)
        length = headers.get("content-length")
        if length is not None and int(length) > self._listener.limits.body_bytes:
            raise _Refused(413)
        self._head_done = True
        if "expect" in headers and headers["expect"].lower() == "100-continue" and not self.busy:
            self._send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > self._listener.limits.body_bytes:
            raise _Refused(413)
        if self._body_bytes > SMALL_BODY_BYTES:
            more = self._body_bytes - self._held
            if not self._listener.hold(self.peer, more):
                raise _Refused(503)
            self._held += more
        self._body.append(body)

    def on_message_complete(self) -> None:
        if len(self._queue) >= self._listener.limits.pipelined:
            raise _Refused(429)
        url = self._url.decode("latin-1")
        if not url.startswith("/"):
            url = _origin_form(url, self._headers.get("host", ""))
        if "#" in url:
            raise _Refused(400)
        path, _, query = url.partition("?")
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        request = Request(self._parser.get_method().decode("latin-1"), path, query, self._headers, body)
        self._queue.append((request, self._parser.should_keep_alive(), self._held))
        self._started = False
        self._held = 0
        self._reset()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        """Answer what waits, one after the other; then the refusal of what could not be read, if there was one."""
        listener = self._listener
        listener.running += 1
        try:
            while self._queue and self._transport is not None:
                if self._writable is not None:
                    await self._writable.wait()
                    continue
                request, keep, held = self._queue.popleft()
                try:
                    response = await listener.respond(request, self.peer, self._tls is not None)
                finally:
                    self._let_go_of(held)
                self._write(request, response, keep)
                if not keep:
                    self._closing = True
                    break
        finally:
            listener.running -= 1
            self._task = None
            self._since = listener.clock.monotonic_s()
            if self._closing:
                self.abort()
            elif self._refusal:
                self._refuse(self._refusal)

    def _let_go(self, size: int) -> None:
        self._held = 0
        self._let_go_of(size)

    def _let_go_of(self, size: int) -> None:
        if size:
            self._listener.release(self.peer, size)

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
        text = "".join(lines)
        if text.count("\n") != len(lines) or text.count("\r") != len(lines):  # a value would begin a line of its own
            text = "".join([BREAKS.sub(" ", line[:-2]) + "\r\n" for line in lines])
        head = text.encode("latin-1", "replace") + b"Date: " + self._listener.date() + b"\r\n\r\n"
        if request.method == "HEAD" or response.status in (204, 304):
            body = b""
        self._send(head + body if len(body) < 65_536 else head)
        if len(body) >= 65_536:
            self._send(body)

    def _refuse(self, status: int) -> None:
        """Answer with a bare status and close, after the answers to what came before."""
        self._refusal = status
        self._let_go(self._held)
        if self._task is not None:
            return
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


def _origin_form(url: str, host: str) -> str:
    """`/path?query` of an absolute-form target, whose authority must be the Host that may have been signed."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    if not separator or scheme.lower() not in ("http", "https") or not authority or authority.lower() != host.lower():
        raise _Refused(400)
    return slash + path if slash else "/"
