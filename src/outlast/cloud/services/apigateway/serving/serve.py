"""A request for an API, top to bottom:

arrive -> route -> authorize -> throttle -> validate -> integrate -> answer

A Refusal may end it anywhere; one place turns it into the gateway response. Afterwards it is metered and logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import orjson

from outlast.cloud.contract import DoorCall, Principal, Region
from outlast.cloud.services.apigateway.serving import integrating, refusals
from outlast.cloud.services.apigateway.serving.arriving import Arrival
from outlast.cloud.services.apigateway.serving.events import query_of
from outlast.cloud.services.apigateway.serving.facts import UNENDED, Ended, Facts, context_value
from outlast.cloud.services.apigateway.serving.integrating import Asked, Integrated
from outlast.cloud.services.apigateway.serving.plan import ApiPlan, MethodPlan, Validation
from outlast.cloud.services.apigateway.serving.refusals import Refusal
from outlast.cloud.services.apigateway.serving.stages import StagePlan, access_line
from outlast.cloud.services.apigateway.serving.templates import Inputs
from outlast.cloud.wire import Request, Response

if TYPE_CHECKING:
    from outlast.cloud.services.apigateway.state import ApiState

MAX_BODY_BYTES: Final = 10 * 1024 * 1024
INVOKE: Final = "execute-api:Invoke"
ANYBODY: Final = Principal.anonymous()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request arrived: an API as deployed, and a stage of it."""

    arrival: Arrival
    api: ApiPlan
    stage: StagePlan


async def serve(call: DoorCall[ApiState]) -> Response:
    """Answer one request for an API of this Region."""
    state = call.state
    began_s = call.region.clock.monotonic_s()
    extended_id = state.extended_id()
    try:
        place = state.place(call.request)
    except Refusal as refusal:
        plain = refusals.render(refusal, {}, _inputs(call.request, b"", {}, {}, None), "")
        return _with_ids(plain, call.request_id, extended_id)
    query = query_of(call.request.query)
    method, parameters = place.api.find(call.request.method, place.arrival.path) or (None, {})
    facts = _facts(call, place, extended_id, method)
    try:
        integrated = await _answer(call, place, facts, method, parameters, query, began_s)
        response, ended = (
            integrated.response,
            Ended(0, integration_ms=integrated.ms, integration_status=integrated.status),
        )
    except Refusal as refusal:
        ended = _refused(refusal)
        inputs = _inputs(call.request, b"", parameters, query, facts, ended)
        accept = call.request.headers.get("accept", "")
        response = refusals.render(refusal, place.api.customised, inputs, accept)
        state.log_refusal(place.stage, method, facts, refusal)
    latency_ms = round((call.region.clock.monotonic_s() - began_s) * 1000)
    _note(state, place, method, facts, ended.closed(response.status, len(response.body), latency_ms))
    return _with_ids(response, call.request_id, extended_id)


async def _answer(
    call: DoorCall[ApiState],
    place: Place,
    facts: Facts,
    method: MethodPlan | None,
    parameters: Mapping[str, str],
    query: Mapping[str, list[str]],
    now_s: float,
) -> Integrated:
    """The stages between the address and the answer; raises Refusal."""
    request = call.request
    if call.fault is not None:
        raise refusals.of_injected(call.fault)
    if method is None:
        raise Refusal("MISSING_AUTHENTICATION_TOKEN")
    authorize(call, place, facts, method)
    key = f"{place.api.api_id}/{place.stage.name}/{method.key}"
    if not call.state.throttle.admit(key, place.stage.limits(method.key), now_s):
        raise Refusal("THROTTLED")
    if len(request.body) > MAX_BODY_BYTES:
        raise Refusal("REQUEST_TOO_LARGE")
    if method.validation is not None:
        validate(method.validation, request, parameters, query)
    inputs = _inputs(request, request.body, parameters, query, facts)
    asked = Asked(request, place.arrival, facts, method, parameters, query, inputs)
    return await integrating.run(call.state, place.api, asked)


def _facts(call: DoorCall[ApiState], place: Place, extended_id: str, method: MethodPlan | None) -> Facts:
    now_s = call.now_ms // 1000
    given = call.request.headers.get("x-amzn-trace-id")
    return Facts(
        account_id=call.region.account_id,
        api_id=place.api.api_id,
        api_name=place.api.api_name,
        stage=place.stage.name,
        deployment_id=place.api.deployment_id,
        request_id=call.request_id,
        extended_id=extended_id,
        trace_id=given or f"Root=1-{now_s:08x}-{call.state.trace_tail()}",
        now_ms=call.now_ms,
        method=call.request.method,
        path=unquote(place.arrival.sent),
        route_path=place.arrival.path,
        domain=place.arrival.domain,
        principal=call.principal if method is not None and method.signed else ANYBODY,
        source_ip=call.source_ip,
        user_agent=call.request.headers.get("user-agent", ""),
        variables=place.stage.variables,
        resource_id="" if method is None else method.resource_id,
        resource_path="" if method is None else method.resource_path,
    )


def _inputs(
    request: Request,
    body: bytes,
    parameters: Mapping[str, str],
    query: Mapping[str, list[str]],
    facts: Facts | None,
    ended: Ended = UNENDED,
) -> Inputs:
    return Inputs(
        body=body.decode("utf-8", "replace"),
        path=parameters,
        query={name: values[-1] for name, values in query.items()},
        headers=request.headers,
        context=lambda name: "" if facts is None else context_value(facts, ended, name),
        stage_variables={} if facts is None else facts.variables,
    )


def invoke_arn(region: Region, place: Place, method: str, path: str) -> str:
    """The ARN that policies see: API, stage, verb and path."""
    return region.arn("execute-api", f"{place.api.api_id}/{place.stage.name}/{method}/{path.lstrip('/')}")


def authorize(call: DoorCall[ApiState], place: Place, facts: Facts, method: MethodPlan) -> None:
    """Raise Refusal unless the signature, the caller's policies and the API's resource policy allow the request."""
    if method.signed:
        if call.refusal is not None:
            raise refusals.of_signature(call.refusal)
        if not facts.signed:
            raise Refusal("MISSING_AUTHENTICATION_TOKEN")
    elif place.api.policy is None:
        return
    arn = invoke_arn(call.region, place, facts.method, place.arrival.path)
    context = {
        "aws:SourceIp": (facts.source_ip,),
        "aws:RequestedRegion": (call.region.name,),
        "aws:UserAgent": (facts.user_agent,),
        "aws:EpochTime": (str(call.now_ms // 1000),),
        "aws:SecureTransport": ("true" if call.secure else "false",),
        "aws:ViaAWSService": ("false",),
    }
    decision = call.region.identities.judge(facts.principal, INVOKE, arn, context, place.api.policy)
    if not decision.allowed:
        raise Refusal("ACCESS_DENIED", _masked(decision.message, facts.account_id), member="Message")


def _masked(message: str, account: str) -> str:
    """The denial with the account in the resource's ARN hidden, as AWS does."""
    return message.replace(f":{account}:", f":********{account[-4:]}:") if message else ""


def validate(
    validation: Validation, request: Request, parameters: Mapping[str, str], query: Mapping[str, list[str]]
) -> None:
    """Raise Refusal for a request that lacks a required parameter or whose body breaks its model."""
    missing = [name for kind, name in validation.parameters if not _has(kind, name, request, parameters, query)]
    if missing:
        text = f"Missing required request parameters: [{', '.join(missing)}]"
        raise Refusal("BAD_REQUEST_PARAMETERS", text, validation=f"[{', '.join(missing)}]")
    if not validation.bodies:
        return
    media = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    check = validation.bodies.get(media)
    if check is None:
        return
    try:
        valid = check(orjson.loads(request.body))
    except (orjson.JSONDecodeError, RecursionError):
        valid = False
    if not valid:
        raise Refusal("BAD_REQUEST_BODY", validation="the body does not meet its model")


def _has(kind: str, name: str, request: Request, parameters: Mapping[str, str], query: Mapping[str, list[str]]) -> bool:
    if kind == "header":
        return bool(request.headers.get(name.lower()))
    if kind == "querystring":
        return any(query.get(name, ()))
    return bool(parameters.get(name))


def _refused(refusal: Refusal) -> Ended:
    return Ended(
        status=refusal.status,
        integration_ms=refusal.integration_ms,
        integration_status=refusal.integration_status,
        error=refusal.message,
        response_type=refusal.kind,
        validation_error=refusal.validation,
        integration_error=refusal.log,
    )


def _note(state: ApiState, place: Place, method: MethodPlan | None, facts: Facts, ended: Ended) -> None:
    """Meter the request and write its access log line."""
    detailed = method is not None and bool(place.stage.setting(method.key, "metricsEnabled"))
    verb = facts.method if detailed else ""
    state.metering.note(place.api.api_name, place.stage.name, verb, facts.resource_path if detailed else "", ended)
    if place.stage.log_group:
        line = access_line(place.stage.log_format, facts, ended)
        state.logs.add(place.stage.log_group, state.region.clock.now_ms(), line)


def _with_ids(response: Response, request_id: str, extended_id: str) -> Response:
    headers = (*response.headers, ("x-amzn-RequestId", request_id), ("x-amz-apigw-id", extended_id))
    return Response(response.status, headers, response.body)
