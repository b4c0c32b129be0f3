"""What a health check's configuration must and must not say, and the defaults of what it leaves out. Pure.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_HealthCheckConfig.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Final

from outlast.cloud.services.route53 import dnsnames
from outlast.cloud.services.route53.dnsnames import BadName
from outlast.cloud.services.route53.errors import InvalidInput
from outlast.cloud.services.route53.model import ENDPOINT_KINDS, Check
from outlast.cloud.services.route53.probes import default_port

ENDPOINT: Final = (
    "IPAddress",
    "Port",
    "ResourcePath",
    "FullyQualifiedDomainName",
    "SearchString",
    "RequestInterval",
    "FailureThreshold",
    "MeasureLatency",
    "EnableSNI",
    "Regions",
)
ALWAYS: Final = ("Type", "Inverted", "Disabled")
OWN: Final[Mapping[str, tuple[str, ...]]] = {
    "CALCULATED": ("HealthThreshold", "ChildHealthChecks"),
    "CLOUDWATCH_METRIC": ("AlarmIdentifier", "InsufficientDataHealthStatus"),
    "RECOVERY_CONTROL": ("RoutingControlArn",),
    **dict.fromkeys(ENDPOINT_KINDS, ENDPOINT),
}
WORDS: Final = {
    "HealthThreshold": "a health threshold",
    "ChildHealthChecks": "child health checks",
    "AlarmIdentifier": "an metric region",
    "RoutingControlArn": "a routing control ARN",
}
NAMES: Final = {
    "CALCULATED": "Calculated",
    "CLOUDWATCH_METRIC": "CloudWatch metric",
    "RECOVERY_CONTROL": "Recovery control",
}
RESETTABLE: Final = frozenset({"ChildHealthChecks", "FullyQualifiedDomainName", "Regions", "ResourcePath"})


def _wrong(text: str) -> InvalidInput:
    return InvalidInput(f"Invalid parameter : {text}")


def completed(given: Mapping[str, Any], checks: Mapping[str, Check], own_id: str | None) -> dict[str, Any]:
    """The configuration with its defaults; raises InvalidInput for what does not go together.

    `own_id` is the health check's when it is being changed, for the search for circles.
    """
    kind = given["Type"]
    word = NAMES.get(kind, "Basic")
    config = {name: value for name, value in given.items() if value is not None}
    for member in config:
        if member not in ALWAYS and member not in OWN[kind]:
            raise _wrong(f"{word} health checks must not have {WORDS.get(member, member)} specified.")
    config.setdefault("Inverted", False)
    config.setdefault("Disabled", False)
    if kind == "CALCULATED":
        _calculated(config, checks, own_id)
    elif kind == "CLOUDWATCH_METRIC":
        if "AlarmIdentifier" not in config:
            raise _wrong("CloudWatch metric health checks must have an alarm identifier specified.")
        config.setdefault("InsufficientDataHealthStatus", "LastKnownStatus")
    elif kind == "RECOVERY_CONTROL":
        if not str(config.get("RoutingControlArn", "")).startswith("arn:"):
            raise _wrong("Recovery control health checks must have a routing control ARN specified.")
    else:
        _endpoint(kind, config)
    return config


def reset(config: Mapping[str, Any], elements: Sequence[str]) -> dict[str, Any]:
    """The configuration without the elements that are to take their defaults again."""
    for element in elements:
        if element not in RESETTABLE:
            raise _wrong(f"The element {element} cannot be reset.")
    return {name: value for name, value in config.items() if name not in elements}


def _calculated(config: dict[str, Any], checks: Mapping[str, Check], own_id: str | None) -> None:
    if "HealthThreshold" not in config:
        raise _wrong("Calculated health checks must have a health threshold specified.")
    children = config.setdefault("ChildHealthChecks", [])
    if len(children) > 255:
        raise _wrong("Calculated health checks must not have more than 255 child health checks.")
    if len(set(children)) != len(children):
        raise _wrong("Child health checks must be different from each other.")
    for child in children:
        if child not in checks:
            raise _wrong(f"Child health check {child} does not exist.")
        if own_id is not None and _reaches(child, own_id, checks):
            raise _wrong(f"Child health check {child} would make the health check depend on itself.")


def _reaches(start: str, goal: str, checks: Mapping[str, Check]) -> bool:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        each = waiting.pop()
        if each == goal:
            return True
        if each not in seen and each in checks:
            seen.add(each)
            waiting.extend(checks[each].children)
    return False


def may_be_probed(text: str) -> bool:
    """No machine's own settings (link-local, as of instance metadata) and no group of machines may be probed.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_HealthCheckConfig.html refuses loopback and private ones
    too, which are where a local world's endpoints are.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return True  # the model's own pattern has a say
    seen = getattr(address, "ipv4_mapped", None) or address
    return seen.is_loopback or not (seen.is_link_local or seen.is_multicast or seen.is_unspecified or seen.is_reserved)


def _check_address(text: str) -> None:
    if not may_be_probed(text):
        raise _wrong(f"Health checks must not have a nonroutable or multicast IP address specified: {text}.")


def _endpoint(kind: str, config: dict[str, Any]) -> None:
    if "IPAddress" in config:
        _check_address(config["IPAddress"])
    matches = kind.endswith("STR_MATCH")
    if "IPAddress" not in config and "FullyQualifiedDomainName" not in config:
        raise _wrong("Basic health checks must have an IP address or a fully qualified domain name specified.")
    if kind == "TCP" and "Port" not in config:
        raise _wrong("TCP health checks must have a port specified.")
    if matches and not config.get("SearchString"):
        raise _wrong("String match health checks must have a search string specified.")
    if not matches and config.get("SearchString"):
        raise _wrong(f"{kind} health checks must not have a search string specified.")
    if kind == "TCP" and config.get("ResourcePath"):
        raise _wrong("TCP health checks must not have a resource path specified.")
    if config.get("RequestInterval", 30) not in (10, 30):
        raise _wrong("Request interval must be 10 or 30 seconds.")
    if "FullyQualifiedDomainName" in config:
        try:
            dnsnames.wire(config["FullyQualifiedDomainName"])
        except BadName as bad:
            raise _wrong(str(bad)) from None
    config.setdefault("RequestInterval", 30)
    config.setdefault("FailureThreshold", 3)
    config.setdefault("MeasureLatency", False)
    config.setdefault("EnableSNI", kind.startswith("HTTPS"))
    port = default_port(kind)
    if port is not None:
        config.setdefault("Port", port)
