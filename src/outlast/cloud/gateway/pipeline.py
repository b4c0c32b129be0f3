"""The request pipeline, top to bottom:

receive -> address -> authenticate -> decode -> constrain -> authorize -> operate -> encode

Each stage returns a new value; one place turns a fault into a wire error. No reply, not even a fault, leaves before
the engine has synced everything it may rest on.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from outlast.cloud.contract import (
    Call,
    Declared,
    Door,
    DoorCall,
    Fault,
    InternalServerError,
    Principal,
    Reply,
    ServiceUnavailable,
)
from outlast.cloud.effects import LinkDown
from outlast.cloud.engine import StorageUnavailable
from outlast.cloud.gateway import forward, hosts, injected, payload, plain
from outlast.cloud.gateway.authorization import authorize
from outlast.cloud.gateway.gate import Gate, Hosted
from outlast.cloud.gateway.trail import origin
from outlast.cloud.identity.faults import SignatureFault, faults_for
from outlast.cloud.identity.presented import Presented, parse
from outlast.cloud.identity.sigv4 import SKEW_S, verify
from outlast.cloud.identity.timing import check_life
from outlast.cloud.wire import Operation, Request, Response, WireError

log = logging.getLogger("outlast.gateway")

PLAIN_SERVICES = ("", "dynamodb", "streams.dynamodb")
"""Where a request that is no API call is answered as DynamoDB's front end does: at no name of AWS's, or at its own."""
VERSION = re.compile(r"(?:^|&)Version=(\d{4}-\d{2}-\d{2})(?:&|$)")
NOTHING: Mapping[str, Any] = MappingProxyType({})
MOST_FORM = 65_536
"""How much of an unsigned form is looked at for the version of its API."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is addressed to."""

    hosted: Hosted
    operation: Operation
    protocol: str
    captures: Any
    presented: Presented | None
    refusal: SignatureFault | None


class Unsupported(Fault, code="UnknownOperationException"):
    """The API has the operation; this cloud does not."""


async def respond(gate: Gate, request: Request, source_ip: str, secure: bool = True) -> Response:
    """Answer one request of a client. Never raises: whatever goes wrong becomes a wire error."""
    headers = request.headers
    response = await answer(gate, request, source_ip, secure)
    if ("origin" in headers or headers.get("accept-encoding", "identity") != "identity") and "x-amz-target" in headers:
        return plain.dressed(request, response)
    return response


async def answer(gate: Gate, request: Request, source_ip: str, secure: bool) -> Response:
    """The stages, one after the other."""
    request_id = gate.request_id()
    target: Target | None = None
    principal: Principal | None = None
    params: Mapping[str, Any] = NOTHING
    try:
        presented, refusal = present(request)
        door = door_of(gate, request, presented)
        if door is not None:
            return await through_door(gate, door, request, presented, refusal, request_id, source_ip)
        target = address(gate, request, presented, refusal)
        home = gate.home(target.hosted.service)
        if home is not None and home != gate.region.name:
            return await forward.request(gate.region, home, request, source_ip, secure)
        declared = declaration(target)
        principal = authenticate(gate, target, declared, request)
        request = payload.opened(request, target.protocol, target.hosted.service.name == "s3")
        params = target.operation.decode(request, target.protocol, target.captures)
        target.operation.constrain(params)
        call = called(gate, target.hosted, declared, principal, request_id, source_ip, request, secure)
        authorize(gate, target.hosted, declared, call, params)
        result = await operate(gate, declared, call, params)
        if gate.trail is not None and (gate.trail.data or not declared.data):
            gate.trail.note(target.hosted, declared, principal, params, None, origin(request, request_id, source_ip))
        return target.operation.encode(target.protocol, result, request_id)
    except plain.Answered as answered:
        return answered.response
    except Exception as error:
        fault = await settled_fault(gate, error)
        if target is None:
            return unaddressed_fault(request, fault, request_id)
        if gate.trail is not None:
            came = origin(request, request_id, source_ip, target.presented)
            gate.trail.refused(target.hosted, target.operation.name, principal, params, fault, came)
        return encode_fault(target, fault, request_id)


async def invoke(gate: Gate, service: str, operation: str, params: Mapping[str, Any], who: Caller) -> Reply:
    """The same stages for a call from inside the world, where the caller is known and nothing is encoded."""
    hosted = gate.hosted.get(service)
    if hosted is None:
        raise Unsupported(f"This cloud has no service {service}.")
    declared = hosted.service.operations.get(operation)
    if declared is None:
        raise Unsupported(f"This cloud does not support {service}:{operation}.")
    try:
        declared.operation.constrain(params)
    except WireError as error:
        raise as_fault(error) from error
    call = replace(
        called(gate, hosted, declared, who.principal, gate.request_id(), who.source_ip, None), source_arn=who.source_arn
    )
    trail = gate.trail
    if trail is None or (declared.data and not trail.data) or who.principal.kind == "service-linked":
        authorize(gate, hosted, declared, call, params)
        return await operate(gate, declared, call, params)
    came = {"requestID": call.request_id, "sourceIPAddress": who.source_ip, "userAgent": "Outlast"}
    try:
        authorize(gate, hosted, declared, call, params)
        reply = await operate(gate, declared, call, params)
    except Exception as error:
        trail.note(hosted, declared, who.principal, params, as_fault(error), came)
        raise
    trail.note(hosted, declared, who.principal, params, None, came)
    return reply


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls from inside the world, and for which resource."""

    principal: Principal
    source_arn: str = ""
    source_ip: str = "127.0.0.1"


def present(request: Request) -> tuple[Presented | None, SignatureFault | None]:
    """The credentials that the request shows, or why they cannot be read."""
    try:
        return parse(request), None
    except SignatureFault as fault:
        return None, fault


def door_of(gate: Gate, request: Request, presented: Presented | None) -> tuple[Hosted, Door[Any]] | None:
    """The door that claims the request, if it is no AWS API call."""
    if "x-amz-target" in request.headers:
        return None
    for hosted in gate.hosted.values():
        for door in hosted.service.doors:
            if presented is not None and presented.service not in ("", door.signing_name):
                continue
            if door.claims(hosted.state, request):
                return hosted, door
    return None


def address(gate: Gate, request: Request, presented: Presented | None, refusal: SignatureFault | None) -> Target:
    """Find the service and the operation; raises WireError or SignatureFault."""
    known = gate.targets.get(request.headers.get("x-amz-target", ""))
    if known is not None and request.method == "POST":
        hosted, operation, protocol = known
        return Target(hosted, operation, protocol, {}, presented, refusal)
    signing_name = presented.service if presented is not None else ""
    candidates = gate.candidates(request, signing_name)
    if not candidates and presented is None:
        candidates = unsigned_candidates(gate, request)
    problem: WireError | None = None
    for hosted in candidates:
        try:
            asked = hosts.path_of(request) if hosted.service.name == "s3" else request
            operation, protocol, captures = hosted.service.model.match(asked)
        except WireError as error:
            problem = error
            continue
        if protocol == "json":
            gate.targets[request.headers["x-amz-target"]] = (hosted, operation, protocol)
        return Target(hosted, operation, protocol, captures, presented, refusal)
    if presented is None and hosts.read(request.headers.get("host", "")).service in PLAIN_SERVICES:
        known_answer = plain.unaddressed(request, gate.region.name, gate.request_id())
        if known_answer is not None:
            raise plain.Answered(plain.shared(known_answer) if "origin" in request.headers else known_answer)
    if problem is not None:
        raise problem
    if refusal is not None:
        raise refusal
    raise Unsupported(f"This cloud has no service that signs as {signing_name}.")


def unsigned_candidates(gate: Gate, request: Request) -> list[Hosted]:
    """For requests without a signature: the services that host or API version name, or that offer public operations."""
    named = hosts.read(request.headers.get("host", "")).service
    if named:
        return [hosted for hosted in gate.hosted.values() if hosted.service.model.endpoint_prefix == named]
    version = VERSION.search(request.query) or VERSION.search(request.body[:MOST_FORM].decode("latin-1"))
    return [
        hosted
        for hosted in gate.hosted.values()
        if (version is not None and version[1] == hosted.service.model.api_version)
        or any(declared.public for declared in hosted.service.operations.values())
    ]


def declaration(target: Target) -> Declared:
    """How the operation is declared; raises Unsupported for one that this cloud lacks."""
    declared = target.hosted.service.operations.get(target.operation.name)
    if declared is None:
        raise Unsupported(f"This cloud does not support {target.hosted.service.name}:{target.operation.name}.")
    return declared


def authenticate(gate: Gate, target: Target, declared: Declared, request: Request) -> Principal:
    """Who signed the request; raises SignatureFault or Fault."""
    presented = target.presented
    if presented is None:
        if declared.public:
            return Principal.anonymous()
        assert target.refusal is not None
        if request.body:  # one that cannot be read is told first
            target.operation.decode(request, target.protocol, target.captures)
        raise target.refusal
    service = target.hosted.service
    return verified(gate, presented, request, service.model.signing_name, gate.home(service))


def verified(gate: Gate, presented: Presented, request: Request, service: str, home: str | None = None) -> Principal:
    """The principal whose key made the signature; raises SignatureFault or Fault."""
    now_s = gate.region.clock.now_s()
    try:
        owner = gate.region.identities.owner(presented.access_key_id, presented.token, now_s)
    except (Fault, SignatureFault):
        check_life(presented, now_s, SKEW_S)  # an old signature is told before an unknown key
        raise
    region = gate.region.name
    if home is not None and presented.region in gate.region.names:
        region = presented.region
    verify(presented, request, owner.secret, now_s, gate.keys, region=region, service=service)
    return owner.principal


def called(
    gate: Gate,
    hosted: Hosted,
    declared: Declared,
    principal: Principal,
    request_id: str,
    source_ip: str,
    request: Request | None,
    secure: bool = True,
) -> Call[Any]:
    """The call value that the operation receives."""
    return Call(
        state=hosted.state,
        region=gate.region,
        principal=principal,
        request_id=request_id,
        now_ms=gate.region.clock.now_ms(),
        service=hosted.service.name,
        operation=declared.operation.name,
        source_ip=source_ip,
        user_agent="" if request is None else request.headers.get("user-agent", ""),
        secure=secure,
    )


async def operate(gate: Gate, declared: Declared, call: Call[Any], params: Mapping[str, Any]) -> Reply:
    """Run the operation and wait until everything that its reply rests on is durable."""
    if gate.region.faults.active:
        await injected.apply(gate.region, call.service, declared)
    arguments = declared.arguments(params)
    try:
        outcome: Any = declared.function(call, **arguments)
        if declared.is_async:
            outcome = await outcome
    except LinkDown as error:
        raise ServiceUnavailable(f"Another Region could not be reached: {error}") from error
    finally:
        await gate.settle()
    reply: Reply = outcome
    return reply


async def through_door(
    gate: Gate,
    found: tuple[Hosted, Door[Any]],
    request: Request,
    presented: Presented | None,
    refusal: SignatureFault | None,
    request_id: str,
    source_ip: str,
) -> Response:
    """Hand the request to a door, with whoever signed it."""
    hosted, door = found
    principal, bad = Principal.anonymous(), None
    if presented is not None:
        try:
            principal = verified(gate, presented, request, door.signing_name)
        except (SignatureFault, Fault) as error:
            bad = as_fault(error)
    elif refusal is not None and refusal.code != "MissingAuthenticationTokenException":
        bad = as_fault(refusal)
    call = DoorCall(
        state=hosted.state,
        region=gate.region,
        request=request,
        principal=principal,
        refusal=bad,
        request_id=request_id,
        now_ms=gate.region.clock.now_ms(),
        source_ip=source_ip,
    )
    if gate.region.faults.active:
        try:
            await injected.apply_to_door(gate.region, door.signing_name)
        except Fault as fault:
            call = replace(call, fault=fault)
    response = await door.serve(call)
    await gate.settle()
    return response


async def settled_fault(gate: Gate, error: Exception) -> Fault:
    """The fault to answer, once what it rests on is durable; a storage failure takes its place."""
    try:
        await gate.settle()
    except StorageUnavailable as failure:
        error = failure
    return as_fault(error)


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
