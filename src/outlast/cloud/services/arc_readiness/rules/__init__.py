"""The readiness rules of every supported resource type, by AWS's ids."""

from __future__ import annotations

from collections.abc import Mapping

from outlast.cloud.services.arc_readiness.rules import apigateway, cloudwatch, dns, dynamodb, functions, health
from outlast.cloud.services.arc_readiness.rules.kit import Rule

RULES: Mapping[str, tuple[Rule, ...]] = {
    "AWS::ApiGateway::Stage": apigateway.RULES,
    "AWS::CloudWatch::Alarm": cloudwatch.RULES,
    "AWS::DynamoDB::Table": dynamodb.RULES,
    "AWS::Lambda::Function": functions.RULES,
    "AWS::Route53::HealthCheck": health.RULES,
    "AWS::Route53RecoveryReadiness::DNSTargetResource": dns.RULES,
}
DNS_TARGET = "AWS::Route53RecoveryReadiness::DNSTargetResource"
