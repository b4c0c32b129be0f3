"""Content codings as DynamoDB's front ends treat them: bodies that come compressed, answers that are wanted so.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-compression.html and RFC 9110, sections 8.4 and 12.5.3. A body
that is no stream of its coding is an internal error to DynamoDB, and the client's mistake to every other service;
answers are compressed from 4 KB on, by the client's weights, of which an unreadable one counts as 1; what follows a
whole stream and is none is not looked at.
"""

from __future__ import annotations

import gzip
import re
import zlib
from functools import lru_cache
from typing import Final

from outlast.cloud.wire import Request, Response, WireError

MAX_PLAIN_BYTES: Final = 16 * 1024 * 1024
"""The largest request body, as it came or decompressed; DynamoDB does not bound the latter, here work must be."""
MAX_STREAMS: Final = 256
"""The most gzip streams in one body."""
PIECE_BYTES: Final = 16_384
"""How much of a compressed body is handed to a stream at once: what it leaves over for the next is copied."""
AS_DYNAMODB: Final = frozenset({"dynamodb", "dynamodbstreams"})
"""The services that answer 500 to what they cannot decompress, as public tests against DynamoDB show."""
COMPRESS_FROM_BYTES: Final = 4_096
FIRST: Final = ":accept-encoding"
"""The first of several Accept-Encoding headers; only it counts."""
OFFERED: Final = ("gzip", "deflate")
WEIGHT: Final = re.compile(r"q=([^;]*)")


def inflated(request: Request, service: str, limit: int = MAX_PLAIN_BYTES) -> Request:
    """The request with its body plain; raises WireError for a body too large, or no stream of its coding."""
    try:
        return _plain(request, limit)
    except _Unreadable as error:
        if service in AS_DYNAMODB:
            raise WireError("InternalServerError", error.message, 500) from None
        raise


class _Unreadable(WireError):
    """The body cannot be decompressed."""

    def __init__(self, message: str = "The request body could not be decompressed.") -> None:
        super().__init__("SerializationException", message)


def _plain(request: Request, limit: int) -> Request:
    coding = request.headers.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        if len(request.body) > limit:
            raise too_large()
        return request
    if coding == "gzip":
        body = _inflate(request.body, zlib.MAX_WBITS | 16, limit)
    elif coding == "deflate":
        body = _inflate(request.body, zlib.MAX_WBITS, limit)
    else:
        raise _Unreadable(f"The Content-Encoding {coding[:32]} is not supported.")
    headers = {name: value for name, value in request.headers.items() if name != "content-encoding"}
    return Request(request.method, request.path, request.query, headers, body)


def _inflate(data: bytes, window: int, limit: int) -> bytes:
    """One stream, or several of gzip one after the other."""
    parts: list[bytes] = []
    size = place = 0
    for _ in range(MAX_STREAMS):
        stream = zlib.decompressobj(window)
        while not stream.eof:
            piece = data[place : place + PIECE_BYTES]
            if not piece:
                raise _Unreadable
            try:
                part = stream.decompress(piece, limit - size + 1)
            except zlib.error:
                raise _Unreadable from None
            size += len(part)
            if size > limit:
                raise too_large()
            parts.append(part)
            place += len(piece) - len(stream.unconsumed_tail) - len(stream.unused_data)
        if window == zlib.MAX_WBITS or not data.startswith(b"\x1f\x8b", place):
            return b"".join(parts)
    raise too_large()


def too_large() -> WireError:
    """The answer to a body over the limit."""
    return WireError("RequestEntityTooLarge", "The request body is too large.", 413)


@lru_cache(maxsize=256)
def chosen(accepted: str) -> str | None:
    """The coding of an answer to a client that sent this Accept-Encoding; None for a plain answer."""
    weights: dict[str, float] = {}
    for each in accepted.lower().split(","):
        name, _, rest = each.partition(";")
        name = name.strip()
        weights[name] = max(weights.get(name, 0.0), _weight(rest))
    candidates = [(name, weight) for name, weight in weights.items() if name in OFFERED]
    if "*" in weights:
        candidates += [(name, weights["*"]) for name in OFFERED if name not in weights]
    best, weight = max(candidates, key=lambda pair: pair[1], default=("", 0.0))
    return best if weight > 0 else None


def _weight(parameters: str) -> float:
    found = WEIGHT.search(parameters)
    if found is None:
        return 1.0
    try:
        return min(float(found[1].strip()), 1.0)
    except ValueError:
        return 1.0


def compressed(response: Response, coding: str) -> Response:
    """The response with its body in the coding; a CRC32 is that of the bytes sent."""
    body = gzip.compress(response.body, 1, mtime=0) if coding == "gzip" else zlib.compress(response.body, 1)
    headers = [pair for pair in response.headers if pair[0].lower() not in ("x-amz-crc32", "content-length")]
    if len(headers) != len(response.headers):
        headers.append(("x-amz-crc32", str(zlib.crc32(body))))
    headers.append(("Content-Encoding", coding))
    return Response(response.status, tuple(headers), body)
