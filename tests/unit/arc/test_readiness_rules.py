"""Readiness rules judge what they say they judge."""

from __future__ import annotations

from typing import Any

import pytest

from outlast.cloud.services.arc_readiness.judging import (
    NOT_READY,
    READY,
    UNKNOWN,
    Unread,
    judge,
    recommendations,
    within,
    worst,
)
from outlast.cloud.services.arc_readiness.model import Part
from outlast.cloud.services.arc_readiness.rules import RULES

PARTS = (Part("one"), Part("two"))
TABLE: dict[str, Any] = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "TableStatus": "ACTIVE",
    "ProvisionedThroughput": {"ReadCapacityUnits": 100, "WriteCapacityUnits": 100},
    "GlobalSecondaryIndexes": [],
}
INDEX = {
    "IndexName": "i",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
    "IndexStatus": "ACTIVE",
    "ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 10},
}
FUNCTION: dict[str, Any] = {"MemorySize": 256, "Timeout": 10, "Runtime": "python3.13"}
CHECK: dict[str, Any] = {"Type": "HTTPS", "RequestInterval": 10, "FailureThreshold": 3}
STAGE: dict[str, Any] = {
    "api": {"binaryMediaTypes": []},
    "stage": {},
    "methods": {"GET /orders": {"authorization": "AWS_IAM"}},
    "mappings": [("(none)", "api.example.com")],
    "domains": [{"domainName": "api.example.com", "endpointConfiguration": {"types": ["REGIONAL"]}}],
}
STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
CACHE = {"cacheClusterEnabled": True, "cacheClusterStatus": "AVAILABLE"}
DEAD_LETTER = "LambdaFunctionDeadLetterConfig"
RECORD: dict[str, Any] = {"Name": "a.example.com.", "Type": "A", "TTL": 60, "Weight": 1, "HealthCheckId": "h"}


def table(
    limits: dict[str, int] | None = None, peaks: dict[str, float] | None = None, **changes: Any
) -> dict[str, Any]:
    return {"table": TABLE | changes, "limits": limits or {}, "peaks": peaks or {}}


def function(reserved: int | None = None, **changes: Any) -> dict[str, Any]:
    return {"function": FUNCTION | changes, "reserved": reserved}


def health(*statuses: str, alarm: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    check = {"HealthCheckConfig": CHECK | changes} | ({"CloudWatchAlarmConfiguration": alarm} if alarm else {})
    return {"check": check, "observations": [{"StatusReport": {"Status": each}} for each in statuses]}


def dns(*records: dict[str, Any], zone: str = "Z", private: bool = False, target: str = "") -> dict[str, Any]:
    return {"zone": zone, "private": private, "records": list(records), "target": target}


def broken(kind: str, one: dict[str, Any], two: dict[str, Any]) -> tuple[set[str], set[str]]:
    """The ids of the rules that each of the two resources breaks."""
    audits = judge(RULES[kind], PARTS, (one, two), 1.0)
    first, second = ({ruling.rule for ruling in audit.rulings if ruling.readiness != READY} for audit in audits)
    return first, second


TABLES, FUNCTIONS, CHECKS = "AWS::DynamoDB::Table", "AWS::Lambda::Function", "AWS::Route53::HealthCheck"
STAGES, TARGETS = "AWS::ApiGateway::Stage", "AWS::Route53RecoveryReadiness::DNSTargetResource"


@pytest.mark.parametrize(
    ("two", "first", "second"),
    [
        (table(), set(), set()),
        (table(TableStatus="UPDATING"), set(), {"DynamoTableStatus"}),
        (table(KeySchema=[]), {"DynamoConfiguration"}, {"DynamoConfiguration"}),
        (table(StreamSpecification=STREAM), {"DynamoConfiguration"}, {"DynamoConfiguration"}),
        (table(ProvisionedThroughput={"ReadCapacityUnits": 79, "WriteCapacityUnits": 100}), set(), {"DynamoCapacity"}),
        (table(ProvisionedThroughput={"ReadCapacityUnits": 80, "WriteCapacityUnits": 100}), set(), set()),
        (table(peaks={"ReadCapacityUnits": 101}), {"DynamoPeakRcuWcu"}, {"DynamoPeakRcuWcu"}),
        (table(limits={"TableMaxReadCapacityUnits": 99}), set(), {"DynamoQuotas"}),
        (table(GlobalSecondaryIndexes=[INDEX]), {"DynamoGsiConfig"}, {"DynamoGsiConfig"}),
    ],
)
def test_tables(two: dict[str, Any], first: set[str], second: set[str]) -> None:
    assert broken(TABLES, table(), two) == (first, second)


def test_global_indexes() -> None:
    small = INDEX | {
        "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 10},
        "IndexStatus": "CREATING",
    }

    found = broken(TABLES, table(GlobalSecondaryIndexes=[INDEX]), table(GlobalSecondaryIndexes=[small]))

    assert found == (set(), {"DynamoGsiStatus", "DynamoGsiCapacity"})


def test_tables_on_demand_have_no_capacity_to_compare() -> None:
    on_demand = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}

    assert broken(TABLES, table(), table(ProvisionedThroughput=on_demand)) == (set(), set())


@pytest.mark.parametrize(
    ("two", "first", "second"),
    [
        (function(), set(), set()),
        (function(MemorySize=128), set(), {"LambdaMemorySize"}),
        (function(MemorySize=512), {"LambdaMemorySize"}, set()),
        (function(Timeout=3), set(), {"LambdaFunctionTimeout"}),
        (function(Runtime="python3.12"), {"LambdaFunctionRuntime"}, {"LambdaFunctionRuntime"}),
        (function(reserved=10), {"LambdaFunctionReservedConcurrentExecutions"}, set()),
        (function(DeadLetterConfig={"TargetArn": "x"}), {DEAD_LETTER}, {DEAD_LETTER}),
        (function(VpcConfig={"SubnetIds": ["a"]}), {"LambdaFunctionSubnetIdCount"}, {"LambdaFunctionSubnetIdCount"}),
    ],
)
def test_functions(two: dict[str, Any], first: set[str], second: set[str]) -> None:
    assert broken(FUNCTIONS, function(), two) == (first, second)


@pytest.mark.parametrize(("state", "is_broken"), [("OK", False), ("ALARM", True), ("INSUFFICIENT_DATA", True)])
def test_alarms(state: str, is_broken: bool) -> None:
    first, second = broken("AWS::CloudWatch::Alarm", {"alarm": {"StateValue": "OK"}}, {"alarm": {"StateValue": state}})

    assert (first, bool(second)) == (set(), is_broken)


@pytest.mark.parametrize(
    ("two", "both", "second"),
    [
        (health("Success: HTTP Status Code 200, OK"), set(), set()),
        (health("Success: OK", "Failure: timed out"), set(), {"R53HealthCheckStatus"}),
        (health(Disabled=True), set(), {"R53HealthCheckDisabled"}),
        (health(RequestInterval=30), {"R53HealthCheckRequestInterval"}, set()),
        (health(Type="TCP"), {"R53HealthCheckType"}, set()),
        (health(Inverted=True), {"R53HealthCheckInverted"}, set()),
        (health(alarm={"Threshold": 1}), {"R53HealthCheckCloudWatchAlarm"}, set()),
    ],
)
def test_health_checks(two: dict[str, Any], both: set[str], second: set[str]) -> None:
    assert broken(CHECKS, health(), two) == (both, both | second)


def test_a_calculated_health_check_is_never_ready() -> None:
    assert broken(CHECKS, health(Type="CALCULATED"), health(Type="CALCULATED"))[0] == {"R53HealthCheckType"}


@pytest.mark.parametrize(
    ("changes", "both", "second"),
    [
        ({}, set(), set()),
        ({"methods": {}}, {"ApiGwV1ResourceMethodConfigs"}, set()),
        ({"mappings": [("v1", "api.example.com")]}, {"ApiGwV1BasePath"}, set()),
        ({"mappings": [("(none)", "other.example.com")]}, {"ApiGwV1DomainName"}, set()),
        ({"stage": CACHE}, {"ApiGwV1CacheClusterEnabled"}, set()),
        ({"api": {"policy": "{}"}}, {"ApiGwV1Policy"}, set()),
        ({"api": {"disableExecuteApiEndpoint": True}}, {"ApiGwV1DisableExecuteApiEndpoint"}, set()),
        (
            {"domains": [STAGE["domains"][0] | {"domainNameStatus": "UPDATING"}]},
            set(),
            {"ApiGwV1EndpointDomainNameStatus"},
        ),
    ],
)
def test_stages(changes: dict[str, Any], both: set[str], second: set[str]) -> None:
    assert broken(STAGES, STAGE, STAGE | changes) == (both, both | second)


def test_dns_targets() -> None:
    ttl = "DnsTargetResourceRecordSetConfigurationRule"
    alias = {"Name": "a.", "Type": "A", "AliasTarget": {"DNSName": "b.example.com.", "EvaluateTargetHealth": True}}

    assert broken(TARGETS, dns(RECORD), dns(RECORD)) == (set(), set())
    assert broken(TARGETS, dns(RECORD), dns(RECORD | {"TTL": 301})) == ({ttl}, {ttl})
    assert broken(TARGETS, dns(RECORD), dns())[1] == {ttl}
    assert broken(TARGETS, dns(RECORD), dns(RECORD, zone="Y"))[0] == {"DnsTargetResourceHostedZoneConfigurationRule"}
    assert broken(TARGETS, dns(alias, target="b.example.com"), dns(alias, target="c.example.com")) == (
        set(),
        {"DnsTargetResourceRoutingRule"},
    )
    bare = {key: value for key, value in RECORD.items() if key != "HealthCheckId"}
    assert broken(TARGETS, dns(RECORD), dns(bare))[1] == {"DnsTargetResourceHealthCheckRule"}


def test_rules_that_do_not_count_leave_the_resource_ready() -> None:
    audits = judge(RULES[TARGETS], PARTS, (dns(RECORD, private=True), dns(RECORD)), 1.0)

    assert [audit.readiness for audit in audits] == [READY, READY]


def test_a_missing_resource_is_not_ready_and_an_unreadable_one_unknown() -> None:
    missing = judge(RULES[TABLES], PARTS, (table(), Unread("gone", is_missing=True)), 1.0)
    unread = judge(RULES[TABLES], PARTS, (table(), Unread("cut off", is_missing=False)), 1.0)

    assert [audit.readiness for audit in missing] == [READY, NOT_READY]
    assert [audit.readiness for audit in unread] == [READY, UNKNOWN]
    assert unread[1].rulings[0].messages == ("cut off",)


def test_the_worst_wins() -> None:
    assert worst([READY, UNKNOWN, NOT_READY]) == NOT_READY
    assert worst([READY, UNKNOWN]) == UNKNOWN
    assert worst([READY]) == READY
    assert worst([]) == UNKNOWN


def test_a_scope_holds_all_below_it_even_in_a_ring() -> None:
    nested = {"g": ("a", "b"), "a": ("a1",), "a1": ("a",)}

    assert within("g", nested) == {"g", "a", "b", "a1"}
    assert within("a", nested) == {"a", "a1"}


def test_recommendations() -> None:
    good = {"east": [("T", "us-east-1")], "west": [("T", "us-west-2")]}

    assert recommendations("g", good, 1, 0) == []
    assert any("at least two" in text for text in recommendations("g", {"east": good["east"]}, 1, 0))
    assert any("fail together" in text for text in recommendations("g", {"a": good["east"], "b": good["east"]}, 1, 0))
    assert any(
        "has no F" in text for text in recommendations("g", good | {"east": [*good["east"], ("F", "us-east-1")]}, 1, 0)
    )
    assert any("DNS target" in text for text in recommendations("g", good, 0, 0))
    assert any("belong to no cell" in text for text in recommendations("g", good, 1, 2))
