"""Facts of a deployment that is ready: what AWS answers about two equal Regions. Tests break one thing at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from outlast.ops.doctor.facts import Facts, Method, NameFacts, RegionFacts, SwitchFacts, TableFacts, Traffic
from outlast.ops.doctor.findings import Finding
from tests.unit.ops.fakes import sample_deployment

A, B = "us-east-1", "us-west-2"
NOW_S = datetime(2026, 2, 1, tzinfo=UTC).timestamp()
DEPLOYMENT = sample_deployment()
TABLES = ("orders-customers", "orders-products", "orders-orders")


def table(region: str, name: str) -> TableFacts:
    described: dict[str, Any] = {
        "TableName": name,
        "TableStatus": "ACTIVE",
        "TableArn": f"arn:aws:dynamodb:{region}:1:table/{name}",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by-day",
                "IndexStatus": "ACTIVE",
                "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "OnDemandThroughput": {"MaxReadRequestUnits": 1000, "MaxWriteRequestUnits": 1000},
        "Replicas": [{"RegionName": each, "ReplicaStatus": "ACTIVE"} for each in (A, B)],
        "SSEDescription": {"SSEType": "KMS", "KMSMasterKeyArn": f"arn:aws:kms:{region}:1:alias/aws/dynamodb"},
        "WarmThroughput": {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000},
        "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
        "DeletionProtectionEnabled": True,
    }
    ttl = {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    backups = {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"}}
    return TableFacts(described, ttl, backups)


def alarm(name: str, region: str, **members: Any) -> dict[str, Any]:
    return {
        "AlarmName": name,
        "AlarmArn": f"arn:aws:cloudwatch:{region}:1:alarm:{name}",
        "ActionsEnabled": True,
        "AlarmActions": ["arn:topic"],
        "StateValue": "OK",
        **members,
    }


def region_facts(name: str) -> RegionFacts:
    part = DEPLOYMENT.region(name)
    function = f"arn:aws:lambda:{name}:1:function:f:live"
    uri = f"arn:aws:apigateway:{name}:lambda:path/2015-03-31/functions/{function}/invocations"
    return RegionFacts(
        name=name,
        tables={each: table(name, each) for each in TABLES},
        table_limits={"TableMaxReadCapacityUnits": 40000, "TableMaxWriteCapacityUnits": 40000},
        function={
            "FunctionArn": f"arn:aws:lambda:{name}:1:function:f:1",
            "Role": "arn:aws:iam::1:role/f",
            "CodeSha256": "abc",
            "Handler": "app.handler",
            "Runtime": "python3.13",
            "Architectures": ["arm64"],
            "MemorySize": 512,
            "Timeout": 10,
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "Environment": {"Variables": {"TABLE": "orders", "HERE": name}},
            "Layers": [{"Arn": f"arn:aws:lambda:{name}:2:layer:tools:7"}],
        },
        lambda_account={"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 900}},
        statements=(
            {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": f"arn:aws:dynamodb:{name}:1:table/orders"},
        ),
        api={"id": part.api_id, "disableExecuteApiEndpoint": False},
        api_account={"throttleSettings": {"rateLimit": 10000.0}},
        methods=(Method("POST /orders", "AWS_IAM", "AWS_PROXY", uri), Method("GET /ping", "NONE", "MOCK", "")),
        stage={"methodSettings": {"*/*": {"throttlingRateLimit": 500.0, "throttlingBurstLimit": 1000}}},
        domain={
            "domainNameArn": f"arn:aws:apigateway:{name}::/domainnames/orders.outlast.example",
            "regionalDomainName": part.domain,
            "domainNameStatus": "AVAILABLE",
            "securityPolicy": "TLS_1_2",
        },
        mappings=({"basePath": "v1", "restApiId": part.api_id, "stage": part.stage},),
        certificate={
            "CertificateArn": f"arn:aws:acm:{name}:1:certificate/c",
            "Status": "ISSUED",
            "NotAfter": datetime(2026, 12, 1, tzinfo=UTC),
        },
        alarms=(
            alarm("orders-canary-fails", name, Namespace="CloudWatchSynthetics", TreatMissingData="breaching"),
            alarm("orders-lags", name, MetricName="ReplicationLatency", TreatMissingData="missing"),
            alarm(part.alarm, name, AlarmRule='ALARM("orders-canary-fails")'),
        ),
        canary={"Status": {"State": "RUNNING"}},
        traffic=Traffic(100.0, 20.0, dict.fromkeys(TABLES, 50.0), dict.fromkeys(TABLES, 20.0)),
    )


def records() -> tuple[dict[str, Any], ...]:
    name = "orders.outlast.example."
    found: list[dict[str, Any]] = []
    for part in DEPLOYMENT.regions:
        other = DEPLOYMENT.others(part.name)[0]
        found.append(
            {
                "Name": name,
                "Type": "CNAME",
                "SetIdentifier": part.name,
                "Region": part.name,
                "AliasTarget": {"DNSName": f"{part.name}.{name}", "EvaluateTargetHealth": True},
            }
        )
        for word, weight, to in (("home", 100, part), ("away", 0, other)):
            found.append(
                {
                    "Name": f"{part.name}.{name}",
                    "Type": "CNAME",
                    "SetIdentifier": word,
                    "Weight": weight,
                    "TTL": 5,
                    "HealthCheckId": to.health_check_id,
                    "ResourceRecords": [{"Value": to.domain}],
                }
            )
    return tuple(found)


def check(control_arn: str) -> dict[str, Any]:
    return {"HealthCheckConfig": {"Type": "RECOVERY_CONTROL", "RoutingControlArn": control_arn, "Inverted": False}}


def ready() -> Facts:
    """All is well."""
    arc = DEPLOYMENT.arc
    rule = {
        "Name": "never-both-off",
        "SafetyRuleArn": arc.safety_rule_arn,
        "AssertedControls": [part.routing_control_arn for part in DEPLOYMENT.regions],
        "RuleConfig": {"Type": "ATLEAST", "Threshold": 1, "Inverted": False},
    }
    return Facts(
        at_s=NOW_S,
        deployment=DEPLOYMENT,
        regions=(region_facts(A), region_facts(B)),
        switch=SwitchFacts(
            endpoints={each.url: "" for each in arc.endpoints},
            states={A: True, B: True},
            cluster={
                "Status": "DEPLOYED",
                "ClusterEndpoints": [{"Endpoint": each.url, "Region": each.region} for each in arc.endpoints],
            },
            controls=tuple({"RoutingControlArn": part.routing_control_arn} for part in DEPLOYMENT.regions),
            rules=({"ASSERTION": rule},),
        ),
        names=NameFacts(
            records(), {part.health_check_id: check(part.routing_control_arn) for part in DEPLOYMENT.regions}
        ),
        observer_alarms=tuple(alarm(part.observer_alarm, "us-east-2") for part in DEPLOYMENT.regions),
    )


Change = Callable[[Any], Any]


def in_region(member: str, change: Change, region: str = B) -> Facts:
    """The same, with one member of one Region's facts changed: `change` gets a copy and may give another value."""
    facts = ready()
    regions = tuple(
        replace(each, **{member: _changed(getattr(each, member), change)}) if each.name == region else each
        for each in facts.regions
    )
    return replace(facts, regions=regions)


def in_table(change: Change, member: str = "table", name: str = TABLES[2]) -> Facts:
    """The same, with one replica in B changed."""

    def of_table(tables: dict[str, TableFacts]) -> None:
        tables[name] = replace(tables[name], **{member: _changed(getattr(tables[name], member), change)})

    return in_region("tables", of_table)


def in_part(part: str, member: str, change: Change) -> Facts:
    """The same, with one member of `switch` or `names` changed."""
    facts = ready()
    held = getattr(facts, part)
    return replace(facts, **{part: replace(held, **{member: _changed(getattr(held, member), change)})})


def _changed(value: Any, change: Change) -> Any:
    mine = copy.deepcopy(value)
    given = change(mine)
    return mine if given is None else given


def put(**members: Any) -> Change:
    """A change that sets members of a document."""

    def change(document: dict[str, Any]) -> None:
        document.update(members)

    return change


def told(findings: tuple[Finding, ...], rule: str) -> list[Finding]:
    """The findings of one rule."""
    return [each for each in findings if each.rule == rule]
