"""Reserved concurrency, retries of asynchronous events, and the account's limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.lambda_.errors import InvalidParameterValueException, ResourceNotFoundException
from outlast.cloud.services.lambda_.model import EventConfig, Function
from outlast.cloud.services.lambda_.names import Reference
from outlast.cloud.services.lambda_.operations.common import function_arn, plain_name, unqualified_arn
from outlast.cloud.services.lambda_.packages import MAX_INLINE_BYTES, MAX_UNZIPPED_BYTES
from outlast.cloud.services.lambda_.service import lambda_
from outlast.cloud.services.lambda_.state import TOTAL_CODE_BYTES, LambdaState

RETRIES = (0, 2)
AGES_S = (60, 21_600)


def _function(call: Call[LambdaState], function_name: str) -> Function:
    return call.state.function(Reference(plain_name(call.state.reference(function_name))))


@lambda_.operation(resource=unqualified_arn, control_plane=True)
def put_function_concurrency(
    call: Call[LambdaState], *, function_name: str, reserved_concurrent_executions: int
) -> Reply:
    """Reserve concurrency for a function: what it may use, and what no other may use."""
    function = _function(call, function_name)
    if reserved_concurrent_executions < 0:
        raise InvalidParameterValueException("ReservedConcurrentExecutions must not be negative.")
    call.state.concurrency.reserve(function.name, reserved_concurrent_executions)
    call.state.replace(replace(function, reserved=reserved_concurrent_executions))
    return {"ReservedConcurrentExecutions": reserved_concurrent_executions}


@lambda_.operation(resource=unqualified_arn, control_plane=True)
def get_function_concurrency(call: Call[LambdaState], *, function_name: str) -> Reply:
    """The reservation, if there is one."""
    reserved = _function(call, function_name).reserved
    return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}


@lambda_.operation(resource=unqualified_arn, control_plane=True)
def delete_function_concurrency(call: Call[LambdaState], *, function_name: str) -> Reply:
    """Give the reservation up."""
    call.state.replace(replace(_function(call, function_name), reserved=None))
    return {}


def _event_config_shape(call: Call[LambdaState], reference: Reference, config: EventConfig) -> dict[str, Any]:
    return {
        "LastModified": config.modified_s,
        "FunctionArn": call.state.arn(Reference(reference.name, reference.qualifier or "$LATEST")),
        "MaximumRetryAttempts": config.retries,
        "MaximumEventAgeInSeconds": config.max_age_s,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}},
    }


@lambda_.operation(resource=function_arn, control_plane=True)
def put_function_event_invoke_config(
    call: Call[LambdaState],
    *,
    function_name: str,
    qualifier: str | None = None,
    maximum_retry_attempts: int | None = None,
    maximum_event_age_in_seconds: int | None = None,
) -> Reply:
    """Set how asynchronous events are retried; what is not given takes AWS's defaults."""
    reference = call.state.reference(function_name, qualifier)
    function = call.state.find(reference).function
    default = EventConfig()
    retries = default.retries if maximum_retry_attempts is None else maximum_retry_attempts
    age_s = default.max_age_s if maximum_event_age_in_seconds is None else maximum_event_age_in_seconds
    if not RETRIES[0] <= retries <= RETRIES[1] or not AGES_S[0] <= age_s <= AGES_S[1]:
        raise InvalidParameterValueException(
            "MaximumRetryAttempts must be 0 to 2, MaximumEventAgeInSeconds 60 to 21600."
        )
    config = EventConfig(retries, age_s, call.now_s)
    configs = {**function.event_configs, reference.qualifier or "": config}
    call.state.replace(replace(function, event_configs=configs))
    return _event_config_shape(call, reference, config)


def _event_config(call: Call[LambdaState], reference: Reference) -> EventConfig:
    config = call.state.function(reference).event_configs.get(reference.qualifier or "")
    if config is None:
        arn = call.state.arn(Reference(reference.name, reference.qualifier or "$LATEST"))
        raise ResourceNotFoundException(f"The function {arn} doesn't have an EventInvokeConfig", Type="User")
    return config


@lambda_.operation(resource=function_arn, control_plane=True)
def get_function_event_invoke_config(
    call: Call[LambdaState], *, function_name: str, qualifier: str | None = None
) -> Reply:
    """How asynchronous events are retried, where it was set."""
    reference = call.state.reference(function_name, qualifier)
    return _event_config_shape(call, reference, _event_config(call, reference))


@lambda_.operation(resource=function_arn, control_plane=True)
def delete_function_event_invoke_config(
    call: Call[LambdaState], *, function_name: str, qualifier: str | None = None
) -> Reply:
    """Go back to the defaults."""
    reference = call.state.reference(function_name, qualifier)
    _event_config(call, reference)
    function = call.state.function(reference)
    kept = {name: each for name, each in function.event_configs.items() if name != (reference.qualifier or "")}
    call.state.replace(replace(function, event_configs=kept))
    return {}


@lambda_.operation(control_plane=True)
def get_account_settings(call: Call[LambdaState]) -> Reply:
    """The account's limits in this Region, and how much of them is used."""
    concurrency = call.state.concurrency
    return {
        "AccountLimit": {
            "TotalCodeSize": TOTAL_CODE_BYTES,
            "CodeSizeUnzipped": MAX_UNZIPPED_BYTES,
            "CodeSizeZipped": MAX_INLINE_BYTES,
            "ConcurrentExecutions": concurrency.limit,
            "UnreservedConcurrentExecutions": concurrency.unreserved_limit,
        },
        "AccountUsage": {"TotalCodeSize": call.state.code_bytes, "FunctionCount": len(call.state.functions)},
    }
