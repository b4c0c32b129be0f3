"""What is known of a request and of its answer: the source of `$context`, of events and of log lines.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html#context-variable-reference
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from outlast.cloud.contract import Principal


@lru_cache(16)
def _clf(now_s: int) -> str:
    return datetime.fromtimestamp(now_s, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")


@dataclass(frozen=True, slots=True)
class Facts:
    """One request that has found its API. `path` is the whole path as sent (`$context.path`)."""

    account_id: str
    api_id: str
    api_name: str
    stage: str
    deployment_id: str
    request_id: str
    extended_id: str
    trace_id: str
    now_ms: int
    method: str
    path: str
    route_path: str
    domain: str
    principal: Principal
    source_ip: str
    user_agent: str
    variables: Mapping[str, str] = field(default_factory=dict)
    resource_id: str = ""
    resource_path: str = ""

    @property
    def request_time(self) -> str:
        """CLF time of the request."""
        return _clf(self.now_ms // 1000)

    @property
    def signed(self) -> bool:
        """Whether the caller is known."""
        return self.principal.kind != "anonymous"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a request ended. `response_type` is the gateway response that was given, empty for the integration's own."""

    status: int
    size_bytes: int = 0
    latency_ms: int = 0
    integration_ms: int | None = None
    integration_status: int | None = None
    error: str = ""
    response_type: str = ""
    validation_error: str = ""
    integration_error: str = ""

    def closed(self, status: int, size_bytes: int, latency_ms: int) -> Ended:
        """With what is known only once the response stands."""
        return Ended(
            status,
            size_bytes,
            latency_ms,
            self.integration_ms,
            self.integration_status,
            self.error,
            self.response_type,
            self.validation_error,
            self.integration_error,
        )


UNENDED: Final = Ended(0)


def context_value(facts: Facts, ended: Ended, name: str) -> str:
    """The value of `$context.NAME`, empty when there is none."""
    maker = VALUES.get(name)
    return "" if maker is None else maker(facts, ended)


Read = Callable[[Facts, Ended], str]


def _plain(name: str) -> Read:
    return lambda facts, ended: str(getattr(facts, name))


def _identity(name: str) -> Read:
    return lambda facts, ended: str(getattr(facts.principal, name)) if facts.signed else ""


def _number(name: str) -> Read:
    def read(facts: Facts, ended: Ended) -> str:
        value = getattr(ended, name)
        return "" if value is None else str(value)

    return read


VALUES: Final[Mapping[str, Read]] = {
    "accountId": _plain("account_id"),
    "apiId": _plain("api_id"),
    "stage": _plain("stage"),
    "deploymentId": _plain("deployment_id"),
    "requestId": _plain("request_id"),
    "extendedRequestId": _plain("extended_id"),
    "xrayTraceId": _plain("trace_id"),
    "requestTime": _plain("request_time"),
    "requestTimeEpoch": _plain("now_ms"),
    "httpMethod": _plain("method"),
    "path": _plain("path"),
    "resourceId": _plain("resource_id"),
    "resourcePath": _plain("resource_path"),
    "protocol": lambda facts, ended: "HTTP/1.1",
    "domainName": _plain("domain"),
    "domainPrefix": lambda facts, ended: facts.domain.partition(".")[0],
    "identity.sourceIp": _plain("source_ip"),
    "identity.userAgent": _plain("user_agent"),
    "identity.userArn": _identity("arn"),
    "identity.caller": _identity("user_id"),
    "identity.user": _identity("user_id"),
    "identity.accountId": _identity("account_id"),
    "identity.accessKey": _identity("access_key_id"),
    "status": _number("status"),
    "responseLength": _number("size_bytes"),
    "responseLatency": _number("latency_ms"),
    "integrationLatency": _number("integration_ms"),
    "integration.latency": _number("integration_ms"),
    "integrationStatus": _number("integration_status"),
    "integration.status": _number("integration_status"),
    "integrationErrorMessage": lambda facts, ended: ended.integration_error,
    "integration.error": lambda facts, ended: ended.integration_error,
    "error.message": lambda facts, ended: ended.error,
    "error.messageString": lambda facts, ended: _quoted(ended.error),
    "error.responseType": lambda facts, ended: ended.response_type,
    "error.validationErrorString": lambda facts, ended: ended.validation_error,
}


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if text else ""
