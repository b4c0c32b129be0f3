"""DynamoDB's throughput: tables and indexes, provisioned, autoscaled and on demand, against the load of all Regions."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from outlast.ops.clients import Clients
from outlast.ops.doctor.capacity import rules
from outlast.ops.doctor.facts import Facts, TableFacts, Traffic
from outlast.ops.doctor.gather import Gatherer
from outlast.ops.doctor.throughput import of
from outlast.ops.observe.facts import noted, throughputs
from outlast.ops.plan.throughput import EVERY_TABLE, Throughput
from tests.unit.ops_kit.doctored import DEPLOYMENT, NOW_S, TABLES, A, B, in_region, ready, table
from tests.unit.ops_kit.stubs import StubClients

USED = Traffic(1.0, 1.0, {TABLES[0]: 50.0}, {})


def in_both(**members: Any) -> Facts:
    facts = ready()
    return replace(facts, regions=tuple(replace(each, **members) for each in facts.regions))


def tables(region: str = B, **members: Any) -> dict[str, TableFacts]:
    """Replicas with members of the table, and of its index, changed."""
    found = {name: table(region, name) for name in TABLES}
    for each in found.values():
        cast("dict[str, Any]", each.table).update(copy.deepcopy(members))
    return found


def provisioned(units: int) -> dict[str, TableFacts]:
    held = {"ReadCapacityUnits": units, "WriteCapacityUnits": units}
    return tables(BillingModeSummary={}, ProvisionedThroughput=held, GlobalSecondaryIndexes=[
        {"IndexName": "by-day", "ProvisionedThroughput": held}
    ])  # fmt: skip


def scaled(most: int, **members: Any) -> dict[str, Any]:
    settings = {"MaximumUnits": most, **members}
    own = {f"Provisioned{kind}CapacityAutoScalingSettings": settings for kind in ("Read", "Write")}
    index = {"IndexName": "by-day", **own}
    table_own = {f"Replica{name}": each for name, each in own.items()}
    return {name: {"RegionName": B, "GlobalSecondaryIndexes": [index], **table_own} for name in TABLES}


def index_limit(most: int) -> dict[str, TableFacts]:
    return tables(GlobalSecondaryIndexes=[{"IndexName": "by-day", "OnDemandThroughput": {"MaxReadRequestUnits": most}}])


DEFECTS: dict[str, tuple[Facts, str, str]] = {
    "an index has less than its table": (
        in_both(tables=index_limit(90), traffic=Traffic(1.0, 1.0, {f"{TABLES[0]}/by-day": 50.0})),
        "serious", f"100.0 read units a second of {TABLES[0]}/by-day",
    ),
    "provisioned capacity is too small": (
        in_both(tables=provisioned(90), traffic=USED), "serious", "the table's read limit",
    ),
    "autoscaling does not go far enough": (
        in_both(tables=provisioned(1000), scaling=scaled(90), traffic=USED), "serious", "maximum of autoscaling",
    ),
    "autoscaling of an index does not go far enough": (
        in_both(tables=provisioned(1000), scaling=scaled(90), traffic=Traffic(1.0, 1.0, {f"{TABLES[1]}/by-day": 50.0})),
        "serious", "the index's maximum of autoscaling",
    ),
    "autoscaling has to grow first": (
        in_both(tables=provisioned(60), scaling=scaled(1000), traffic=USED), "warning", "what is provisioned now",
    ),
    "autoscaling is off": (
        in_both(tables=provisioned(60), scaling=scaled(1000, AutoScalingDisabled=True), traffic=USED),
        "serious", "the table's read limit",
    ),
    "the account's quota is too small": (
        in_both(tables=provisioned(1000), table_limits={"AccountMaxReadCapacityUnits": 190},
                traffic=Traffic(1.0, 1.0, dict.fromkeys(TABLES[:2], 50.0))),
        "serious", f"200.0 read units a second of {EVERY_TABLE} of all Regions at their busiest, 190 let in here",
    ),
}  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS)
def test_each_shortfall_is_found_and_nothing_else(defect: str) -> None:
    facts, severity, told = DEFECTS[defect]
    found = list(rules(facts))
    assert {each.severity for each in found} == {severity}
    assert {each.region for each in found} == {A, B}
    assert all(told in each.what for each in found), [each.what for each in found]


def test_enough_throughput_is_no_finding() -> None:
    for well in (
        in_both(tables=provisioned(1000), traffic=USED),
        in_both(tables=provisioned(1000), scaling=scaled(2000), traffic=USED),
        in_both(tables=tables(OnDemandThroughput={"MaxReadRequestUnits": -1}), traffic=USED),
        in_region("traffic", lambda _: Traffic(1.0, 1.0)),
    ):
        assert list(rules(well)) == []


def test_a_table_that_nobody_uses_uses_nothing_and_traffic_that_nobody_measured_is_not_known() -> None:
    region = ready().regions[0]
    used = of(replace(region, traffic=USED), 1.0).used
    assert used == {TABLES[0]: {"read": 50.0, "write": 0.0}}
    assert of(replace(region, traffic=Traffic()), 1.0).used is None


def described(copy: TableFacts) -> dict[str, Any]:
    """As DescribeTable answers."""
    return {"Table": {name: value for name, value in copy.table.items() if name != "StreamSpecification"}}


def answers(clients: StubClients, region: str) -> None:
    """What a living Region says: DescribeTable of three tables, DescribeLimits, two metrics of six resources."""
    tables_of, metrics = clients.stub("dynamodb", region), clients.stub("cloudwatch", region)
    for name in TABLES:
        tables_of.add_response("describe_table", described(table(region, name)), {"TableName": name})
    tables_of.add_response("describe_limits", {"TableMaxReadCapacityUnits": 40000})
    metrics.add_response("get_metric_data", {"MetricDataResults": [
        {"Id": "r0", "Timestamps": [datetime.fromtimestamp(NOW_S - 60, UTC)], "Values": [600.0]},
        {"Id": "r1", "Timestamps": [datetime.fromtimestamp(NOW_S - 60, UTC)], "Values": [60.0]},
    ]})  # fmt: skip


def test_a_plan_asks_each_region_once_and_fills_the_silent_one_from_the_file() -> None:
    clients = StubClients()
    answers(clients, B)
    asked: list[str] = []
    for service in ("dynamodb", "cloudwatch"):
        events = clients.of(service, A).meta.events
        events.register("before-parameter-build", lambda service=service, **_: asked.append(service))
        clients.silent(service, A)
    before = Throughput(5.0, {}, {TABLES[0]: {"read": 7.0}})
    found = throughputs(cast(Clients, clients), replace(DEPLOYMENT, throughput={A: before.document()}), NOW_S)
    assert (found[A].at_s, found[A].used) == (5.0, before.used)
    assert asked == ["dynamodb"], "a Region that does not answer is waited for once"
    assert found[B].at_s == NOW_S
    assert found[B].used == {
        TABLES[0]: {"read": 10.0, "write": 0.0},
        f"{TABLES[0]}/by-day": {"read": 1.0, "write": 0.0},
    }
    assert found[B].limits[TABLES[2]]["read"] == {"the table's read limit": 1000.0, "the read quota": 40000.0}
    assert found[B].limits[f"{TABLES[2]}/by-day"] == {"read": {}, "write": {}}
    assert noted(DEPLOYMENT) == {}


def test_autoscaling_is_asked_for_on_aws_and_of_provisioned_tables_alone() -> None:
    clients = StubClients(kind="aws")
    stub = clients.stub("dynamodb", B)
    held = provisioned(60)
    for name in TABLES:
        stub.add_response("describe_table", described(held[name] if name == TABLES[0] else table(B, name)))
    stub.add_response("describe_limits", {})
    replica = {"RegionName": B, "ReplicaProvisionedReadCapacityAutoScalingSettings": {"MaximumUnits": 500}}
    stub.add_response(
        "describe_table_replica_auto_scaling",
        {"TableAutoScalingDescription": {"Replicas": [{"RegionName": A}, replica]}},
        {"TableName": TABLES[0]},
    )
    clients.stub("cloudwatch", B).add_response("get_metric_data", {"MetricDataResults": []})
    found = of(Gatherer(cast(Clients, clients), DEPLOYMENT).data(DEPLOYMENT.region(B), NOW_S, settings=False), NOW_S)
    assert found.limits[TABLES[0]] == {
        "read": {"what is provisioned now": 60.0, "the table's maximum of autoscaling": 500.0},
        "write": {"the table's write limit": 60.0},
    }
    assert found.used is None
