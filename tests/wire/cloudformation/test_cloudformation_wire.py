"""CloudFormation as boto3 and the AWS CLI see it, on a running world."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import World

TEMPLATE = """
AWSTemplateFormatVersion: 2010-09-09
Description: An alarm, a dashboard that shows it, and a role
Parameters:
  Threshold: {Type: Number, Default: 5}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]
  Errors:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: App
      MetricName: Errors
      Statistic: Sum
      Period: 60
      EvaluationPeriods: "1"
      Threshold: !Ref Threshold
      ComparisonOperator: GreaterThanThreshold
      ActionsEnabled: "true"
  Any:
    Type: AWS::CloudWatch::CompositeAlarm
    Properties:
      AlarmName: !Sub "${AWS::StackName}-any"
      AlarmRule: !Sub 'ALARM("${Errors}")'
  Board:
    Type: AWS::CloudWatch::Dashboard
    Properties:
      DashboardBody: !Sub
        - '{"widgets": [{"type": "alarm", "properties": {"alarms": ["${Arn}"]}}]}'
        - Arn: !GetAtt Errors.Arn
Outputs:
  RoleArn: {Value: !GetAtt Role.Arn, Export: {Name: !Sub "${AWS::StackName}-role"}}
  Alarm: {Value: !Ref Errors}
"""


def until(client: Any, name: str, *wanted: str) -> dict[str, Any]:
    """Wait until the stack is in one of the statuses; fail with its events when it rests in another."""
    deadline = time.monotonic() + 60
    while True:
        stack: dict[str, Any] = client.describe_stacks(StackName=name)["Stacks"][0]
        if stack["StackStatus"] in wanted:
            return stack
        if not stack["StackStatus"].endswith("_IN_PROGRESS") or time.monotonic() > deadline:
            events = client.describe_stack_events(StackName=name)["StackEvents"]
            lines = [f"{e['LogicalResourceId']} {e['ResourceStatus']} {e.get('ResourceStatusReason')}" for e in events]
            raise AssertionError("\n".join([stack["StackStatus"], *lines]))
        time.sleep(0.05)


def test_a_stack_lives_changes_and_goes(world: World) -> None:
    client, watch = world.client("cloudformation"), world.client("cloudwatch")
    with pytest.raises(ClientError) as caught:
        client.create_stack(StackName="app", TemplateBody=TEMPLATE)
    assert caught.value.response["Error"]["Code"] == "InsufficientCapabilitiesException"
    client.create_stack(StackName="app", TemplateBody=TEMPLATE, Capabilities=["CAPABILITY_IAM"])
    stack = until(client, "app", "CREATE_COMPLETE")
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    assert outputs["RoleArn"].startswith("arn:aws:iam::")
    alarm = watch.describe_alarms(AlarmNames=[outputs["Alarm"]])["MetricAlarms"][0]
    assert (alarm["Threshold"], alarm["EvaluationPeriods"]) == (5.0, 1)
    client.update_stack(
        StackName="app",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "Threshold", "ParameterValue": "7"}],
        Capabilities=["CAPABILITY_IAM"],
    )
    until(client, "app", "UPDATE_COMPLETE")
    alarm = watch.describe_alarms(AlarmNames=[outputs["Alarm"]])["MetricAlarms"][0]
    assert alarm["Threshold"] == 7.0
    resources = client.describe_stack_resources(StackName="app")["StackResources"]
    assert {one["LogicalResourceId"] for one in resources} == {"Role", "Errors", "Any", "Board"}
    with pytest.raises(ClientError) as caught:
        client.update_stack(
            StackName="app",
            UsePreviousTemplate=True,
            Parameters=[{"ParameterKey": "Threshold", "UsePreviousValue": True}],
            Capabilities=["CAPABILITY_IAM"],
        )
    assert caught.value.response["Error"] == {
        "Type": "Sender",
        "Code": "ValidationError",
        "Message": "No updates are to be performed.",
    }
    client.delete_stack(StackName="app")
    until(client, stack["StackId"], "DELETE_COMPLETE")
    assert watch.describe_alarms(AlarmNames=[outputs["Alarm"]])["MetricAlarms"] == []
    with pytest.raises(ClientError) as caught:
        client.describe_stacks(StackName="app")
    assert caught.value.response["Error"]["Message"] == "Stack with id app does not exist"


def test_the_command_line_deploys(world: World, tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    words = (
        "cloudformation", "deploy", "--stack-name", "cli", "--template-file", str(path),
        "--capabilities", "CAPABILITY_IAM", "--tags", "a=b",
    )  # fmt: skip
    world.aws(*words)
    client = world.client("cloudformation")
    stack = until(client, "cli", "CREATE_COMPLETE")
    assert stack["Tags"] == [{"Key": "a", "Value": "b"}]
    begun_s = int(time.time())
    while int(time.time()) == begun_s:  # the command names its change set after the second
        time.sleep(0.05)
    assert "No changes to deploy" in world.aws(*words, "--no-fail-on-empty-changeset")
    listed = world.aws("cloudformation", "list-stacks", "--stack-status-filter", "CREATE_COMPLETE")
    assert "cli" in [one["StackName"] for one in listed["StackSummaries"]]
    world.aws("cloudformation", "delete-stack", "--stack-name", "cli")
    until(client, stack["StackId"], "DELETE_COMPLETE")


def test_a_template_may_lie_in_s3(world: World, tmp_path: Path) -> None:
    s3, client = world.client("s3"), world.client("cloudformation")
    s3.create_bucket(Bucket="templates-here")
    s3.put_object(Bucket="templates-here", Key="a/t.yaml", Body=TEMPLATE.encode())
    for url in (
        "https://templates-here.s3.us-east-1.amazonaws.com/a/t.yaml",
        "https://s3.amazonaws.com/templates-here/a/t.yaml",
        f"{s3.meta.endpoint_url}/templates-here/a/t.yaml",
        f"{world.config.front_url}/templates-here/a/t.yaml",
    ):
        assert client.validate_template(TemplateURL=url)["Capabilities"] == ["CAPABILITY_IAM"]
    for url in (
        "https://example.com/templates-here/a/t.yaml",
        "ftp://s3.amazonaws.com/b/k",
        "https://s3.amazonaws.com/b",
    ):
        with pytest.raises(ClientError, match="TemplateURL must be a supported URL"):
            client.validate_template(TemplateURL=url)
    with pytest.raises(ClientError, match="S3 error"):
        client.validate_template(TemplateURL="https://s3.amazonaws.com/templates-here/gone")
    path = tmp_path / "big.yaml"
    path.write_text(TEMPLATE + "# " + "x" * 60_000 + "\n")
    world.aws(
        "cloudformation", "deploy", "--stack-name", "big", "--template-file", str(path), "--s3-bucket",
        "templates-here", "--capabilities", "CAPABILITY_IAM",
    )  # fmt: skip
    stack = until(client, "big", "CREATE_COMPLETE")
    client.delete_stack(StackName="big")
    until(client, stack["StackId"], "DELETE_COMPLETE")


def test_a_stack_holds_another(world: World) -> None:
    s3, client = world.client("s3"), world.client("cloudformation")
    s3.create_bucket(Bucket="nested-here")
    child = {
        "Parameters": {"Name": {"Type": "String"}},
        "Resources": {"A": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": {"Ref": "Name"}}}},
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": "A.Arn"}}},
    }
    s3.put_object(Bucket="nested-here", Key="child.json", Body=json.dumps(child).encode())

    def parent(name: str) -> str:
        inner = {"TemplateURL": "https://nested-here.s3.amazonaws.com/child.json", "Parameters": {"Name": name}}
        resources = {"Inner": {"Type": "AWS::CloudFormation::Stack", "Properties": inner}}
        return json.dumps({"Resources": resources, "Outputs": {"Arn": {"Value": {"Fn::GetAtt": "Inner.Outputs.Arn"}}}})

    client.create_stack(StackName="outer", TemplateBody=parent("/nested/one"))
    stack = until(client, "outer", "CREATE_COMPLETE")
    assert stack["Outputs"][0]["OutputValue"].endswith(":log-group:/nested/one:*")
    client.update_stack(StackName="outer", TemplateBody=parent("/nested/two"))
    stack = until(client, "outer", "UPDATE_COMPLETE")
    assert stack["Outputs"][0]["OutputValue"].endswith(":log-group:/nested/two:*")
    world.client("logs").create_log_group(logGroupName="/nested/taken")
    client.create_stack(StackName="clash", TemplateBody=parent("/nested/taken"))
    until(client, "clash", "ROLLBACK_COMPLETE")
    events = client.describe_stack_events(StackName="clash")["StackEvents"]
    (reason,) = [e["ResourceStatusReason"] for e in events if e["ResourceStatus"] == "CREATE_FAILED"]
    assert "The specified log group already exists" in reason
    for name in ("outer", "clash"):
        client.delete_stack(StackName=name)
    until(client, stack["StackId"], "DELETE_COMPLETE")
    left = [one["StackName"] for one in client.describe_stacks()["Stacks"]]
    assert not [name for name in left if name.startswith(("outer", "clash"))]
    groups = world.client("logs").describe_log_groups(logGroupNamePrefix="/nested/")["logGroups"]
    assert [one["logGroupName"] for one in groups] == ["/nested/taken"]


def test_what_the_caller_may_not_do_the_stack_cannot_do(world: World) -> None:
    iam = world.client("iam")
    iam.create_user(UserName="deployer")
    allowed = {"Effect": "Allow", "Action": ["cloudformation:*", "cloudwatch:PutDashboard", "cloudwatch:Delete*"],
               "Resource": "*"}  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName="deployer", PolicyName="p", PolicyDocument=policy)
    key = iam.create_access_key(UserName="deployer")["AccessKey"]
    client = world.client(
        "cloudformation", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
    )
    body = {
        "Resources": {
            "D": {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"DashboardBody": '{"widgets": []}'}},
            "A": {
                "Type": "AWS::CloudWatch::CompositeAlarm",
                "DependsOn": "D",
                "Properties": {"AlarmRule": "TRUE"},
            },
        }
    }
    client.create_stack(StackName="denied", TemplateBody=json.dumps(body))
    until(client, "denied", "ROLLBACK_COMPLETE")
    events = client.describe_stack_events(StackName="denied")["StackEvents"]
    (reason,) = [e["ResourceStatusReason"] for e in events if e["ResourceStatus"] == "CREATE_FAILED"]
    assert "is not authorized to perform: cloudwatch:PutCompositeAlarm" in reason
    assert world.client("cloudwatch").list_dashboards(DashboardNamePrefix="denied")["DashboardEntries"] == []
    client.delete_stack(StackName="denied")


def test_a_region_killed_in_the_middle_finishes_what_it_began(make_world: Callable[..., World]) -> None:
    world = make_world()
    client, watch = world.client("cloudformation"), world.client("cloudwatch")
    resources: dict[str, Any] = {
        f"A{n}": {
            "Type": "AWS::CloudWatch::CompositeAlarm",
            "Properties": {"AlarmRule": "TRUE"},
            **({"DependsOn": f"A{n - 1}"} if n else {}),
        }
        for n in range(60)
    }
    client.create_stack(StackName="long", TemplateBody=json.dumps({"Resources": resources}))
    while not watch.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]:
        time.sleep(0.001)
    world.end_fault(world.fault("region-killed", "us-east-1"))
    until(client, "long", "CREATE_COMPLETE")
    listed = client.get_paginator("list_stack_resources").paginate(StackName="long").build_full_result()
    ids = {one["PhysicalResourceId"] for one in listed["StackResourceSummaries"]}
    alarms = watch.get_paginator("describe_alarms").paginate(AlarmTypes=["CompositeAlarm"]).build_full_result()
    assert {one["AlarmName"] for one in alarms["CompositeAlarms"]} == ids
    assert len(ids) == 60
