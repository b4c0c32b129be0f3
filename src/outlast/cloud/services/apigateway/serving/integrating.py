"""What answers a method: a Lambda function (AWS_PROXY), or the gateway itself (MOCK).

https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-integration-settings.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from outlast.cloud.contract import Fault
from outlast.cloud.services.apigateway.serving.arriving import Arrival
from outlast.cloud.services.apigateway.serving.events import Malformed, answer_of, event_of, headers_of
from outlast.cloud.services.apigateway.serving.facts import Facts
from outlast.cloud.services.apigateway.serving.plan import ApiPlan, MethodPlan, Mock, Proxy, choose
from outlast.cloud.services.apigateway.serving.refusals import Refusal
from outlast.cloud.services.apigateway.serving.templates import Inputs
from outlast.cloud.wire import Request, Response

if TYPE_CHECKING:
    from outlast.cloud.services.apigateway.state import ApiState


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that may pass, with its parameters read."""

    request: Request
    arrival: Arrival
    facts: Facts
    method: MethodPlan
    parameters: Mapping[str, str]
    query: Mapping[str, list[str]]
    inputs: Inputs


@dataclass(frozen=True, slots=True)
class Integrated:
    """The integration's answer, how long it took and the status it gave itself."""

    response: Response
    ms: int
    status: int


async def run(state: ApiState, api: ApiPlan, asked: Asked) -> Integrated:
    """The method's integration; raises Refusal."""
    integration = asked.method.integration
    if integration is None:
        raise Refusal("API_CONFIGURATION_ERROR", log="No integration defined for method")
    if isinstance(integration, Mock):
        return mock(integration, asked)
    began_s = state.region.clock.monotonic_s()
    try:
        return await _proxy(state, api, asked, integration, began_s)
    except Refusal as refusal:
        refusal.integration_ms = round((state.region.clock.monotonic_s() - began_s) * 1000)
        raise


async def _proxy(state: ApiState, api: ApiPlan, asked: Asked, proxy: Proxy, began_s: float) -> Integrated:
    facts, request = asked.facts, asked.request
    binary = api.is_binary(request.headers.get("content-type", ""))
    headers = headers_of(request.headers, facts, state.port)
    event = event_of(
        facts, headers, asked.query, asked.parameters, asked.arrival.event_path, request.body, binary=binary
    )
    reply = await _invoke(state, asked, proxy, event)
    ms = round((state.region.clock.monotonic_s() - began_s) * 1000)
    if reply.get("FunctionError"):
        raise _failed("Lambda execution failed with status 200 due to customer function error", 200)
    accept = request.headers.get("accept", "").partition(",")[0]
    try:
        answer = answer_of(bytes(reply.get("Payload") or b""), decode=api.is_binary(accept))
    except Malformed as error:
        text = f"Execution failed due to configuration error: Malformed Lambda proxy response: {error}"
        raise _failed(text, 200) from error
    found = answer.headers
    if not any(name.lower() == "content-type" for name, _ in found):
        found = (("Content-Type", "application/json"), *found)
    found = (*found, ("X-Amzn-Trace-Id", facts.trace_id))
    return Integrated(Response(answer.status, found, answer.body), ms, 200)


def _failed(text: str, status: int) -> Refusal:
    refusal = Refusal("DEFAULT_5XX", status=502, log=text)
    refusal.integration_status = status
    return refusal


async def _invoke(state: ApiState, asked: Asked, proxy: Proxy, event: bytes) -> dict[str, Any]:
    """Invoke the function; raises Refusal. When time is up the function goes on alone, as on AWS."""
    region, facts = state.region, asked.facts
    name = proxy.name(facts.variables)
    parts = name.split(":")
    place = parts[3] if name.startswith("arn:") and len(parts) > 6 else None
    path = asked.method.resource_path.lstrip("/")
    source = region.arn("execute-api", f"{facts.api_id}/{facts.stage}/{facts.method}/{path}")
    invocation = region.aws(
        "lambda",
        "Invoke",
        {"FunctionName": name, "Payload": event},
        principal=region.service_principal("apigateway"),
        region=place,
        source_arn=source,
    )
    task: asyncio.Task[dict[str, Any]] = asyncio.ensure_future(invocation)
    done, _ = await asyncio.wait((task,), timeout=proxy.timeout_s)
    if not done:
        state.keep(task)
        raise Refusal("INTEGRATION_TIMEOUT", log="Execution failed due to a timeout error")
    try:
        return task.result()
    except Fault as fault:
        raise _refused(fault) from fault


def _refused(fault: Fault) -> Refusal:
    """What a fault of Lambda itself is answered with."""
    texts = {
        "AccessDeniedException": "Invalid permissions on Lambda function",
        "ResourceNotFoundException": "Invalid Lambda function",
        "TooManyRequestsException": "Rate Exceeded.",
    }
    text = texts.get(fault.code, fault.message)
    refusal = Refusal("API_CONFIGURATION_ERROR", log=f"Execution failed due to configuration error: {text}")
    refusal.integration_status = fault.status or (403 if fault.code == "AccessDeniedException" else 500)
    return refusal


def mock(integration: Mock, asked: Asked) -> Integrated:
    """A MOCK's answer; raises Refusal."""
    media = asked.request.headers.get("content-type", "application/json")
    template = choose(integration.templates, media)
    if template is not None:
        text = template.render(asked.inputs)
    elif integration.passthrough == "NEVER" or (
        integration.passthrough == "WHEN_NO_TEMPLATES" and integration.templates
    ):
        raise Refusal("UNSUPPORTED_MEDIA_TYPE")
    else:
        text = asked.inputs.body
    status = _mock_status(text)
    response = integration.response(status)
    if response is None:
        raise Refusal(
            "API_CONFIGURATION_ERROR",
            log=f"Execution failed due to configuration error: No match for output mapping and no default: {status}",
        )
    accept = asked.request.headers.get("accept", "").partition(",")[0].partition(";")[0].strip().lower()
    media = accept if accept in response.templates else "application/json"
    body_template = response.templates.get(media)
    body = "" if body_template is None else body_template.render(asked.inputs)
    headers = [("Content-Type", media)]
    for name, value in response.headers:
        if name.lower() == "content-type":
            headers = headers[1:]
        headers.append((name, value(asked.inputs, body)))
    return Integrated(Response(response.status, tuple(headers), body.encode()), 0, int(status))


def _mock_status(text: str) -> str:
    """The status that a MOCK's request template asks for; raises Refusal."""
    try:
        document = orjson.loads(text)
        return str(int(document["statusCode"]))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise Refusal(
            "API_CONFIGURATION_ERROR",
            log="Execution failed due to configuration error: Unable to parse statusCode. It should be an integer that "
            "is defined in the request template.",
        ) from error
