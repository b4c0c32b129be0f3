"""Invoke: now, later, or not at all.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

import orjson

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.lambda_ import invoking, loglines
from outlast.cloud.services.lambda_.errors import InvalidRequestContentException, RequestTooLargeException
from outlast.cloud.services.lambda_.events import Event
from outlast.cloud.services.lambda_.invoking import Ask
from outlast.cloud.services.lambda_.operations.common import function_arn
from outlast.cloud.services.lambda_.service import lambda_
from outlast.cloud.services.lambda_.state import LambdaState

MAX_SYNC_BYTES: Final = 6_291_456
MAX_ASYNC_BYTES: Final = 1_048_576
MAX_CONTEXT_BYTES: Final = 3583


def checked_payload(payload: bytes, invocation_type: str) -> bytes:
    """The payload; raises RequestTooLargeException or InvalidRequestContentException."""
    limit = MAX_ASYNC_BYTES if invocation_type == "Event" else MAX_SYNC_BYTES
    if len(payload) > limit:
        raise RequestTooLargeException(
            f"{len(payload)} byte payload is too large for the {invocation_type} invocation type (limit {limit} bytes)",
            Type="User",
        )
    if not payload:
        return b"{}"
    try:
        orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestContentException(
            f"Could not parse request body into json: Could not parse payload into json: {error}", Type="User"
        ) from error
    return payload


def checked_context(text: str) -> str:
    """The client context as JSON text; raises InvalidRequestContentException."""
    if not text:
        return ""
    try:
        decoded = base64.b64decode(text, validate=True)
        orjson.loads(decoded)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequestContentException("Client context must be a valid Base64-encoded JSON object.") from error
    if len(decoded) > MAX_CONTEXT_BYTES:
        raise InvalidRequestContentException("Client context must be no larger than 3583 bytes.")
    return decoded.decode()


@lambda_.operation(resource=function_arn, action="lambda:InvokeFunction")
async def invoke(
    call: Call[LambdaState],
    *,
    function_name: str,
    invocation_type: str = "RequestResponse",
    log_type: str = "None",
    client_context: str = "",
    payload: bytes = b"",
    qualifier: str | None = None,
) -> Reply:
    """Run a function: wait for its answer, queue the event, or only check that it could be run."""
    state = call.state
    reference = state.reference(function_name, qualifier)
    found = state.find(reference, state.region.entropy.uniform())
    body = checked_payload(payload, invocation_type)
    context = checked_context(client_context)
    if invocation_type == "DryRun":
        return {"StatusCode": 204, "ExecutedVersion": found.version.number}
    if invocation_type == "Event":
        event = Event(
            id=f"{call.now_ms:013d}-{call.region.entropy.hex(16)}",
            name=found.function.name,
            qualifier=found.qualifier,
            request_id=call.request_id,
            accepted_ms=call.now_ms,
            due_ms=call.now_ms,
            client_context=context,
        )
        state.events.put(event, body)
        return {"StatusCode": 202}
    ran = await invoking.run(state, found, Ask(call.request_id, body, context))
    reply: dict[str, Any] = {"StatusCode": 200, "Payload": ran.payload, "ExecutedVersion": ran.version}
    if ran.error:
        reply["FunctionError"] = ran.error
    if log_type == "Tail":
        reply["LogResult"] = loglines.tail(ran.lines)
    return reply
