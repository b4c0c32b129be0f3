"""Requests and calls that go on to another Region, and faults as plain values."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import orjson

from outlast.cloud.contract import Fault, Region, RemoteFault, ServiceUnavailable
from outlast.cloud.effects import LinkDown
from outlast.cloud.wire import Request, Response

REQUEST_CHANNEL = "gateway.request"
CALL_CHANNEL = "gateway.call"
TIMEOUT_S = 40.0


class AuthFault(RemoteFault):
    """A fault of authentication: each family of services names it in its own way."""


AUTH_CODES = frozenset(
    {
        "MissingAuthenticationTokenException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "UnrecognizedClientException",
        "ExpiredTokenException",
    }
)


def remote_fault(code: str, message: str, status: int | None, **fields: Any) -> RemoteFault:
    """A fault from its parts."""
    kind = AuthFault if code in AUTH_CODES else RemoteFault
    return kind(code, message, status, **fields)


def plain_fault(fault: Fault, request_id: str) -> Response:
    """The wire error of a request whose service could not be told."""
    body = orjson.dumps({"__type": fault.code, "message": fault.message})
    headers = (
        ("Content-Type", "application/x-amz-json-1.0"),
        ("x-amzn-RequestId", request_id),
        ("x-amzn-ErrorType", fault.code),
    )
    return Response(fault.status or 400, headers, body)


async def request(region: Region, home: str, received: Request, source_ip: str, secure: bool) -> Response:
    """Send a client's request on to the Region that holds its service's control plane."""
    message = orjson.dumps(
        {
            "method": received.method,
            "path": received.path,
            "query": received.query,
            "headers": dict(received.headers),
            "source_ip": source_ip,
            "secure": secure,
            "tls": received.tls,
            "body": base64.b64encode(received.body).decode(),
        }
    )
    try:
        answer = orjson.loads(await region.network.ask(home, REQUEST_CHANNEL, message, TIMEOUT_S))
    except LinkDown as error:
        raise ServiceUnavailable(f"The control plane in {home} cannot be reached: {error}") from error
    headers = tuple((name, value) for name, value in answer["headers"])
    return Response(answer["status"], headers, base64.b64decode(answer["body"]))


def read_request(message: bytes) -> tuple[Request, str, bool]:
    """The other end of `request`."""
    read = orjson.loads(message)
    body = base64.b64decode(read["body"])
    return (
        Request(
            read["method"],
            read["path"],
            read["query"],
            read["headers"],
            body,
            tuple(read["tls"]) if read["tls"] else None,
        ),
        read["source_ip"],
        read["secure"],
    )


def write_response(response: Response) -> bytes:
    """A response as a message."""
    return orjson.dumps(
        {
            "status": response.status,
            "headers": [list(pair) for pair in response.headers],
            "body": base64.b64encode(response.body).decode(),
        }
    )


def pack(value: Any) -> bytes:
    """A reply or parameters as a message; bytes are tagged."""
    return orjson.dumps(_tag(value))


def unpack(message: bytes) -> Any:
    """The other end of `pack`."""
    return _untag(orjson.loads(message))


def _tag(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {key: _tag(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_tag(each) for each in value]
    return value


def _untag(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"$bytes"}:
            return base64.b64decode(value["$bytes"])
        return {key: _untag(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_untag(each) for each in value]
    return value
