"""Readiness through boto3, of resources that really exist."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.wire.arc.conftest import HOME, Arc

API = "route53-recovery-readiness"
ACCOUNT = "111122223333"
TABLE = "AWS::DynamoDB::Table"
EAST, WEST = "us-east-1", "us-west-2"


def make_table(arc: Arc, region: str, name: str, reads: int) -> str:
    arc.client("dynamodb", region).create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": reads, "WriteCapacityUnits": 5},
    )
    return f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/{name}"


def readiness(arc: Arc, check: str) -> str:
    return str(arc.client(API, HOME).get_readiness_check_status(ReadinessCheckName=check)["Readiness"])


def code(call: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


def test_an_application_of_two_cells(arc: Arc) -> None:
    api = arc.client(API, HOME)
    cells = [api.create_cell(CellName=name)["CellArn"] for name in ("east", "west")]
    group = api.create_recovery_group(RecoveryGroupName="orders", Cells=cells)["RecoveryGroupArn"]
    tables = [make_table(arc, EAST, "cells", 10), make_table(arc, WEST, "cells", 10)]
    resources = [{"ResourceArn": arn, "ReadinessScopes": [cell]} for arn, cell in zip(tables, cells, strict=True)]
    api.create_resource_set(ResourceSetName="tables", ResourceSetType=TABLE, Resources=resources)
    api.create_readiness_check(ReadinessCheckName="tables", ResourceSetName="tables")

    arc.until(lambda: readiness(arc, "tables") == "READY", 30)
    summary = api.get_recovery_group_readiness_summary(RecoveryGroupName="orders")
    assert (summary["Readiness"], summary["ReadinessChecks"][0]["ReadinessCheckName"]) == ("READY", "tables")
    assert api.get_cell(CellName="east")["ParentReadinessScopes"] == [group]
    assert api.get_architecture_recommendations(RecoveryGroupName="orders")["Recommendations"]

    arc.client("dynamodb", WEST).delete_table(TableName="cells")
    api.tag_resource(ResourceArn=group, Tags={"looked": "again"})
    arc.until(lambda: readiness(arc, "tables") == "NOT_READY", 30)
    east = api.get_cell_readiness_summary(CellName="east")["Readiness"]
    west = api.get_cell_readiness_summary(CellName="west")["Readiness"]
    assert (east, west) == ("READY", "NOT_READY")
    rules = api.get_readiness_check_resource_status(ReadinessCheckName="tables", ResourceIdentifier=tables[1])["Rules"]
    assert "ResourceNotFoundException" in rules[0]["Messages"][0]["MessageText"]

    assert code(lambda: api.delete_cell(CellName="east")) == "ConflictException"
    assert code(lambda: api.delete_resource_set(ResourceSetName="tables")) == "ConflictException"
    api.delete_readiness_check(ReadinessCheckName="tables")
    api.delete_resource_set(ResourceSetName="tables")
    api.delete_recovery_group(RecoveryGroupName="orders")
    for name in ("east", "west"):
        api.delete_cell(CellName=name)
    arc.client("dynamodb", EAST).delete_table(TableName="cells")


def test_capacity_that_differs_is_told(arc: Arc) -> None:
    api = arc.client(API, HOME)
    tables = [make_table(arc, EAST, "capacity", 10), make_table(arc, WEST, "capacity", 5)]
    resources = [{"ResourceArn": arn} for arn in tables]
    api.create_resource_set(ResourceSetName="capacity", ResourceSetType=TABLE, Resources=resources)
    api.create_readiness_check(ReadinessCheckName="capacity", ResourceSetName="capacity")

    arc.until(lambda: readiness(arc, "capacity") == "NOT_READY", 30)
    shown = api.get_readiness_check_resource_status(ReadinessCheckName="capacity", ResourceIdentifier=tables[1])
    bad = {rule["RuleId"]: rule["Messages"] for rule in shown["Rules"] if rule["Readiness"] != "READY"}
    assert set(bad) == {"DynamoCapacity"}
    assert "ReadCapacityUnits is 5" in bad["DynamoCapacity"][0]["MessageText"]

    api.delete_readiness_check(ReadinessCheckName="capacity")
    api.delete_resource_set(ResourceSetName="capacity")
    for region in (EAST, WEST):
        arc.client("dynamodb", region).delete_table(TableName="capacity")


def test_alarms_and_health_checks(arc: Arc) -> None:
    api = arc.client(API, HOME)
    cloudwatch, route53 = arc.client("cloudwatch", EAST), arc.client("route53", EAST)
    cloudwatch.put_metric_alarm(
        AlarmName="ready", Namespace="N", MetricName="M", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName="ready", StateValue="ALARM", StateReason="test")
    config = {"Type": "CALCULATED", "HealthThreshold": 0, "ChildHealthChecks": []}
    health_id = route53.create_health_check(CallerReference="readiness", HealthCheckConfig=config)["HealthCheck"]["Id"]
    sets = {
        "alarm": ("AWS::CloudWatch::Alarm", f"arn:aws:cloudwatch:{EAST}:{ACCOUNT}:alarm:ready"),
        "health": ("AWS::Route53::HealthCheck", f"arn:aws:route53:::healthcheck/{health_id}"),
        "function": ("AWS::Lambda::Function", f"arn:aws:lambda:{EAST}:{ACCOUNT}:function:none"),
        "stage": ("AWS::ApiGateway::Stage", f"arn:aws:apigateway:{EAST}::/restapis/none/stages/prod"),
    }
    for name, (kind, arn) in sets.items():
        api.create_resource_set(ResourceSetName=name, ResourceSetType=kind, Resources=[{"ResourceArn": arn}])
        api.create_readiness_check(ReadinessCheckName=name, ResourceSetName=name)

    for name in sets:
        arc.until(lambda name=name: readiness(arc, name) == "NOT_READY", 30)

    for name in sets:
        api.delete_readiness_check(ReadinessCheckName=name)
        api.delete_resource_set(ResourceSetName=name)
    cloudwatch.delete_alarms(AlarmNames=["ready"])
    route53.delete_health_check(HealthCheckId=health_id)


def test_what_is_not_supported_is_refused_by_name(arc: Arc) -> None:
    api = arc.client(API, HOME)
    resource = [{"ResourceArn": "arn:aws:sqs:us-east-1:111122223333:q"}]

    with pytest.raises(ClientError, match="AWS::SQS::Queue is not supported"):
        api.create_resource_set(ResourceSetName="q", ResourceSetType="AWS::SQS::Queue", Resources=resource)
    with pytest.raises(ClientError, match="one account"):
        api.create_cross_account_authorization(CrossAccountAuthorization="arn:aws:iam::999999999999:root")
    assert api.list_cross_account_authorizations()["CrossAccountAuthorizations"] == []


def test_bad_requests(arc: Arc) -> None:
    api = arc.client(API, HOME)
    cell = api.create_cell(CellName="east-cell_1")["CellArn"]
    table = {"ResourceArn": "arn:aws:dynamodb:us-east-1:111122223333:table/x"}

    assert code(lambda: api.create_cell(CellName="east-cell_1")) == "ConflictException"
    assert code(lambda: api.create_cell(CellName="with space")) == "ValidationException"
    assert code(lambda: api.update_cell(CellName="east-cell_1", Cells=[cell])) == "ValidationException"
    assert code(lambda: api.get_cell(CellName="none")) == "ResourceNotFoundException"
    assert code(lambda: api.create_readiness_check(ReadinessCheckName="c", ResourceSetName="none")) == (
        "ResourceNotFoundException"
    )
    for resources in ([], [table] * 7, [table, table], [{}], [table | {"DnsTargetResource": {"DomainName": "a"}}]):
        make = lambda resources=resources: api.create_resource_set(  # noqa: E731
            ResourceSetName="s", ResourceSetType=TABLE, Resources=resources
        )
        assert code(make) == "ValidationException"
    empty = {"ComponentId": "", "DnsTargetResource": {}, "ReadinessScopes": []}  # as Terraform sends what is not there
    made = api.create_resource_set(ResourceSetName="s", ResourceSetType=TABLE, Resources=[table | empty])
    assert made["Resources"] == [table | {"ReadinessScopes": []}]
    api.delete_resource_set(ResourceSetName="s")
    api.delete_cell(CellName="east-cell_1")


def test_rules_are_listed_by_type(arc: Arc) -> None:
    api = arc.client(API, HOME)
    rules = [rule for page in api.get_paginator("list_rules").paginate() for rule in page["Rules"]]
    lambdas = api.list_rules(ResourceType="AWS::Lambda::Function")["Rules"]

    assert {rule["ResourceType"] for rule in lambdas} == {"AWS::Lambda::Function"}
    assert len(rules) > len(lambdas) > 5


def make_function(arc: Arc, region: str, memory_mb: int) -> str:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("handler.py", "def handle(event, context):\n    return {}\n")
    made = arc.client("lambda", region).create_function(
        FunctionName="ready",
        Runtime="python3.11",
        Handler="handler.handle",
        Role=f"arn:aws:iam::{ACCOUNT}:role/ready",
        Code={"ZipFile": archive.getvalue()},
        MemorySize=memory_mb,
    )
    return str(made["FunctionArn"])


def make_stage(arc: Arc, region: str, verb: str) -> str:
    client = arc.client("apigateway", region)
    api = client.create_rest_api(name="ready")["id"]
    root = client.get_resources(restApiId=api)["items"][0]["id"]
    client.put_method(restApiId=api, resourceId=root, httpMethod=verb, authorizationType="NONE")
    client.put_integration(
        restApiId=api, resourceId=root, httpMethod=verb, type="MOCK",
        requestTemplates={"application/json": '{"statusCode": 200}'},
    )  # fmt: skip
    client.create_deployment(restApiId=api, stageName="prod")
    return f"arn:aws:apigateway:{region}:{ACCOUNT}:/restapis/{api}/stages/prod"


def broken_rules(arc: Arc, check: str, arn: str) -> set[str]:
    shown = arc.client(API, HOME).get_readiness_check_resource_status(ReadinessCheckName=check, ResourceIdentifier=arn)
    return {rule["RuleId"] for rule in shown["Rules"] if rule["Readiness"] != "READY"}


def test_functions_stages_and_names(arc: Arc) -> None:
    api, route53 = arc.client(API, HOME), arc.client("route53", EAST)
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    arc.client("iam", EAST).create_role(RoleName="ready", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    functions = [make_function(arc, EAST, 256), make_function(arc, WEST, 128)]
    stages = [make_stage(arc, EAST, "GET"), make_stage(arc, WEST, "POST")]
    zone = route53.create_hosted_zone(Name="ready.example.com", CallerReference="ready")["HostedZone"]["Id"]
    records = {"Name": "a.ready.example.com", "Type": "A", "TTL": 600, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": records}]}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
    target = {"DomainName": "a.ready.example.com", "HostedZoneArn": f"arn:aws:route53:::{zone[1:]}", "RecordType": "A"}
    for name, kind, resources in (
        ("functions", "AWS::Lambda::Function", [{"ResourceArn": arn} for arn in functions]),
        ("stages", "AWS::ApiGateway::Stage", [{"ResourceArn": arn} for arn in stages]),
        ("names", "AWS::Route53RecoveryReadiness::DNSTargetResource", [{"DnsTargetResource": target}]),
    ):
        api.create_resource_set(ResourceSetName=name, ResourceSetType=kind, Resources=resources)
        api.create_readiness_check(ReadinessCheckName=name, ResourceSetName=name)
    component = api.get_resource_set(ResourceSetName="names")["Resources"][0]["ComponentId"]

    for name in ("functions", "stages", "names"):
        arc.until(lambda name=name: readiness(arc, name) == "NOT_READY", 30)

    assert broken_rules(arc, "functions", functions[0]) == set()
    assert broken_rules(arc, "functions", functions[1]) == {"LambdaMemorySize"}
    assert broken_rules(arc, "stages", stages[0]) == {"ApiGwV1ResourceMethodConfigs"}
    assert broken_rules(arc, "names", component) == {"DnsTargetResourceRecordSetConfigurationRule"}
