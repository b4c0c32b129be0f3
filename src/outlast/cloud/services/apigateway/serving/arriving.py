"""Which API and stage a request means: by the API's own name, by a custom domain name, or by a path without DNS.

https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-call-api.html and how-to-custom-domains.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from outlast.cloud.services.apigateway.serving.refusals import Refusal
from outlast.cloud.wire import Request

DIRECT: Final = "/_aws/execute-api/"
NO_BASE: Final = "(none)"


@dataclass(frozen=True, slots=True)
class Arrival:
    """`path` is what routes are matched with; `sent` the whole path; `event_path` what the function sees."""

    api_id: str
    stage: str
    path: str
    sent: str
    event_path: str
    domain: str
    own_endpoint: bool


def host_of(request: Request) -> str:
    """The host that the request names, without its port."""
    host = request.headers.get("host", "").lower()
    return host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host


def suffix_of(region: str) -> str:
    """What follows an API's id in its own name."""
    return f".execute-api.{region}.amazonaws.com"


def _forbidden() -> Refusal:
    return Refusal("DEFAULT_4XX", "Forbidden", status=403, error="ForbiddenException")


def _split(path: str) -> tuple[str, str]:
    """The first part of a path, and the rest with its slash."""
    head, slash, rest = path.lstrip("/").partition("/")
    return head, slash + rest if slash else "/"


def arrive(request: Request, region: str, domains: Mapping[str, Mapping[str, Any]]) -> Arrival:
    """Read the address; `domains` are custom domain names with their `mappings`. Raises Refusal."""
    path = request.path
    suffix = suffix_of(region)
    if path.startswith(DIRECT):
        api_id, rest = _split(path.removeprefix(DIRECT))
        stage, inner = _split(rest)
        return Arrival(api_id, stage, inner, f"/{stage}{inner}", inner, api_id + suffix, True)
    host = host_of(request)
    domain = domains.get(host)
    if domain is not None:
        return _by_mapping(path, host, domain["mappings"])
    if host.endswith(suffix):
        stage, inner = _split(path)
        return Arrival(host.removesuffix(suffix), stage, inner, path, inner, host, True)
    raise _forbidden()


def _by_mapping(path: str, host: str, mappings: Mapping[str, Mapping[str, Any]]) -> Arrival:
    parts = [part for part in path.split("/") if part]
    for size in range(len(parts), -1, -1):
        mapping = mappings.get("/".join(parts[:size]) if size else NO_BASE)
        if mapping is None:
            continue
        rest = "/" + "/".join(parts[size:])
        stage = mapping.get("stage")
        if stage:
            return Arrival(mapping["restApiId"], stage, rest, path, path, host, False)
        stage, inner = _split(rest)
        return Arrival(mapping["restApiId"], stage, inner, path, path, host, False)
    raise _forbidden()
