"""DynamoDB as boto3 sees it, against a world of real processes."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from boto3.dynamodb.types import Binary
from botocore.exceptions import ClientError

from tests.conftest import World

EAST, WEST = "us-east-1", "us-west-2"
HASH = {
    "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def until(question: Any, seconds: float = 15.0) -> Any:
    """The first true answer."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def active(client: Any, name: str) -> bool:
    try:
        table = client.describe_table(TableName=name)["Table"]
    except client.exceptions.ResourceNotFoundException:
        return False
    replicas = [each["ReplicaStatus"] for each in table.get("Replicas", ())]
    return {table["TableStatus"], *replicas} == {"ACTIVE"}


@pytest.fixture
def table(world: World, request: pytest.FixtureRequest) -> Any:
    """A table of its own for each test, and a client for it."""
    client = world.client("dynamodb", EAST)
    name = f"wire-{abs(hash(request.node.name)) % 10**8}"
    client.create_table(TableName=name, **HASH)
    until(lambda: active(client, name))
    yield client, name
    client.delete_table(TableName=name)


def test_items_of_every_type_come_back_as_they_went(world: World, table: Any) -> None:
    client, name = table
    item = {
        "p": {"S": "a"},
        "n": {"N": "-1.5"},
        "b": {"B": b"\x00\xff"},
        "ss": {"SS": ["x", "y"]},
        "ns": {"NS": ["1", "2"]},
        "bs": {"BS": [b"1"]},
        "l": {"L": [{"S": ""}, {"NULL": True}]},
        "m": {"M": {"é": {"BOOL": False}}},
    }
    client.put_item(TableName=name, Item=item)
    assert client.get_item(TableName=name, Key={"p": {"S": "a"}}, ConsistentRead=True)["Item"] == item
    assert world.front("dynamodb", EAST).get_item(TableName=name, Key={"p": {"S": "a"}})["Item"] == item
    assert Binary(b"1") == b"1"


def test_faults_have_their_codes_messages_and_members(table: Any) -> None:
    client, name = table
    client.put_item(TableName=name, Item={"p": {"S": "a"}, "v": {"N": "1"}})
    with pytest.raises(client.exceptions.ConditionalCheckFailedException) as failed:
        client.put_item(
            TableName=name,
            Item={"p": {"S": "a"}},
            ConditionExpression="attribute_not_exists(p)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert failed.value.response["Item"] == {"p": {"S": "a"}, "v": {"N": "1"}}
    with pytest.raises(client.exceptions.TransactionCanceledException) as cancelled:
        client.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": name, "Item": {"p": {"S": "b"}}}},
                {
                    "ConditionCheck": {
                        "TableName": name,
                        "Key": {"p": {"S": "a"}},
                        "ConditionExpression": "v = :v",
                        "ExpressionAttributeValues": {":v": {"N": "2"}},
                    }
                },
            ]
        )
    reasons = cancelled.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed"]
    with pytest.raises(ClientError) as invalid:
        client.get_item(TableName=name, Key={"q": {"S": "a"}})
    assert invalid.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "The provided key element does not match the schema",
    }
    assert "Item" not in client.get_item(TableName=name, Key={"p": {"S": "b"}})


def test_a_global_table_takes_writes_in_both_regions(world: World, table: Any) -> None:
    east, name = table
    west = world.client("dynamodb", WEST)
    east.put_item(TableName=name, Item={"p": {"S": "before"}})
    east.update_table(TableName=name, ReplicaUpdates=[{"Create": {"RegionName": WEST}}])
    until(lambda: active(east, name) and active(west, name))
    until(lambda: "Item" in west.get_item(TableName=name, Key={"p": {"S": "before"}}))
    west.put_item(TableName=name, Item={"p": {"S": "from west"}})
    until(lambda: "Item" in east.get_item(TableName=name, Key={"p": {"S": "from west"}}))
    east.update_table(TableName=name, ReplicaUpdates=[{"Delete": {"RegionName": WEST}}])
    until(lambda: active(east, name) and not active(west, name))


def test_streams_are_another_service_over_the_same_tables(world: World, table: Any) -> None:
    client, name = table
    streams = world.client("dynamodbstreams", EAST)
    client.update_table(
        TableName=name, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    )
    until(lambda: active(client, name))
    arn = client.describe_table(TableName=name)["Table"]["LatestStreamArn"]
    client.put_item(TableName=name, Item={"p": {"S": "a"}, "b": {"B": b"1"}})
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    (record,) = streams.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    assert record["dynamodb"]["NewImage"] == {"p": {"S": "a"}, "b": {"B": b"1"}}
    assert record["eventName"] == "INSERT"


def test_what_is_not_supported_is_refused_by_name(world: World) -> None:
    client = world.client("dynamodb", EAST)
    with pytest.raises(ClientError) as refused:
        client.describe_kinesis_streaming_destination(TableName="orders")
    assert "DescribeKinesisStreamingDestination" in refused.value.response["Error"]["Message"]
    with pytest.raises(ClientError) as refused:
        client.describe_contributor_insights(TableName="orders")
    assert "DescribeContributorInsights" in refused.value.response["Error"]["Message"]


def test_cloudformation_makes_changes_and_deletes_a_global_table(world: World) -> None:
    formation = world.client("cloudformation", EAST)
    resource = {
        "Type": "AWS::DynamoDB::GlobalTable",
        "Properties": {
            "TableName": "wire-global",
            **HASH,
            "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
            "SSESpecification": {"SSEEnabled": True},
            "TimeToLiveSpecification": {"AttributeName": "gone", "Enabled": True},
            "Replicas": [
                {
                    "Region": region,
                    "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                    "Tags": [{"Key": "in", "Value": region}],
                }
                for region in (EAST, WEST)
            ],
        },
    }
    outputs = {"Arn": {"Value": {"Fn::GetAtt": ["Things", "Arn"]}}, "Name": {"Value": {"Ref": "Things"}}}
    template = {"Resources": {"Things": resource}, "Outputs": outputs}
    formation.create_stack(StackName="wire-global", TemplateBody=json.dumps(template))
    stack = until(lambda: _settled(formation, "wire-global"), 60)
    assert stack["StackStatus"] == "CREATE_COMPLETE", formation.describe_stack_events(StackName="wire-global")
    shown = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    assert shown["Name"] == "wire-global"
    for region in (EAST, WEST):
        client = world.client("dynamodb", region)
        assert active(client, "wire-global")
        ttl = client.describe_time_to_live(TableName="wire-global")["TimeToLiveDescription"]
        assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "gone"}
        backups = client.describe_continuous_backups(TableName="wire-global")["ContinuousBackupsDescription"]
        assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
        arn = client.describe_table(TableName="wire-global")["Table"]["TableArn"]
        assert client.list_tags_of_resource(ResourceArn=arn)["Tags"] == [{"Key": "in", "Value": region}]
    replicas: Any = resource["Properties"]["Replicas"]  # type: ignore[index]
    replicas[1] |= {"DeletionProtectionEnabled": True, "TableClass": "STANDARD_INFREQUENT_ACCESS"}
    replicas.append({"Region": "eu-west-1", "ReadOnDemandThroughputSettings": {"MaxReadRequestUnits": 40}})
    formation.update_stack(StackName="wire-global", TemplateBody=json.dumps(template))
    assert until(lambda: _settled(formation, "wire-global"), 60)["StackStatus"] == "UPDATE_COMPLETE"
    west = world.client("dynamodb", WEST)
    described = west.describe_table(TableName="wire-global")["Table"]
    assert described["DeletionProtectionEnabled"]
    assert described["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    there = {each["RegionName"]: each["ReplicaStatus"] for each in described["Replicas"]}
    assert there == dict.fromkeys((EAST, "eu-west-1"), "ACTIVE")
    third = world.client("dynamodb", "eu-west-1")
    assert third.describe_table(TableName="wire-global")["Table"]["OnDemandThroughput"]["MaxReadRequestUnits"] == 40
    del replicas[2], replicas[1]["DeletionProtectionEnabled"]
    formation.update_stack(StackName="wire-global", TemplateBody=json.dumps(template))
    assert until(lambda: _settled(formation, "wire-global"), 60)["StackStatus"] == "UPDATE_COMPLETE"
    assert "wire-global" not in third.list_tables()["TableNames"]
    formation.delete_stack(StackName="wire-global")
    until(lambda: "wire-global" not in west.list_tables()["TableNames"], 60)
    until(lambda: "wire-global" not in world.client("dynamodb", EAST).list_tables()["TableNames"], 60)


def _settled(formation: Any, name: str) -> Any:
    stack = formation.describe_stacks(StackName=name)["Stacks"][0]
    return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack
