"""Health check configurations: defaults and refusals."""

from __future__ import annotations

from typing import Any

import pytest

from outlast.cloud.services.route53.errors import InvalidInput
from outlast.cloud.services.route53.model import Check
from outlast.cloud.services.route53.rules import completed, reset

CHECKS = {name: Check(name, name, 1, {"Type": "TCP"}) for name in ("a", "b")}
ALARM = {"Region": "us-east-1", "Name": "x"}


def test_defaults_of_an_endpoint() -> None:
    config = completed({"Type": "HTTPS", "FullyQualifiedDomainName": "x.example.com"}, {}, None)
    assert config == {
        "Type": "HTTPS",
        "FullyQualifiedDomainName": "x.example.com",
        "Inverted": False,
        "Disabled": False,
        "RequestInterval": 30,
        "FailureThreshold": 3,
        "MeasureLatency": False,
        "EnableSNI": True,
        "Port": 443,
    }


@pytest.mark.parametrize(
    "given",
    [
        {"Type": "HTTP", "IPAddress": "192.0.2.1"},
        {"Type": "HTTP", "IPAddress": "127.0.0.1"},
        {"Type": "HTTP", "IPAddress": "::1"},
        {"Type": "HTTP_STR_MATCH", "IPAddress": "192.0.2.1", "SearchString": "ok"},
        {"Type": "TCP", "IPAddress": "192.0.2.1", "Port": 25},
        {"Type": "CALCULATED", "HealthThreshold": 1, "ChildHealthChecks": ["a", "b"]},
        {"Type": "CALCULATED", "HealthThreshold": 0},
        {"Type": "CLOUDWATCH_METRIC", "AlarmIdentifier": ALARM, "InsufficientDataHealthStatus": "Healthy"},
        {"Type": "RECOVERY_CONTROL", "RoutingControlArn": "arn:aws:route53-recovery-control::1:controlpanel/x"},
    ],
)
def test_every_kind_can_be_made(given: dict[str, Any]) -> None:
    config = completed(given, CHECKS, None)
    assert given.items() <= config.items()
    assert completed(config, CHECKS, "own") == config


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"Type": "HTTP", "IPAddress": "169.254.169.254"}, "nonroutable or multicast"),
        ({"Type": "HTTP", "IPAddress": "::ffff:169.254.169.254"}, "nonroutable or multicast"),
        ({"Type": "HTTP", "IPAddress": "0.0.0.0"}, "nonroutable or multicast"),
        ({"Type": "HTTP", "IPAddress": "255.255.255.255"}, "nonroutable or multicast"),
        ({"Type": "HTTP", "IPAddress": "ff02::1"}, "nonroutable or multicast"),
        ({"Type": "HTTP"}, "must have an IP address or a fully qualified domain name"),
        ({"Type": "TCP", "IPAddress": "192.0.2.1"}, "must have a port"),
        ({"Type": "HTTP_STR_MATCH", "IPAddress": "192.0.2.1"}, "must have a search string"),
        ({"Type": "HTTP", "IPAddress": "192.0.2.1", "SearchString": "x"}, "must not have a search string"),
        ({"Type": "TCP", "IPAddress": "192.0.2.1", "Port": 1, "ResourcePath": "/"}, "must not have a resource path"),
        ({"Type": "HTTP", "IPAddress": "192.0.2.1", "RequestInterval": 20}, "10 or 30"),
        ({"Type": "HTTP", "FullyQualifiedDomainName": "a..b"}, "DomainLabelEmpty"),
        (
            {"Type": "TCP", "IPAddress": "192.0.2.1", "Port": 80, "AlarmIdentifier": ALARM},
            "Invalid parameter : Basic health checks must not have an metric region specified.",
        ),
        (
            {"Type": "CALCULATED"},
            "Invalid parameter : Calculated health checks must have a health threshold specified.",
        ),
        ({"Type": "CALCULATED", "HealthThreshold": 1, "ChildHealthChecks": ["z"]}, "z does not exist"),
        ({"Type": "CALCULATED", "HealthThreshold": 1, "ChildHealthChecks": ["a", "a"]}, "different"),
        ({"Type": "CALCULATED", "HealthThreshold": 1, "FailureThreshold": 1}, "must not have FailureThreshold"),
        ({"Type": "CLOUDWATCH_METRIC"}, "must have an alarm identifier"),
        ({"Type": "RECOVERY_CONTROL"}, "must have a routing control ARN"),
        ({"Type": "RECOVERY_CONTROL", "RoutingControlArn": "x"}, "must have a routing control ARN"),
    ],
)
def test_what_does_not_go_together(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        completed(given, CHECKS, None)
    assert words in caught.value.message


def test_a_circle_of_calculated_checks_is_refused() -> None:
    def calculated(*children: str) -> dict[str, Any]:
        return {"Type": "CALCULATED", "HealthThreshold": 1, "ChildHealthChecks": list(children)}

    checks = {**CHECKS, "p": Check("p", "p", 1, calculated("q")), "q": Check("q", "q", 1, calculated("a"))}
    with pytest.raises(InvalidInput, match="depend on itself"):
        completed(calculated("p"), checks, "q")
    with pytest.raises(InvalidInput, match="depend on itself"):
        completed(calculated("q"), checks, "q")
    completed(calculated("a", "b"), checks, "q")


def test_elements_are_reset() -> None:
    assert reset({"Regions": ["x"], "ResourcePath": "/", "Port": 1}, ["Regions", "ResourcePath"]) == {"Port": 1}
    with pytest.raises(InvalidInput, match="cannot be reset"):
        reset({}, ["Port"])
