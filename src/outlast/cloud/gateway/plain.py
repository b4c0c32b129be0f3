"""HTTP as DynamoDB's front ends treat it outside its operations: health, CORS, compression, bodies that are too large.

Sources: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html (request and
response form, CRC32 over the body as sent), https://fetch.spec.whatwg.org/#http-cors-protocol.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace
from typing import Final

from outlast.cloud.wire import Request, Response, WireError

MAX_JSON_BYTES: Final = 16 * 1024 * 1024
COMPRESS_FROM_BYTES: Final = 1_024
MAX_AGE_S: Final = 172_800
EXPOSED: Final = "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date"
UNKNOWN: Final = b"<UnknownOperationException/>\n"


class Answered(Exception):
    """The request needs no operation; `response` is its answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def unaddressed(request: Request, region: str, request_id: str) -> Response | None:
    """The answer to an unsigned request that names no operation; None when it has the form of an API call."""
    if request.method == "OPTIONS":
        return preflight(request, request_id)
    if request.method == "GET" and request.path in ("/", "/ping"):
        return checked(200, f"healthy: dynamodb.{region}.amazonaws.com ".encode(), request_id)
    if request.method != "POST":
        return checked(404, UNKNOWN, request_id)
    return None


def preflight(request: Request, request_id: str) -> Response:
    """The answer to a browser that asks whether it may."""
    headers = [
        ("x-amzn-RequestId", request_id),
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Max-Age", str(MAX_AGE_S)),
    ]
    for asked, allowed in (
        ("access-control-request-headers", "Access-Control-Allow-Headers"),
        ("access-control-request-method", "Access-Control-Allow-Methods"),
    ):
        if asked in request.headers:
            headers.append((allowed, request.headers[asked]))
    return Response(200, tuple(headers), b"")


def checked(status: int, body: bytes, request_id: str) -> Response:
    """A reply with its CRC32."""
    headers = (("x-amzn-RequestId", request_id), ("x-amz-crc32", str(zlib.crc32(body))))
    return Response(status, headers, body)


def inflated(request: Request, limit: int = MAX_JSON_BYTES) -> Request:
    """The request with its body decompressed; raises WireError for a body that is no such stream or too large."""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return request
    window = zlib.MAX_WBITS | 16 if encoding != "deflate" else zlib.MAX_WBITS
    stream = zlib.decompressobj(window)
    try:
        body = stream.decompress(request.body, limit + 1)
    except zlib.error:
        raise WireError("SerializationException", "The request body could not be decompressed.") from None
    if len(body) > limit:
        raise WireError("RequestEntityTooLarge", "The request body is too large.", 413)
    if not stream.eof:
        raise WireError("SerializationException", "The request body could not be decompressed.")
    headers = {name: value for name, value in request.headers.items() if name != "content-encoding"}
    return Request(request.method, request.path, request.query, headers, body)


def dressed(request: Request, response: Response) -> Response:
    """The response as this client wants it: shared across origins, compressed."""
    headers = request.headers
    if "origin" in headers:
        response = replace(
            response,
            headers=(
                *response.headers,
                ("Access-Control-Allow-Origin", "*"),
                ("Access-Control-Expose-Headers", EXPOSED),
            ),
        )
    if "gzip" in headers.get("accept-encoding", "") and len(response.body) >= COMPRESS_FROM_BYTES:
        response = compressed(response)
    return response


def compressed(response: Response) -> Response:
    """The response with its body in gzip; a CRC32 is that of the bytes sent."""
    body = gzip.compress(response.body, 1, mtime=0)
    headers = [pair for pair in response.headers if pair[0].lower() not in ("x-amz-crc32", "content-length")]
    if len(headers) != len(response.headers):
        headers.append(("x-amz-crc32", str(zlib.crc32(body))))
    headers.append(("Content-Encoding", "gzip"))
    return Response(response.status, tuple(headers), body)
