"""The front door: one address for all Regions. It reads where a request is signed for and passes it on unchanged."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import deque
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import cast
from urllib.parse import unquote

import httptools

from outlast.cloud.effects import Clock
from outlast.cloud.gateway import hosts
from outlast.cloud.gateway.codings import FIRST
from outlast.cloud.identity.presented import split_regions
from outlast.cloud.wire import Request, Response, bare

SCOPE = re.compile(r"Credential=[^/,]+/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
QUERY_SCOPE = re.compile(r"X-Amz-Credential=[^&]*?(?:/|%2F)\d{8}(?:/|%2F)([a-z0-9-]+)(?:/|%2F)([a-z0-9-]+)")
QUERY_SET = re.compile(r"X-Amz-Region-Set=([^&]*)")
ACTION = re.compile(r"(?:^|&)Action=")
XML_SERVICES = frozenset({"route53", "s3"})
SAID_BY = "front-door"
"""What stands for a request's id in the front door's own errors: no Region has given it one."""
POOL = 64
TIMEOUT_S = 65.0
DROPPED = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "expect"})


class FrontDoor:
    """Sends each request to the Region of its credential scope, host or path; the Region does everything else."""

    def __init__(self, addresses: Mapping[str, tuple[str, int]], clock: Clock, context: ssl.SSLContext) -> None:
        self._context = context
        self._addresses = dict(addresses)
        self._default = next(iter(addresses))
        self._clock = clock
        self._idle: dict[tuple[str, bool], deque[_Upstream]] = {
            (region, secure): deque() for region in addresses for secure in (False, True)
        }

    def region_of(self, request: Request) -> str:
        """The Region that the request is for; the first one where nothing says."""
        headers = request.headers
        scope = SCOPE.search(headers.get("authorization", "")) or QUERY_SCOPE.search(request.query)
        if scope is not None:
            return scope.group(1)
        host = hosts.read(headers.get("host", "")).region
        queried = QUERY_SET.search(request.query)
        patterns = split_regions(headers.get("x-amz-region-set") or (unquote(queried.group(1)) if queried else ""))
        covered = [name for name in self._addresses if any(fnmatchcase(name, pattern) for pattern in patterns)]
        if covered:
            return host if host in covered else covered[0]
        return host or self._default

    async def respond(self, request: Request, _peer: str, secure: bool) -> Response:
        """Pass the request on and return the Region's answer; 503 when the Region does not answer."""
        region = self.region_of(request)
        if region not in self._addresses:
            return refusal(request, 400, "InvalidSignatureException", f"This world has no Region {region}.")
        wire = serialize(request)
        pool = self._idle[region, secure]
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while pool:
                    upstream = pool.popleft()
                    if upstream.usable:
                        try:
                            return await self._exchange(upstream, request, wire, pool)
                        except ConnectionResetError:
                            if upstream.answered_some:
                                raise
                upstream = await self._connect(region, secure)
                return await self._exchange(upstream, request, wire, pool)
        except (OSError, TimeoutError, httptools.HttpParserError) as error:
            message = f"The Region {region} does not answer ({type(error).__name__})."
            return refusal(request, 503, "ServiceUnavailable", message)

    async def _connect(self, region: str, secure: bool) -> _Upstream:
        """A connection of the same kind as the client's, so that the Region knows whether TLS was used."""
        host, port = self._addresses[region]
        context = self._context if secure else None
        _transport, upstream = await asyncio.get_running_loop().create_connection(_Upstream, host, port, ssl=context)
        return upstream

    async def _exchange(self, upstream: _Upstream, request: Request, wire: bytes, pool: deque[_Upstream]) -> Response:
        try:
            response = await upstream.exchange(wire, bodiless=request.method == "HEAD")
        except BaseException:
            upstream.close()
            raise
        if upstream.usable and len(pool) < POOL:
            pool.append(upstream)
        else:
            upstream.close()
        return response

    def close(self) -> None:
        """Drop every idle connection."""
        for pool in self._idle.values():
            while pool:
                pool.popleft().close()


def serialize(request: Request) -> bytes:
    """The request as it came, with a length instead of whatever framed its body."""
    target = f"{request.path}?{request.query}" if request.query else request.path
    lines = [f"{request.method} {target} HTTP/1.1\r\n"]
    headers = request.headers if FIRST not in request.headers else split_encodings(request.headers)
    for name, value in headers.items():
        if name not in DROPPED:
            lines.append(f"{name}: {value}\r\n")
    lines.append(f"content-length: {len(request.body)}\r\n\r\n")
    return "".join(lines).encode("latin-1") + request.body


def split_encodings(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with the first Accept-Encoding header apart from those after it, as they came."""
    first = headers[FIRST]
    rest = headers["accept-encoding"][len(first) + 1 :]
    kept = {name: value for name, value in headers.items() if name not in (FIRST, "accept-encoding")}
    return {**kept, "Accept-Encoding": first, "accept-encoding": rest}


def refusal(request: Request, status: int, code: str, message: str) -> Response:
    """An error of the front door itself, in the form that the client's protocol has."""
    scope = SCOPE.search(request.headers.get("authorization", "")) or QUERY_SCOPE.search(request.query)
    service = scope.group(2) if scope is not None else hosts.read(request.headers.get("host", "")).service
    return bare(service, protocol_of(request, service), status, code, message, SAID_BY)


def protocol_of(request: Request, service: str) -> str:
    """The protocol that a request is written in, told without the service's model."""
    headers = request.headers
    if headers.get("smithy-protocol") == "rpc-v2-cbor":
        return "smithy-rpc-v2-cbor"
    if "x-amz-target" in headers:
        return "json"
    if service in XML_SERVICES:
        return "rest-xml"
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded") or ACTION.search(request.query):
        return "query"
    return "rest-json"


class _Upstream(asyncio.Protocol):
    """One kept connection to a Region; one exchange at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Response] | None = None
        self._headers: list[tuple[str, str]] = []
        self._body: list[bytes] = []
        self._bodiless = False
        self.answered_some = False

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing() and self._answer is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports do not inherit asyncio's

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("the Region closed the connection"))

    def data_received(self, data: bytes) -> None:
        if self._answer is None:  # nobody asked: it must not pass for the answer to what is asked next
            self.close()
            return
        self.answered_some = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if self._answer is not None and not self._answer.done():
                self._answer.set_exception(error)
            self.close()

    async def exchange(self, wire: bytes, *, bodiless: bool) -> Response:
        """The answer to a request; `bodiless` when it ends with its head, whatever length that tells (HEAD)."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self.answered_some = False
        self._headers, self._body = [], []
        self._bodiless = bodiless
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(wire)
        try:
            return await self._answer
        finally:
            self._answer = None

    def on_header(self, name: bytes, value: bytes) -> None:
        text = name.decode("latin-1")
        if text.lower() not in DROPPED or (self._bodiless and text.lower() == "content-length"):
            self._headers.append((text, value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        if self._bodiless:
            self.on_message_complete()

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._answer is not None and not self._answer.done():
            status = self._parser.get_status_code()
            if status >= 200:
                self._answer.set_result(Response(status, tuple(self._headers), b"".join(self._body)))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
