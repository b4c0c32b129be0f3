"""What leaves: replies held until they are durable, and the one place that turns a fault into a wire error."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any

from outlast.cloud.contract import Fault, InternalServerError, Principal, ServiceUnavailable
from outlast.cloud.effects import LinkDown
from outlast.cloud.engine import Damaged, StorageUnavailable
from outlast.cloud.gateway import forward, hosts, plain
from outlast.cloud.gateway.addressing import PLAIN_SERVICES, Target
from outlast.cloud.gateway.gate import Gate
from outlast.cloud.gateway.listener import Later
from outlast.cloud.gateway.trail import origin
from outlast.cloud.identity.faults import SignatureFault, faults_for
from outlast.cloud.wire import Request, Response, WireError

log = logging.getLogger("outlast.gateway")


@dataclass(slots=True)
class Came:
    """A request that has come, and how far the stages have brought it: what a refusal needs to know."""

    gate: Gate
    request: Request
    request_id: str
    source_ip: str
    losses: int = 0
    """How often the engine had lost writes when it came."""
    target: Target | None = None
    principal: Principal | None = None
    params: Mapping[str, Any] | None = None


class Held(Later):
    """A reply that waits until everything it may rest on is durable; a storage failure takes its place."""

    __slots__ = ("_came", "_reply", "_response")

    def __init__(self, came: Came, response: Response) -> None:
        self._came = came
        self._response = response
        self._reply: Callable[[Response], None] | None = None

    def then(self, reply: Callable[[Response], None]) -> None:
        """Call `reply` once, when the reply may leave."""
        self._reply = reply
        self._came.gate.region.engine.when_settled(self._settled)

    def _settled(self, failure: StorageUnavailable | None) -> None:
        assert self._reply is not None
        self._reply(self._response if failure is None else refused(self._came, as_fault(failure)))

    def __await__(self) -> Generator[Any, None, Response]:
        try:
            yield from self._came.gate.settle(self._came.losses).__await__()
        except StorageUnavailable as failure:
            return refused(self._came, as_fault(failure))
        return self._response


def dressed(request: Request, response: Response) -> Response:
    """The response as this client wants it."""
    headers = request.headers
    if ("origin" in headers or headers.get("accept-encoding", "identity") != "identity") and "x-amz-target" in headers:
        return plain.dressed(request, response)
    return response


async def refused_in_time(came: Came, error: Exception) -> Response:
    """The answer to a request that failed, once what it rests on is durable; a storage failure takes its place."""
    try:
        await came.gate.settle(came.losses)
    except StorageUnavailable as failure:
        error = failure
    return refused(came, as_fault(error))


def refused(came: Came, fault: Fault) -> Response:
    """The answer to a request that was refused, recorded where such are."""
    gate, request, target = came.gate, came.request, came.target
    if target is None:
        return dressed(request, unaddressed_fault(request, fault, came.request_id))
    if gate.trail is not None:
        where = origin(request, came.request_id, came.source_ip, target.presented)
        gate.trail.refused(target.hosted, target.operation.name, came.principal, came.params or {}, fault, where)
    return dressed(request, encode_fault(target, fault, came.request_id))


def as_fault(error: Exception) -> Fault:
    """Any error as a fault with a code, a message and perhaps a status."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, (SignatureFault, WireError)):
        return forward.remote_fault(error.code, error.message, error.status)
    if isinstance(error, StorageUnavailable):
        return ServiceUnavailable(str(error))
    if isinstance(error, LinkDown):
        return ServiceUnavailable(f"Another Region could not be reached: {error}")
    if isinstance(error, Damaged):
        log.error("an operation met damage: %s", error)
        return InternalServerError(str(error))
    log.error("an operation failed unexpectedly", exc_info=error)
    return InternalServerError("An internal error occurred.")


def unaddressed_fault(request: Request, fault: Fault, request_id: str) -> Response:
    """The answer to what names no operation; a script may read it where DynamoDB's front end would answer."""
    response = forward.plain_fault(fault, request_id)
    if (
        "origin" in request.headers
        and "authorization" not in request.headers
        and hosts.read(request.headers.get("host", "")).service in PLAIN_SERVICES
    ):
        return plain.shared(response)
    return response


ACCESS_DENIED_BARE = frozenset({"query", "rest-xml"})


def encode_fault(target: Target, fault: Fault, request_id: str) -> Response:
    """The wire error, in the form that the client's protocol has."""
    code, status, message = fault.code, fault.status, fault.message
    if isinstance(fault, forward.AuthFault):
        named = faults_for(target.protocol, target.hosted.service.name)(SignatureFault(code, message, status or 400))
        code, status, message = named.code, named.status, named.message
    if target.protocol in ACCESS_DENIED_BARE:
        code = {"AccessDeniedException": "AccessDenied", "ValidationException": "ValidationError"}.get(code, code)
        code = {"ThrottlingException": "Throttling", "InternalServerError": "InternalFailure"}.get(code, code)
    if status is None and code in ("AccessDenied", "AccessDeniedException") and target.protocol != "json":
        status = 403
    return target.operation.encode_fault(target.protocol, code, message, request_id, status=status, fields=fault.fields)
