"""A stage compiled for serving: its deployment, variables, limits and logs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from outlast.cloud.services.apigateway.serving.facts import Ended, Facts, context_value
from outlast.cloud.services.apigateway.serving.throttle import ACCOUNT_BURST, ACCOUNT_RATE

_VARIABLE: Final = re.compile(r"\$context\.([A-Za-z]+(?:\.[A-Za-z]+)*)")
GROUP_ARN: Final = re.compile(r"arn:aws[a-zA-Z-]*:logs:[a-z0-9-]+:\d{12}:log-group:(?P<group>[^:]+)(:\*)?")


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage. `log_group` is empty when there are no access logs."""

    api_id: str
    name: str
    deployment_id: str
    variables: Mapping[str, str]
    settings: Mapping[str, Mapping[str, Any]]
    log_group: str
    log_format: str

    def setting(self, method_key: str, name: str) -> Any:
        """A method setting: of the method itself, else of the stage, else None."""
        for key in (method_key, "*/*"):
            value = self.settings.get(key, {}).get(name)
            if value is not None:
                return value
        return None

    def limits(self, method_key: str) -> tuple[float, float] | None:
        """(rate, burst) of a method, or None when only the account's limits hold."""
        rate = self.setting(method_key, "throttlingRateLimit")
        burst = self.setting(method_key, "throttlingBurstLimit")
        if rate is None and burst is None:
            return None
        return (ACCOUNT_RATE if rate is None else float(rate), ACCOUNT_BURST if burst is None else float(burst))

    def logs_execution(self, method_key: str, *, error: bool) -> bool:
        """Whether execution logging asks for a line."""
        level = self.setting(method_key, "loggingLevel") or "OFF"
        return level == "INFO" or (error and level == "ERROR")


def compile_stage(document: Mapping[str, Any]) -> StagePlan:
    """From the stored document."""
    logs = document.get("accessLogSettings") or {}
    match = GROUP_ARN.fullmatch(logs.get("destinationArn", ""))
    return StagePlan(
        api_id=document["apiId"],
        name=document["stageName"],
        deployment_id=document["deploymentId"],
        variables=document.get("variables") or {},
        settings=document.get("methodSettings") or {},
        log_group=match["group"] if match else "",
        log_format=logs.get("format", ""),
    )


def access_line(form: str, facts: Facts, ended: Ended) -> str:
    """An access log line: variables replaced, `-` for those without a value."""
    return _VARIABLE.sub(lambda match: context_value(facts, ended, match[1]) or "-", form)
