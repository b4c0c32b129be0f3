"""HTTP as DynamoDB's front ends treat it outside its operations: health, CORS, compressed answers.

Sources: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html (request and
response form, CRC32 over the body as sent), https://fetch.spec.whatwg.org/#http-cors-protocol.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Final

from outlast.cloud.gateway import codings
from outlast.cloud.wire import Request, Response

MAX_AGE_S: Final = 172_800
EXPOSED: Final = "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date"
SERVER: Final = ("Server", "Server")
UNKNOWN: Final = b"<UnknownOperationException/>\n"


class Answered(Exception):
    """The request needs no operation; `response` is its answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def unaddressed(request: Request, region: str, request_id: str) -> Response | None:
    """The answer to an unsigned request that names no operation; None when it has the form of an API call."""
    if request.method == "OPTIONS":
        return preflight(request, request_id) if "origin" in request.headers else checked(200, b"", request_id)
    if request.method == "GET" and request.path in ("/", "/ping"):
        name = request.headers.get("host") or f"dynamodb.{region}.amazonaws.com"
        return checked(200, f"healthy: {name} ".encode("latin-1"), request_id)
    if request.method != "POST":
        return checked(404, UNKNOWN, request_id)
    return None


def preflight(request: Request, request_id: str) -> Response:
    """The answer to a browser that asks whether it may."""
    headers = [
        SERVER,
        ("x-amzn-RequestId", request_id),
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
    headers = (SERVER, ("x-amzn-RequestId", request_id), ("x-amz-crc32", str(zlib.crc32(body))))
    return Response(status, headers, body)


def dressed(request: Request, response: Response) -> Response:
    """The response as this client wants it: shared across origins, compressed."""
    headers = request.headers
    if "origin" in headers:
        response = shared(response)
    accepted = headers.get(codings.FIRST) or headers.get("accept-encoding", "")
    if len(response.body) >= codings.COMPRESS_FROM_BYTES:
        coding = codings.chosen(accepted)
        if coding is not None:
            response = codings.compressed(response, coding)
    return response


def shared(response: Response) -> Response:
    """The response for a script of any origin."""
    allowed = (("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", EXPOSED))
    return replace(response, headers=(*response.headers, *allowed))
