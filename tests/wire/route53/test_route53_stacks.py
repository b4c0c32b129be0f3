"""Route 53's CloudFormation types: made, changed and deleted by stacks."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from tests.conftest import World
from tests.wire.route53.clients import addresses, eventually, fresh_name


def template(name: str, address: str, *, comment: str = "one", extra: bool = True) -> dict[str, Any]:
    zone = {"Ref": "Zone"}
    common = {"Name": f"w.{name}", "Type": "A", "TTL": "5", "Weight": "1"}
    sets = [
        {**common, "SetIdentifier": each, "ResourceRecords": [f"192.0.2.{n}"]}
        for n, each in enumerate("ab" if extra else "a", 50)
    ]
    resources: dict[str, Any] = {
        "Zone": {
            "Type": "AWS::Route53::HostedZone",
            "Properties": {
                "Name": name,
                "HostedZoneConfig": {"Comment": comment},
                "HostedZoneTags": [{"Key": "stack", "Value": comment}],
            },
        },
        "Check": {
            "Type": "AWS::Route53::HealthCheck",
            "Properties": {
                "HealthCheckConfig": {"Type": "TCP", "IPAddress": "127.0.0.1", "Port": 9, "Disabled": True},
                "HealthCheckTags": [{"Key": "Name", "Value": "check"}],
            },
        },
        "Www": {
            "Type": "AWS::Route53::RecordSet",
            "Properties": {
                "HostedZoneId": zone,
                "Name": f"www.{name}",
                "Type": "A",
                "TTL": 60,
                "SetIdentifier": "only",
                "Failover": "PRIMARY",
                "HealthCheckId": {"Ref": "Check"},
                "ResourceRecords": [address],
            },
        },
        "Alias": {
            "Type": "AWS::Route53::RecordSet",
            "DependsOn": "Www",
            "Properties": {
                "HostedZoneName": f"{name}.",
                "Name": name,
                "Type": "A",
                "AliasTarget": {"HostedZoneId": zone, "DNSName": f"www.{name}"},
            },
        },
        "Group": {"Type": "AWS::Route53::RecordSetGroup", "Properties": {"HostedZoneId": zone, "RecordSets": sets}},
    }
    outputs = {
        "ZoneId": {"Value": zone},
        "Servers": {"Value": {"Fn::Join": [",", {"Fn::GetAtt": ["Zone", "NameServers"]}]}},
        "CheckId": {"Value": {"Fn::GetAtt": ["Check", "HealthCheckId"]}},
        "Name": {"Value": {"Ref": "Www"}},
    }
    return {"Resources": resources, "Outputs": outputs}


def outputs(client: Any, stack: str) -> dict[str, str]:
    described = client.describe_stacks(StackName=stack)["Stacks"][0]
    return {each["OutputKey"]: each["OutputValue"] for each in described["Outputs"]}


def test_a_stack_makes_changes_and_deletes_zone_records_and_health_check(world: World) -> None:
    client, dns = world.client("cloudformation"), world.client("route53")
    name, stack = fresh_name(), "zone" + uuid.uuid4().hex[:8]
    client.create_stack(StackName=stack, TemplateBody=json.dumps(template(name, "192.0.2.1")))
    client.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    made = outputs(client, stack)
    assert made["Name"] == f"www.{name}"
    assert len(made["Servers"].split(",")) == 4
    assert dns.get_health_check(HealthCheckId=made["CheckId"])["HealthCheck"]["HealthCheckConfig"]["Port"] == 9
    for region in world.config.regions:
        assert addresses(world, f"www.{name}", region=region) == ["192.0.2.1"]
        assert addresses(world, name, region=region) == ["192.0.2.1"]
    tags = dns.list_tags_for_resource(ResourceType="hostedzone", ResourceId=made["ZoneId"])["ResourceTagSet"]["Tags"]
    assert tags == [{"Key": "stack", "Value": "one"}]

    changed = template(name, "192.0.2.2", comment="two", extra=False)
    changed["Resources"]["Check"]["Properties"]["HealthCheckConfig"]["Port"] = 10
    client.update_stack(StackName=stack, TemplateBody=json.dumps(changed))
    client.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    assert outputs(client, stack) == made
    assert addresses(world, name, region="eu-west-1") == ["192.0.2.2"]
    assert addresses(world, f"w.{name}") == ["192.0.2.50"]
    zone = dns.get_hosted_zone(Id=made["ZoneId"])["HostedZone"]
    assert (zone["Config"]["Comment"], zone["ResourceRecordSetCount"]) == ("two", 5)
    assert dns.get_health_check(HealthCheckId=made["CheckId"])["HealthCheck"]["HealthCheckVersion"] == 2

    client.delete_stack(StackName=stack)
    client.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    for gone in (
        lambda: dns.get_hosted_zone(Id=made["ZoneId"]),
        lambda: dns.get_health_check(HealthCheckId=made["CheckId"]),
    ):
        with pytest.raises(ClientError, match="NoSuch"):
            gone()
    eventually(lambda: addresses(world, name, region="us-west-2") == [])


def test_a_record_that_cannot_be_made_fails_the_stack_and_leaves_nothing(world: World) -> None:
    client, dns = world.client("cloudformation"), world.client("route53")
    name, stack = fresh_name(), "bad" + uuid.uuid4().hex[:8]
    broken = template(name, "not an address")
    client.create_stack(StackName=stack, TemplateBody=json.dumps(broken))
    with pytest.raises(WaiterError):
        client.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    events = client.describe_stack_events(StackName=stack)["StackEvents"]
    assert any("ARRDATAIllegalIPv4Address" in each.get("ResourceStatusReason", "") for each in events)
    eventually(lambda: client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE")
    names = {zone["Name"] for zone in dns.list_hosted_zones_by_name(DNSName=name, MaxItems="1")["HostedZones"]}
    assert f"{name}." not in names
