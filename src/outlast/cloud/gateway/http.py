"""HTTP/1.1 over a byte stream: one request at a time a connection, answers in the order of their requests.

What two readers of the same bytes could understand differently is refused, never guessed: transfer codings other than
`chunked`, lengths beside them, more than one Host, targets with another authority, protocols other than HTTP/1.0 and
1.1 (RFC 9112, sections 3.2, 6.3 and 11). Fields that trail a body are dropped: nothing that comes after the head may
become a header.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable
from typing import Final, NamedTuple, cast

import httptools

from outlast.cloud.gateway import replies
from outlast.cloud.gateway.codings import FIRST
from outlast.cloud.gateway.listener import Later, Limits, Listener, Respond
from outlast.cloud.gateway.tls import RECORD_HANDSHAKE, TlsFailure, TlsPump
from outlast.cloud.wire import Request, Response

__all__ = ["Connection", "Limits", "Listener", "Respond"]

ONCE: Final = frozenset({"host", "content-length", "transfer-encoding", "authorization", "x-amz-date", "x-amz-target"})
USUAL: Final = {
    spelling.encode(): name
    for name in (
        "accept-encoding", "amz-sdk-invocation-id", "amz-sdk-request", "authorization", "connection", "content-length",
        "content-type", "host", "user-agent", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token",
        "x-amz-target", "x-amz-user-agent",
    )
    for spelling in (name, name.title())
}  # fmt: skip
"""Names of headers as SDKs write them, to what they are in lower case."""
SMALL_BODY_BYTES: Final = 65_536
"""Bodies up to this size are not counted among what a client holds: connections are bounded too."""


class _Refused(Exception):
    """Raised inside a parser callback to answer with a bare status and close."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Waiting(NamedTuple):
    """A request that has come, whether its connection stays, and how many bytes are held for it."""

    request: Request
    keep: bool
    held: int


class Connection(asyncio.Protocol):
    """One client connection."""

    __slots__ = (
        "_answering", "_began", "_body", "_body_bytes", "_closing", "_counted", "_head_done", "_header_bytes",
        "_headers", "_held", "_listener", "_parser", "_queue", "_refusal", "_since", "_sniffed", "_stalled", "_started",
        "_task", "_tls", "_transport", "_url", "_writable", "peer",
    )  # fmt: skip

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._tls: TlsPump | None = None
        self._sniffed = False
        self.peer = ""
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[Waiting] = deque()
        self._answering: Waiting | None = None
        self._task: asyncio.Task[None] | None = None
        self._since = self._began = listener.clock.monotonic_s()
        self._started = False
        self._closing = False
        self._refusal = 0
        self._stalled = 0.0
        self._writable = True
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
        return self._answering is not None

    @property
    def resting(self) -> bool:
        """Is nothing being answered, and no body on its way?"""
        return self._answering is None and not self._head_done

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
        self._drop_queue()
        self._reset()
        del self._parser  # it holds this connection: what came of a body would wait for the collector of cycles
        if self._tls is not None:
            self._tls.cut()

    def eof_received(self) -> bool:
        """A client that has said all may still read the answers to it."""
        self._closing = True
        return self._tls is None and (self.busy or bool(self._queue))

    def pause_writing(self) -> None:
        """The client does not read: no further request of it is begun."""
        self._writable = False
        self._stalled = self._listener.clock.monotonic_s()

    def resume_writing(self) -> None:
        self._writable = True
        self._stalled = 0.0
        self._answer_queue()

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
        if self._queue:
            self._answer_queue()

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
        self._header_bytes += len(url)
        if self._header_bytes > self._listener.limits.header_bytes:
            raise _Refused(431)

    def on_header(self, name: bytes, value: bytes) -> None:
        limits = self._listener.limits
        self._header_bytes += len(name) + len(value)
        self._counted += 1
        if self._header_bytes > limits.header_bytes or self._counted > limits.headers:
            raise _Refused(431)
        if self._head_done:
            return
        key = USUAL.get(name) or name.decode("latin-1").lower()
        headers = self._headers
        if key not in headers:
            headers[key] = value.decode("latin-1")
        elif key in ONCE:
            raise _Refused(400)
        else:
            known = headers[key]
            headers[key] = f"{known},{value.decode('latin-1')}"
            if key == "accept-encoding":
                headers.setdefault(FIRST, known)

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
        agreed = None if self._tls is None else self._tls.agreed
        request = Request(self._parser.get_method().decode("latin-1"), path, query, self._headers, body, agreed)
        self._queue.append(Waiting(request, self._parser.should_keep_alive(), self._held))
        self._started = False
        self._held = 0
        self._reset()

    # answering

    def _answer_queue(self) -> None:
        """Begin what waits, one request after the other, as long as answers come at once."""
        queue, listener = self._queue, self._listener
        while queue and self._answering is None and self._writable and self._transport is not None:
            self._answering = waiting = queue.popleft()
            listener.running += 1
            answer = listener.respond(waiting.request, self.peer, self._tls is not None)
            if isinstance(answer, Response):
                self._write_answer(answer)
            elif isinstance(answer, Later):
                answer.then(self._answered)
            else:
                self._task = asyncio.get_running_loop().create_task(self._wait(answer))

    async def _wait(self, answer: Awaitable[Response]) -> None:
        """Answer when the coroutine ends; a connection whose request cannot be answered is closed."""
        try:
            response = await answer
        except BaseException:
            self._closing = True
            self._drop_queue()
            self._ended()
            raise
        finally:
            self._task = None
        self._answered(response)

    def _answered(self, response: Response) -> None:
        """An answer that had to wait is there."""
        self._write_answer(response)
        if self._queue:
            self._answer_queue()

    def _write_answer(self, response: Response) -> None:
        """Write the answer to the request that is being answered."""
        waiting = self._answering
        assert waiting is not None
        self._write(waiting.request, response, waiting.keep)
        if not waiting.keep:
            self._closing = True
            self._drop_queue()
        self._ended()

    def _ended(self) -> None:
        """The request has been answered; after the last one comes the refusal of what could not be read, if any."""
        waiting, self._answering = self._answering, None
        listener = self._listener
        listener.running -= 1
        self._since = listener.clock.monotonic_s()
        if waiting is not None and waiting.held:
            listener.release(self.peer, waiting.held)
        if self._closing or self._refusal:
            if self._queue and self._transport is not None:
                return
            if self._closing:
                self.abort()
            else:
                self._refuse(self._refusal)

    def _drop_queue(self) -> None:
        """Forget the requests that have not been begun."""
        while self._queue:
            held = self._queue.popleft().held
            if held:
                self._listener.release(self.peer, held)

    def _let_go(self, size: int) -> None:
        self._held = 0
        if size:
            self._listener.release(self.peer, size)

    # writing

    def _write(self, request: Request, response: Response, keep: bool) -> None:
        head = replies.head(response, keep) + self._listener.date()
        body = b"" if request.method == "HEAD" or response.status in replies.BODILESS else response.body
        if len(body) < 65_536:
            self._send(head + body)
        else:
            self._send(head)
            self._send(body)

    def _refuse(self, status: int) -> None:
        """Answer with a bare status and close, after the answers to what came before."""
        self._refusal = status
        self._let_go(self._held)
        if self._answering is not None or self._queue:
            return
        self._send(replies.refusal(status))
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
