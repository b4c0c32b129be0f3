"""The settings of a canary as the API takes them: checked, and as the settings of its function.

https://docs.aws.amazon.com/AmazonSynthetics/latest/APIReference/API_CreateCanary.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from outlast.cloud.services.synthetics.errors import ValidationException
from outlast.cloud.services.synthetics.model import (
    DEFAULT_MEMORY_MB,
    LONGEST_TIMEOUT_S,
    SHORTEST_TIMEOUT_S,
    Canary,
)
from outlast.cloud.services.synthetics.schedule import BadSchedule, Rate, parse

RUNTIME: Final = re.compile(r"syn-python-selenium-\d+\.\d+")
NAME: Final = re.compile(r"[0-9a-z_\-]{1,255}")
LOCATION: Final = re.compile(r"s3://[a-z0-9.-]{3,63}(/.*)?")
FUNCTION_RUNTIME: Final = "python3.11"
LAYER: Final = "arn:aws:lambda:{}:378653112637:layer:Synthetics_Selenium:1"


def check_name(name: str) -> str:
    """A canary's name; raises ValidationException."""
    if not NAME.fullmatch(name):
        raise ValidationException(f"{name} is not a name that a canary may have.")
    return name


def check_runtime(runtime: str) -> str:
    """A runtime version; raises ValidationException for one that cannot be run here."""
    if not RUNTIME.fullmatch(runtime):
        raise ValidationException(
            f"The runtime version {runtime} is not supported by this cloud; it runs syn-python-selenium-* without a "
            "browser."
        )
    return runtime


def check_location(location: str) -> str:
    """An artifact location; raises ValidationException."""
    whole = location if location.startswith("s3://") else f"s3://{location}"
    if not LOCATION.fullmatch(whole):
        raise ValidationException(f"{location} is not an S3 location.")
    return whole


def schedule_fields(schedule: Mapping[str, Any], shortest_s: float) -> dict[str, Any]:
    """Fields of `Canary` for a schedule; raises ValidationException."""
    expression = schedule.get("Expression") or ""
    try:
        parse(expression, shortest_s)
    except BadSchedule as error:
        raise ValidationException(str(error)) from error
    return {
        "expression": expression,
        "duration_s": int(schedule.get("DurationInSeconds") or 0),
        "max_retries": int((schedule.get("RetryConfig") or {}).get("MaxRetries") or 0),
    }


def default_timeout_s(expression: str, shortest_s: float) -> int:
    """A run may take as long as its schedule leaves, up to 14 minutes."""
    schedule = parse(expression, shortest_s)
    if isinstance(schedule, Rate) and schedule.every_s:
        return int(min(LONGEST_TIMEOUT_S, max(SHORTEST_TIMEOUT_S, schedule.every_s)))
    return LONGEST_TIMEOUT_S


def run_fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `Canary` for a RunConfig; raises ValidationException for what is not supported."""
    if config.get("ActiveTracing"):
        raise ValidationException("RunConfig.ActiveTracing is not supported by this cloud: it has no X-Ray.")
    made: dict[str, Any] = {}
    if config.get("TimeoutInSeconds") is not None:
        made["timeout_s"] = int(config["TimeoutInSeconds"])
        if not SHORTEST_TIMEOUT_S <= made["timeout_s"] <= LONGEST_TIMEOUT_S:
            raise ValidationException("RunConfig.TimeoutInSeconds must be between 3 and 840.")
    if config.get("MemoryInMB") is not None:
        made["memory_mb"] = int(config["MemoryInMB"])
        if made["memory_mb"] % 64:
            raise ValidationException("RunConfig.MemoryInMB must be a multiple of 64.")
    if config.get("EphemeralStorage") is not None:
        made["storage_mb"] = int(config["EphemeralStorage"])
    if config.get("EnvironmentVariables") is not None:
        made["variables"] = {str(name): str(value) for name, value in config["EnvironmentVariables"].items()}
    return made


def code_params(code: Mapping[str, Any]) -> dict[str, Any]:
    """Where the code is, as Lambda takes it; raises ValidationException."""
    for member in ("BlueprintTypes", "Dependencies"):
        if code.get(member):
            raise ValidationException(f"Code.{member} is not supported by this cloud.")
    if code.get("ZipFile") is not None:
        return {"ZipFile": code["ZipFile"]}
    if code.get("S3Bucket") and code.get("S3Key"):
        params = {"S3Bucket": code["S3Bucket"], "S3Key": code["S3Key"]}
        if code.get("S3Version"):
            params["S3ObjectVersion"] = code["S3Version"]
        return params
    raise ValidationException("Code must have a ZipFile, or an S3Bucket and an S3Key.")


def function_handler(handler: str) -> str:
    """A canary's handler as its function's: `::` and `.` both stand before the function's name."""
    return handler.replace("::", ".").replace("\\", "/")


def function_params(canary: Canary, arn: str) -> dict[str, Any]:
    """The settings of a canary's function."""
    return {
        "FunctionName": canary.function,
        "Handler": function_handler(canary.handler),
        "Role": canary.role,
        "Timeout": canary.timeout_s,
        "MemorySize": canary.memory_mb or DEFAULT_MEMORY_MB,
        "Environment": {"Variables": {**canary.variables, "AWS_SYNTHETICS_CANARY_ARN": arn}},
        "EphemeralStorage": {"Size": canary.storage_mb},
    }
