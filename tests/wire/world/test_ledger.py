"""The world's own API: conflicts with both versions, stranded writes one by one, the state of replication."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import World

A, B = "us-east-1", "us-west-2"


def wait_until(truth: Callable[[], Any], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def global_table(make_world: Callable[..., World]) -> tuple[World, Any, Any]:
    """A table with a replica in the other Region, and a DynamoDB client for each."""
    world = make_world("--replication-delay-ms", "none")
    a, b = world.client("dynamodb", A), world.client("dynamodb", B)
    a.create_table(
        TableName="stock",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    wait_until(lambda: a.describe_table(TableName="stock")["Table"]["TableStatus"] == "ACTIVE")
    a.update_table(TableName="stock", ReplicaUpdates=[{"Create": {"RegionName": B}}])

    def active() -> bool:
        table = a.describe_table(TableName="stock")["Table"]
        there = {each["RegionName"]: each["ReplicaStatus"] for each in table.get("Replicas", [])}
        return bool(table["TableStatus"] == "ACTIVE" and there.get(B) == "ACTIVE")

    wait_until(active)
    return world, a, b


def item(number: int, owner: str) -> dict[str, Any]:
    return {"id": {"N": str(number)}, "owner": {"S": owner}}


def owner(client: Any, number: int) -> str | None:
    found = client.get_item(TableName="stock", Key={"id": {"N": str(number)}}, ConsistentRead=True).get("Item")
    return found["owner"]["S"] if found else None


def test_a_write_arrives_in_the_other_region(global_table: tuple[World, Any, Any]) -> None:
    _world, a, b = global_table
    a.put_item(TableName="stock", Item=item(1, "a"))
    wait_until(lambda: owner(b, 1) == "a")
    b.delete_item(TableName="stock", Key={"id": {"N": "1"}})
    wait_until(lambda: owner(a, 1) is None)


def test_cut_off_writes_are_listed_one_by_one_and_conflicts_keep_both_versions(
    global_table: tuple[World, Any, Any],
) -> None:
    world, a, b = global_table
    api_a, api_b = world.client("outlast", A), world.client("outlast", B)
    cut = world.fault("region-isolated", A)
    a.put_item(TableName="stock", Item=item(7, "sold in a"))
    time.sleep(0.01)
    b.put_item(TableName="stock", Item=item(7, "sold in b"))
    for number in range(20, 25):
        a.put_item(TableName="stock", Item=item(number, "a"))
    assert owner(a, 7) == "sold in a"
    assert owner(b, 7) == "sold in b"
    pages = api_a.get_paginator("list_stranded_writes").paginate(MissingIn=B, PaginationConfig={"PageSize": 2})
    stranded = [json.loads(write["Key"])["id"]["N"] for page in pages for write in page["Writes"]]
    assert stranded == ["7", "20", "21", "22", "23", "24"]
    a.put_item(TableName="stock", Item=item(24, "a again"))
    *_, first, second = api_a.list_stranded_writes(MissingIn=B)["Writes"]
    assert "Item" not in first["Written"]
    assert first["Written"]["Deleted"] is False
    assert json.loads(second["Written"]["Item"])["owner"] == {"S": "a again"}
    (link,) = api_a.list_replication_links(TableName="stock")["Links"]
    assert (link["Region"], link["PendingWrites"]) == (B, 7)
    world.end_fault(cut)
    wait_until(lambda: owner(a, 7) == "sold in b" and owner(b, 24) == "a again")
    wait_until(lambda: api_a.list_stranded_writes(MissingIn=B)["Writes"] == [])
    wait_until(lambda: api_a.list_conflicts(TableName="stock")["Conflicts"] or api_b.list_conflicts()["Conflicts"])
    (conflict,) = (api_a.list_conflicts()["Conflicts"] or api_b.list_conflicts()["Conflicts"])[:1]
    assert json.loads(conflict["Key"]) == {"id": {"N": "7"}}
    assert (conflict["Winner"]["Region"], conflict["Loser"]["Region"]) == (B, A)
    assert json.loads(conflict["Winner"]["Item"])["owner"] == {"S": "sold in b"}
    assert json.loads(conflict["Loser"]["Item"])["owner"] == {"S": "sold in a"}
    assert "PutItem" in conflict["Loser"]["RequestId"]


def test_a_region_says_which_unconfirmed_writes_it_has(global_table: tuple[World, Any, Any]) -> None:
    world, a, b = global_table
    api_a, api_b = world.client("outlast", A), world.client("outlast", B)
    back = world.fault("link-cut", B, A)
    a.put_item(TableName="stock", Item=item(1, "arrived"))
    a.put_item(TableName="stock", Item=item(2, "lost there"))
    wait_until(lambda: owner(b, 1) == "arrived" and owner(b, 2) == "lost there", 60)
    there = world.fault("link-cut", A, B)
    a.put_item(TableName="stock", Item=item(3, "missing"))
    b.put_item(TableName="stock", Item=item(1, "b knew it"))
    waiting = api_a.list_stranded_writes(MissingIn=B)["Writes"]
    assert [json.loads(write["Key"])["id"]["N"] for write in waiting] == ["1", "2", "3"]
    ids = [write["Id"] for write in waiting]
    assert api_b.check_writes(TableName="stock", Ids=ids)["Missing"] == ids[2:]
    for cut in (back, there):
        world.end_fault(cut)
    wait_until(lambda: api_b.check_writes(TableName="stock", Ids=ids)["Missing"] == [], 60)


def test_a_write_that_lost_a_conflict_is_not_missing(global_table: tuple[World, Any, Any]) -> None:
    world, a, b = global_table
    api_a, api_b = world.client("outlast", A), world.client("outlast", B)
    cuts = [world.fault("link-cut", *pair) for pair in ((A, B), (B, A))]
    a.put_item(TableName="stock", Item=item(7, "sold in a"))
    time.sleep(0.01)
    b.put_item(TableName="stock", Item=item(7, "sold in b"))
    (write,) = api_a.list_stranded_writes(MissingIn=B)["Writes"]
    assert api_b.check_writes(TableName="stock", Ids=[write["Id"]])["Missing"] == [write["Id"]]
    for cut in cuts:
        world.end_fault(cut)
    wait_until(lambda: api_b.check_writes(TableName="stock", Ids=[write["Id"]])["Missing"] == [], 60)
    assert owner(b, 7) == "sold in b"


def test_pages_leave_out_nothing_of_a_transaction(global_table: tuple[World, Any, Any]) -> None:
    world, a, b = global_table
    cuts = [world.fault("link-cut", *pair) for pair in ((A, B), (B, A))]
    for client, who in ((a, "a"), (b, "b")):
        puts = [{"Put": {"TableName": "stock", "Item": item(number, who)}} for number in (9, 3, 7, 1, 5)]
        client.transact_write_items(TransactItems=puts)
        time.sleep(0.01)
    paging = {"PageSize": 2}
    pages = (
        world.client("outlast", A).get_paginator("list_stranded_writes").paginate(MissingIn=B, PaginationConfig=paging)
    )
    listed = [json.loads(write["Key"])["id"]["N"] for page in pages for write in page["Writes"]]
    assert sorted(listed) == ["1", "3", "5", "7", "9"]
    skew = world.fault("clock-skew", B, parameters={"skew_ms": -60_000})  # what is noticed later seems earlier
    for cut in cuts:
        world.end_fault(cut)

    def noted() -> list[str]:
        pages = world.client("outlast", B).get_paginator("list_conflicts").paginate(PaginationConfig=paging)
        return sorted(json.loads(each["Key"])["id"]["N"] for page in pages for each in page["Conflicts"])

    wait_until(lambda: noted() == ["1", "3", "5", "7", "9"], 60)
    world.end_fault(skew)
    assert world.client("outlast", B).list_conflicts()["Conflicts"][4]["Loser"]["Region"] == A


def test_bad_input_is_refused(global_table: tuple[World, Any, Any]) -> None:
    api = global_table[0].client("outlast", A)
    for arguments in ({"MissingIn": A}, {"MissingIn": "mars-1"}, {"MissingIn": B, "NextToken": "x"}):
        with pytest.raises(ClientError) as caught:
            api.list_stranded_writes(**arguments)
        assert caught.value.response["Error"]["Code"] == "ValidationException"
    for ident in ("x", "W10=", "WyIiLCAienoiLCAiIiwgIjEiXQ==", "WyIiLCAiMDAiLCAiIiwgIjEiXQ=="):
        with pytest.raises(ClientError) as caught:
            api.check_writes(TableName="stock", Ids=[ident])
        assert caught.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(ClientError) as caught:
        api.list_conflicts(TableName="nothing")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_a_region_says_what_it_knows_of_its_world(world: World) -> None:
    described = world.client("outlast", "eu-west-1").describe_world()
    assert described["Region"] == "eu-west-1"
    assert len(described["Regions"]) == 5
    assert described["MeasuredIn"] == "local"
