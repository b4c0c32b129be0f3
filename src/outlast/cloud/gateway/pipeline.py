"""The request pipeline, top to bottom:

receive -> address -> authenticate -> decode -> constrain -> authorize -> operate -> encode

Each stage returns a new value; one place turns a fault into a wire error. No reply, not even a fault, leaves before
the engine has synced everything it may rest on.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any

from outlast.cloud.contract import Call, Declared, Door, DoorCall, Fault, Principal, Reply, ServiceUnavailable
from outlast.cloud.effects import LinkDown
from outlast.cloud.gateway import forward, injected, payload, plain
from outlast.cloud.gateway.addressing import Target, Unsupported, address, declaration
from outlast.cloud.gateway.answers import Came, Held, as_fault, dressed, refused, refused_in_time
from outlast.cloud.gateway.authorization import authorize
from outlast.cloud.gateway.gate import Gate, Hosted
from outlast.cloud.gateway.trail import origin
from outlast.cloud.identity.faults import EXPIRED, SignatureFault
from outlast.cloud.identity.presented import Presented, parse
from outlast.cloud.identity.sigv4 import SKEW_S, verify
from outlast.cloud.identity.timing import check_life
from outlast.cloud.wire import Request, Response, WireError

__all__ = ["Caller", "answer", "as_fault", "invoke", "respond"]


async def respond(gate: Gate, request: Request, source_ip: str, secure: bool = True) -> Response:
    """Answer one request of a client, when the answer may leave; see `answer`."""
    found = answer(gate, request, source_ip, secure)
    return found if isinstance(found, Response) else await found


def answer(
    gate: Gate, request: Request, source_ip: str, secure: bool = True
) -> Response | Held | Coroutine[Any, Any, Response]:
    """The stages, one after the other. Never raises: whatever goes wrong becomes a wire error.

    A reply that rests on nothing unsynced is returned as it is; one that does is held until then. Only what waits for
    others (doors, other Regions, operations that await, injected faults, the trail) becomes a coroutine.
    """
    came = Came(gate, request, gate.request_id(), source_ip, gate.region.engine.losses)
    try:
        presented, refusal = present(request)
        door = door_of(gate, request, presented)
        if door is not None:
            return through_door(gate, door, came, presented, refusal, secure)
        came.target = target = address(gate, request, presented, refusal)
        home = gate.home(target.hosted.service)
        if home is not None and home != gate.region.name:
            return elsewhere(came, home, secure)
        declared = declaration(target)
        came.principal = principal = authenticate(gate, target, declared, request)
        opened = payload.opened(request, target.protocol, target.hosted.service.name)
        came.params = params = target.operation.decode(opened, target.protocol, target.captures)
        target.operation.constrain(params)
        call = called(gate, target.hosted, declared, principal, came.request_id, source_ip, opened, secure)
        authorize(gate, target.hosted, declared, call, params)
        if declared.is_async or gate.region.faults.active or is_recorded(gate, declared):
            return in_time(came, target, declared, call, params)
        result: Any = declared.function(call, **declared.arguments(params))
        response = dressed(request, target.operation.encode(target.protocol, result, came.request_id))
    except plain.Answered as answered:
        return dressed(request, answered.response)
    except Exception as error:
        return refused(came, as_fault(error)) if gate.region.engine.is_settled else refused_in_time(came, error)
    return response if gate.region.engine.is_settled else Held(came, response)


def is_recorded(gate: Gate, declared: Declared) -> bool:
    """Does the trail keep what became of such a call?"""
    return gate.trail is not None and (gate.trail.data or not declared.data)


async def in_time(
    came: Came, target: Target, declared: Declared, call: Call[Any], params: Mapping[str, Any]
) -> Response:
    """The last stages of an operation that awaits, is recorded, or may be held up by a fault of the world."""
    gate, request = came.gate, came.request
    try:
        result = await operate(gate, declared, call, params)
        if gate.trail is not None and is_recorded(gate, declared):
            where = origin(request, came.request_id, came.source_ip)
            gate.trail.note(target.hosted, declared, call.principal, params, result, where)
        return dressed(request, target.operation.encode(target.protocol, result, came.request_id))
    except Exception as error:
        return await refused_in_time(came, error)


async def elsewhere(came: Came, home: str, secure: bool) -> Response:
    """The answer of the Region that holds the service's control plane."""
    try:
        response = await forward.request(came.gate.region, home, came.request, came.source_ip, secure)
    except Exception as error:
        return await refused_in_time(came, error)
    return dressed(came.request, response)


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
        called(gate, hosted, declared, who.principal, gate.request_id(), who.source_ip, None),
        source_arn=who.source_arn,
        on_behalf=bool(who.principal.access_key_id),
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
    trail.note(hosted, declared, who.principal, params, reply, came)
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
    except (Fault, SignatureFault) as fault:
        if fault.code != EXPIRED:
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
    losses = gate.region.engine.losses
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
        await gate.settle(losses)
    reply: Reply = outcome
    return reply


async def through_door(
    gate: Gate,
    found: tuple[Hosted, Door[Any]],
    came: Came,
    presented: Presented | None,
    refusal: SignatureFault | None,
    secure: bool,
) -> Response:
    """The answer of a door, once what it rests on is durable."""
    try:
        response = await ask_door(gate, found, came, presented, refusal, secure)
        await gate.settle(came.losses)
    except Exception as error:
        return await refused_in_time(came, error)
    return dressed(came.request, response)


async def ask_door(
    gate: Gate,
    found: tuple[Hosted, Door[Any]],
    came: Came,
    presented: Presented | None,
    refusal: SignatureFault | None,
    secure: bool,
) -> Response:
    """Hand the request to a door, with whoever signed it."""
    hosted, door = found
    request = came.request
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
        request_id=came.request_id,
        now_ms=gate.region.clock.now_ms(),
        source_ip=came.source_ip,
        secure=secure,
    )
    if gate.region.faults.active:
        try:
            await injected.apply_to_door(gate.region, door.signing_name)
        except Fault as fault:
            call = replace(call, fault=fault)
    return await door.serve(call)
