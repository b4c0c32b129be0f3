"""Reading the resources, by the APIs that a user would use; one function per resource type."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from outlast.cloud.services.arc_readiness.looks import compute, routing, tables
from outlast.cloud.services.arc_readiness.looks.caller import Ask, Misread
from outlast.cloud.services.arc_readiness.model import Part

Look = Callable[[Ask, Part], Awaitable[Mapping[str, Any]]]

LOOKS: Mapping[str, Look] = {
    "AWS::ApiGateway::Stage": compute.stage,
    "AWS::CloudWatch::Alarm": tables.alarm,
    "AWS::DynamoDB::Table": tables.table,
    "AWS::Lambda::Function": compute.function,
    "AWS::Route53::HealthCheck": routing.health_check,
    "AWS::Route53RecoveryReadiness::DNSTargetResource": routing.dns_target,
}

__all__ = ["LOOKS", "Ask", "Look", "Misread"]
