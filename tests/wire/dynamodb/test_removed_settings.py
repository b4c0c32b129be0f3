"""What a template no longer says of a global table goes back to what a table has that never said it."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import World
from tests.wire.dynamodb.test_over_the_wire import EAST, WEST, _settled, until

NAME = "wire-removed"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
            "Action": "dynamodb:Scan",
            "Resource": "*",
        }
    ],
}
PLAIN: dict[str, Any] = {
    "TableName": NAME,
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("p", "g")],
    "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-g",
            "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
    "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
    "Replicas": [{"Region": EAST}, {"Region": WEST}],
}


def said(billing: str, member: str, key: str, home: int, away: int) -> dict[str, Any]:
    """`PLAIN` with everything that a replica can have of its own: `home` reads in the first Region, `away` there."""
    told = copy.deepcopy(PLAIN) | {
        "BillingMode": billing,
        "SSESpecification": {"SSEEnabled": True},
        "TimeToLiveSpecification": {"AttributeName": "gone", "Enabled": True},
    }
    for replica, reads in zip(told["Replicas"], (home, away), strict=True):
        account_root = copy.deepcopy(POLICY)
        account_root["Statement"][0]["Principal"] = {"AWS": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:root"}}  # type: ignore[index]
        replica |= {
            member: {key: reads},
            "GlobalSecondaryIndexes": [{"IndexName": "by-g", member: {key: reads + 1}}],
            "DeletionProtectionEnabled": True,
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7},
            "SSESpecification": {"KMSMasterKeyId": "alias/mine"},
            "TableClass": "STANDARD_INFREQUENT_ACCESS",
            "Tags": [{"Key": "in", "Value": replica["Region"]}],
            "ResourcePolicy": {"PolicyDocument": account_root},
        }
    return told


@pytest.fixture
def formation(world: World) -> Iterator[Any]:
    client = world.client("cloudformation", EAST)
    yield client
    client.delete_stack(StackName=NAME)
    until(lambda: _gone(client), 60)


def bring(formation: Any, properties: dict[str, Any], verb: str = "update") -> str:
    """Create or update the stack; its status in the end."""
    template = {"Resources": {"Things": {"Type": "AWS::DynamoDB::GlobalTable", "Properties": properties}}}
    getattr(formation, f"{verb}_stack")(StackName=NAME, TemplateBody=json.dumps(template))
    return str(until(lambda: _settled(formation, NAME), 90)["StackStatus"])


def shown(world: World, region: str) -> dict[str, Any]:
    """Everything that a replica may have of its own, as its Region tells it."""
    client = world.client("dynamodb", region)
    table = client.describe_table(TableName=NAME)["Table"]
    backups = client.describe_continuous_backups(TableName=NAME)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]
    try:
        policy = client.get_resource_policy(ResourceArn=table["TableArn"])["Policy"]
    except client.exceptions.PolicyNotFoundException:
        policy = None
    return {
        "reads": [part["ProvisionedThroughput"]["ReadCapacityUnits"] for part in parts(table)],
        "limits": [(part.get("OnDemandThroughput") or {}).get("MaxReadRequestUnits", -1) for part in parts(table)],
        "class": (table.get("TableClassSummary") or {}).get("TableClass", "STANDARD"),
        "key": (table.get("SSEDescription") or {}).get("KMSMasterKeyArn", "").rpartition(":")[2],
        "protected": table["DeletionProtectionEnabled"],
        "recovery": (recovery["PointInTimeRecoveryStatus"], recovery.get("RecoveryPeriodInDays")),
        "ttl": client.describe_time_to_live(TableName=NAME)["TimeToLiveDescription"]["TimeToLiveStatus"],
        "tags": client.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"],
        "policy": policy is not None,
    }


def parts(table: dict[str, Any]) -> list[dict[str, Any]]:
    return [table, *table["GlobalSecondaryIndexes"]]


def whole(region: str, reads: list[int], limits: list[int]) -> dict[str, Any]:
    """What `said` says."""
    return {
        "reads": reads,
        "limits": limits,
        "class": "STANDARD_INFREQUENT_ACCESS",
        "key": "alias/mine",
        "protected": True,
        "recovery": ("ENABLED", 7),
        "ttl": "ENABLED",
        "tags": [{"Key": "in", "Value": region}],
        "policy": True,
    }


def followed(world: World, wanted: dict[str, Any]) -> dict[str, Any]:
    """What the other Region shows, once that is `wanted` or has not become it for half a minute: a change travels."""
    deadline = time.monotonic() + 30
    while (found := shown(world, WEST)) != wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def bare(reads: int) -> dict[str, Any]:
    """What a table has that says nothing."""
    return {
        "reads": [reads, reads], "limits": [-1, -1], "class": "STANDARD", "key": "", "protected": False,
        "recovery": ("DISABLED", None), "ttl": "DISABLED", "tags": [], "policy": False,
    }  # fmt: skip


def test_settings_of_replicas_come_and_go_with_the_template(world: World, formation: Any) -> None:
    told = said("PROVISIONED", "ReadProvisionedThroughputSettings", "ReadCapacityUnits", 8, 30)
    assert bring(formation, told, "create") == "CREATE_COMPLETE"
    assert shown(world, EAST) == whole(EAST, [8, 9], [-1, -1])
    wanted = whole(WEST, [30, 31], [-1, -1])
    assert followed(world, wanted) == wanted
    away = told["Replicas"][1]
    del away["ReadProvisionedThroughputSettings"], away["GlobalSecondaryIndexes"]
    del away["SSESpecification"], away["TableClass"]
    assert bring(formation, told) == "UPDATE_COMPLETE"
    assert shown(world, EAST) == whole(EAST, [8, 9], [-1, -1])
    wanted = whole(WEST, [8, 9], [-1, -1]) | {"key": "alias/aws/dynamodb"}
    assert followed(world, wanted) == wanted
    away |= {"ReadProvisionedThroughputSettings": {"ReadCapacityUnits": 40}}
    told["Replicas"][0]["ReadProvisionedThroughputSettings"]["ReadCapacityUnits"] = 12
    assert bring(formation, told) == "UPDATE_COMPLETE"
    wanted |= {"reads": [40, 9]}
    assert (shown(world, EAST)["reads"], followed(world, wanted)) == ([12, 9], wanted)
    told["Replicas"][0]["ReadProvisionedThroughputSettings"]["ReadCapacityUnits"] = 13
    assert bring(formation, told) == "UPDATE_COMPLETE"
    assert followed(world, wanted) == wanted, "what the template says of a replica outlives a change for all"
    assert bring(formation, PLAIN | {"BillingMode": "PROVISIONED"}) == "UPDATE_COMPLETE"
    assert shown(world, EAST) == followed(world, bare(5)) == bare(5)


def test_limits_of_on_demand_replicas_come_and_go_with_the_template(world: World, formation: Any) -> None:
    told = said("PAY_PER_REQUEST", "ReadOnDemandThroughputSettings", "MaxReadRequestUnits", 80, 300)
    assert bring(formation, told, "create") == "CREATE_COMPLETE"
    assert shown(world, EAST) == whole(EAST, [0, 0], [80, 81])
    wanted = whole(WEST, [0, 0], [300, 301])
    assert followed(world, wanted) == wanted
    away = told["Replicas"][1]
    del away["ReadOnDemandThroughputSettings"], away["GlobalSecondaryIndexes"]
    assert bring(formation, told) == "UPDATE_COMPLETE"
    wanted = whole(WEST, [0, 0], [80, 81])
    assert followed(world, wanted) == wanted
    assert bring(formation, PLAIN | {"BillingMode": "PAY_PER_REQUEST"}) == "UPDATE_COMPLETE"
    assert shown(world, EAST) == followed(world, bare(0)) == bare(0)


def test_what_a_global_table_cannot_change_fails_the_update(world: World, formation: Any) -> None:
    plain = PLAIN | {"BillingMode": "PAY_PER_REQUEST"}
    assert bring(formation, plain, "create") == "CREATE_COMPLETE"
    insights = {"Region": EAST, "ContributorInsightsSpecification": {"Enabled": True}}
    for change, why in (
        ({"StreamSpecification": {"StreamViewType": "KEYS_ONLY"}}, "only while Replicas has one entry"),
        ({"StreamSpecification": None}, "StreamSpecification must be given"),
        ({"Replicas": [{"Region": EAST}, {"Region": WEST}, {"Region": WEST}]}, "must not name a Region twice"),
        ({"Replicas": [insights]}, "ContributorInsightsSpecification of a replica is not supported"),
    ):
        changed = {name: value for name, value in (plain | change).items() if value}
        assert bring(formation, changed) == "UPDATE_ROLLBACK_COMPLETE"
        reasons = [each.get("ResourceStatusReason", "") for each in _events(formation)]
        assert any(why in reason for reason in reasons), reasons


def _gone(formation: Any) -> bool:
    try:
        return not formation.describe_stacks(StackName=NAME)["Stacks"]
    except ClientError:
        return True


def _events(formation: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = formation.describe_stack_events(StackName=NAME)["StackEvents"]
    return found
