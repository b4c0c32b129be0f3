"""Routing control made, changed and deleted by CloudFormation."""

from __future__ import annotations

from typing import Any

import yaml

from tests.wire.arc.conftest import Arc

TEMPLATE = """
Resources:
  Cluster:
    Type: AWS::Route53RecoveryControl::Cluster
    Properties: {Name: stack, Tags: [{Key: a, Value: b}]}
  Panel:
    Type: AWS::Route53RecoveryControl::ControlPanel
    Properties: {Name: stack, ClusterArn: {"Fn::GetAtt": [Cluster, ClusterArn]}}
  One:
    Type: AWS::Route53RecoveryControl::RoutingControl
    Properties: {Name: one, ClusterArn: {Ref: Cluster}, ControlPanelArn: {Ref: Panel}}
  Two:
    Type: AWS::Route53RecoveryControl::RoutingControl
    Properties: {Name: two, ClusterArn: {Ref: Cluster}, ControlPanelArn: {"Fn::GetAtt": [Panel, ControlPanelArn]}}
  Rule:
    Type: AWS::Route53RecoveryControl::SafetyRule
    Properties:
      Name: rule
      ControlPanelArn: {Ref: Panel}
      AssertionRule:
        AssertedControls: [{"Fn::GetAtt": [One, RoutingControlArn]}, {Ref: Two}]
        WaitPeriodMs: 5000
      RuleConfig: {Type: ATLEAST, Threshold: 1, Inverted: false}
Outputs:
  Cluster: {Value: {Ref: Cluster}}
  Panel: {Value: {Ref: Panel}}
  Rule: {Value: {Ref: Rule}}
"""


def settled(arc: Arc, status: str) -> dict[str, str]:
    client = arc.client("cloudformation", "us-east-2")
    stack: dict[str, Any] = {}

    def is_settled() -> bool:
        stack.update(client.describe_stacks(StackName="arc")["Stacks"][0])
        return not stack["StackStatus"].endswith("PROGRESS")

    arc.until(is_settled, 60)
    assert stack["StackStatus"] == status, client.describe_stack_events(StackName="arc")["StackEvents"]
    return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


def test_a_stack_of_routing_control(arc: Arc) -> None:
    client, config = arc.client("cloudformation", "us-east-2"), arc.config()
    client.create_stack(StackName="arc", TemplateBody=TEMPLATE)
    made = settled(arc, "CREATE_COMPLETE")
    rule = config.describe_safety_rule(SafetyRuleArn=made["Rule"])["AssertionRule"]
    assert (rule["WaitPeriodMs"], len(rule["AssertedControls"]), rule["Status"]) == (5000, 2, "DEPLOYED")
    assert config.list_tags_for_resource(ResourceArn=made["Cluster"])["Tags"] == {"a": "b"}

    template = yaml.safe_load(TEMPLATE)
    template["Resources"]["One"]["Properties"]["Name"] = "uno"
    template["Resources"]["Rule"]["Properties"]["AssertionRule"]["WaitPeriodMs"] = 100
    template["Resources"]["Cluster"]["Properties"]["Tags"] = [{"Key": "c", "Value": "d"}]
    client.update_stack(StackName="arc", TemplateBody=yaml.safe_dump(template))
    changed = settled(arc, "UPDATE_COMPLETE")
    assert changed == made
    assert config.describe_safety_rule(SafetyRuleArn=made["Rule"])["AssertionRule"]["WaitPeriodMs"] == 100
    listed = config.list_routing_controls(ControlPanelArn=made["Panel"])["RoutingControls"]
    assert [each["Name"] for each in listed] == ["two", "uno"]
    assert config.list_tags_for_resource(ResourceArn=made["Cluster"])["Tags"] == {"c": "d"}

    client.delete_stack(StackName="arc")
    arc.until(lambda: not config.list_clusters()["Clusters"], 30)
