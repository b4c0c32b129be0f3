"""The settings of a version as the API takes them: checked, and turned into changes of a `Version`.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from outlast.cloud.services.lambda_.errors import InvalidParameterValueException
from outlast.cloud.services.lambda_.runtimes import check_layers, check_runtime

MAX_VARIABLES_BYTES: Final = 4096
TIMEOUTS_S: Final = (1, 900)
MEMORIES_MB: Final = (128, 10_240)
STORAGES_MB: Final = (512, 10_240)
_NAME: Final = re.compile(r"[a-zA-Z]([a-zA-Z0-9_])+")
RESERVED: Final = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    }
)


def _between(name: str, value: int, bounds: tuple[int, int]) -> int:
    if not bounds[0] <= value <= bounds[1]:
        raise InvalidParameterValueException(f"{name} must be between {bounds[0]} and {bounds[1]}; it is {value}.")
    return value


def variables_of(environment: Mapping[str, Any]) -> dict[str, str]:
    """The variables of an Environment; raises InvalidParameterValueException with AWS's texts."""
    variables: dict[str, str] = dict(environment.get("Variables") or {})
    head = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided"
    )
    reserved = sorted(RESERVED & variables.keys())
    if reserved:
        raise InvalidParameterValueException(
            f"{head} contains reserved keys that are currently not supported for modification. Reserved keys used in "
            f"this request: {', '.join(reserved)}"
        )
    wrong = [name for name in variables if not _NAME.fullmatch(name)]
    if wrong:
        raise InvalidParameterValueException(f"{wrong[0]} is not a name that an environment variable may have.")
    size = sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())
    if size > MAX_VARIABLES_BYTES:
        raise InvalidParameterValueException(f"{head} exceeded the 4KB limit.")
    return variables


def log_group_of(logging_config: Mapping[str, Any]) -> str:
    """The log group of a LoggingConfig, empty for the default; raises for what is not supported."""
    if logging_config.get("LogFormat", "Text") != "Text":
        raise InvalidParameterValueException("LoggingConfig.LogFormat JSON is not supported by this cloud; use Text.")
    for member in ("ApplicationLogLevel", "SystemLogLevel"):
        if member in logging_config:
            raise InvalidParameterValueException(f"LoggingConfig.{member} is not supported for the log format Text.")
    return str(logging_config.get("LogGroup", ""))


def check_tracing(config: Mapping[str, Any]) -> None:
    """Refuse what needs X-Ray."""
    if config.get("Mode", "PassThrough") != "PassThrough":
        raise InvalidParameterValueException(
            "TracingConfig.Mode Active is not supported by this cloud: it has no X-Ray."
        )


def changes(params: Mapping[str, Any], region: str) -> dict[str, Any]:
    """Fields of `Version` for the members that are given (None: not given); raises InvalidParameterValueException."""
    given = {name: value for name, value in params.items() if value is not None}
    made: dict[str, Any] = {}
    for member, target in (("Role", "role"), ("Handler", "handler"), ("Description", "description")):
        if member in given:
            made[target] = given[member]
    if "Runtime" in given:
        made["runtime"] = check_runtime(given["Runtime"])
    if "Timeout" in given:
        made["timeout_s"] = _between("Timeout", given["Timeout"], TIMEOUTS_S)
    if "MemorySize" in given:
        made["memory_mb"] = _between("MemorySize", given["MemorySize"], MEMORIES_MB)
    if "EphemeralStorage" in given:
        made["storage_mb"] = _between("EphemeralStorage.Size", given["EphemeralStorage"]["Size"], STORAGES_MB)
    if "Environment" in given:
        made["variables"] = variables_of(given["Environment"])
    if "Layers" in given:
        made["layers"] = check_layers(given["Layers"], region)
    if "LoggingConfig" in given:
        made["log_group"] = log_group_of(given["LoggingConfig"])
    if "Architectures" in given:
        made["architectures"] = tuple(given["Architectures"])
    if "TracingConfig" in given:
        check_tracing(given["TracingConfig"])
    return made
