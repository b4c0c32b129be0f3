"""ARNs and documents."""

from __future__ import annotations

from dataclasses import asdict

import orjson
import pytest

from outlast.cloud.services.arc_control_config.model import (
    Cluster,
    Control,
    Panel,
    Resource,
    Rule,
    arn_of,
    key_of,
    revive,
)

ACCOUNT = "111122223333"
PANEL_ID, ITEM_ID = "0123456789abcdef" * 2, "fedcba9876543210"
CLUSTER_ID = "11111111-2222-3333-4444-555555555555"
RULE = Rule(ITEM_ID, PANEL_ID, CLUSTER_ID, "n", "gating", ("a",), ("b", "c"), "OR", 0, False, 5000, tags={"k": "v"})
RESOURCES = [
    Cluster(CLUSTER_ID, "n", tags={"k": "v"}),
    Panel(PANEL_ID, CLUSTER_ID, "n", is_default=True),
    Control(ITEM_ID, PANEL_ID, CLUSTER_ID, "n", token="t"),
    RULE,
]


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda each: each.noun)
def test_an_arn_leads_back_to_its_resource(resource: Resource) -> None:
    assert key_of(ACCOUNT, arn_of(ACCOUNT, resource)) == resource.key


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda each: each.noun)
def test_a_document_comes_back(resource: Resource) -> None:
    assert revive(resource.key, orjson.loads(orjson.dumps(asdict(resource)))) == resource


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "arn:aws:route53-recovery-control::999999999999:cluster/" + CLUSTER_ID,
        f"arn:aws:route53-recovery-control::{ACCOUNT}:cluster/../../etc",
        f"arn:aws:route53-recovery-control::{ACCOUNT}:controlpanel/{PANEL_ID}/routingcontrol/",
        f"arn:aws:route53-recovery-control::{ACCOUNT}:controlpanel/{PANEL_ID}/nonsense/{ITEM_ID}",
        f"arn:aws:route53-recovery-control:us-west-2:{ACCOUNT}:cluster/{CLUSTER_ID}",
    ],
)
def test_what_is_no_arn_of_the_account_names_nothing(arn: str) -> None:
    assert key_of(ACCOUNT, arn) == ""
