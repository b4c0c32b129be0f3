"""Whether a Region's data is whole: as a local world and as AWS tell it, and what a plan makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from outlast.ops.ledger.model import Link
from outlast.ops.observe import copies
from outlast.ops.observe.copies import healing
from outlast.ops.observe.survey import Latest
from outlast.ops.plan.evacuation import plan_evacuation
from outlast.ops.plan.failback import plan_failback
from outlast.ops.report import status
from tests.unit.ops.fakes import sample_deployment
from tests.unit.ops.test_plan import FACTS, WELL
from tests.unit.ops_kit.stubs import StubClients
from tests.unit.ops_kit.test_status import WELL as JUDGED
from tests.unit.ops_kit.test_status import shown

A, B = "us-east-1", "us-west-2"
HERE = sample_deployment()
INTO = Link("orders-orders", B, A, "CREATING", 0, None)
OUT = Link("orders-orders", A, B, "CREATING", 0, None, "OLDER_COPY")


def test_a_local_world_tells_why() -> None:
    clients = StubClients()
    told = {"TableName": "orders-orders", "Region": B, "Status": "CREATING", "Reason": "OLDER_COPY"}
    others = [{**told, "TableName": "another"}, {**told, "Region": "eu-west-1"}]
    clients.stub("outlast", A).add_response("list_replication_links", {"Links": [told, *others]})
    assert copies.read(clients, HERE, A) == [replace(OUT, pending=0)]


def test_aws_tells_by_the_replicas_own_status() -> None:
    clients = StubClients(kind="aws")
    stub = clients.stub("dynamodb", B)
    for name, word in (
        ("customers", "ACTIVE"),
        ("products", "INACCESSIBLE_ENCRYPTION_CREDENTIALS"),
        ("orders", "CREATING"),
    ):
        replicas = [{"RegionName": A, "ReplicaStatus": word}, {"RegionName": B, "ReplicaStatus": "ACTIVE"}]
        described = {"Table": {"TableName": f"orders-{name}", "Replicas": replicas}}
        stub.add_response("describe_table", described, {"TableName": f"orders-{name}"})
    found = copies.read(clients, HERE, B)
    assert healing(B, found) == ""
    assert healing(A, found) == (
        "its data is not whole; still to come: orders-orders (CREATING), "
        "orders-products (INACCESSIBLE_ENCRYPTION_CREDENTIALS)"
    )
    clients.used()


def test_an_older_copy_is_named_and_what_is_on_its_way_in_both_directions() -> None:
    assert healing(A, [replace(INTO, status="ACTIVE")]) == ""
    assert healing(A, [INTO, OUT]) == (
        "its data was put back from an older copy and heals; still to come: orders-orders (CREATING); "
        "what it alone has is still sent to the others: orders-orders"
    )
    assert healing(A, [replace(OUT, status="ACTIVE")]) == "its data was put back from an older copy and heals"
    assert healing(B, [INTO, replace(OUT, status="ACTIVE")]) == "", "the others have what they had"


def test_the_status_shows_it() -> None:
    latest = Latest(links={A: [OUT], B: [INTO]})
    screen = " ".join(shown(JUDGED, latest, {A: True, B: True}).split())
    assert "us-east-1: its data was put back from an older copy and heals" in screen
    regions = status.document(HERE, JUDGED, latest, None)["regions"]
    assert regions[A]["healing"].startswith("its data was put back")
    assert "healing" in regions[B]
    assert "older copy" not in shown(JUDGED, Latest(), None)


@pytest.mark.parametrize(("word", "weight"), [("its data is not whole", "refusal"), ("", "fine")])
def test_nobody_returns_to_data_that_is_not_whole(word: str, weight: str) -> None:
    plan = plan_failback(A, (A, B), replace(WELL, healing={A: word}), unreviewed=0)
    assert {check.name: check.weight for check in plan.checks}["data in us-east-1"] == weight
    assert bool(plan.refused) == bool(word)


def test_a_survivor_whose_data_is_not_whole_is_a_warning() -> None:
    plan = plan_evacuation(A, "x", (A, B), replace(FACTS, healing={A: "", B: "its data is not whole"}))
    assert {check.name: check.weight for check in plan.checks}["data in us-west-2"] == "warning"
    assert not plan.refused
