"""The control plane, through boto3."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.wire.arc.conftest import HOME, REGIONS, Arc


@pytest.fixture(scope="module")
def cluster(arc: Arc) -> str:
    return arc.cluster("shared")


def code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def rule(panel: str, name: str, **members: Any) -> dict[str, Any]:
    config = {"Type": "OR", "Threshold": 0, "Inverted": False}
    return {"Name": name, "ControlPanelArn": panel, "WaitPeriodMs": 0, "RuleConfig": config, **members}


def test_a_cluster_has_an_endpoint_in_every_region_and_a_default_panel(arc: Arc, cluster: str) -> None:
    shown = arc.config().describe_cluster(ClusterArn=cluster)["Cluster"]
    endpoints = {each["Region"]: each["Endpoint"] for each in shown["ClusterEndpoints"]}
    panels = arc.config().list_control_panels(ClusterArn=cluster)["ControlPanels"]

    assert sorted(endpoints) == sorted(REGIONS)
    assert len(set(endpoints.values())) == 5
    assert [panel["DefaultControlPanel"] for panel in panels if panel["Name"] == "DefaultControlPanel"] == [True]
    for region, url in endpoints.items():
        client = arc.world.client("route53-recovery-cluster", region, endpoint_url=url)
        assert "RoutingControls" in client.list_routing_controls()


def test_the_control_plane_answers_from_every_region(arc: Arc, cluster: str) -> None:
    for region in REGIONS:
        assert arc.config(region).describe_cluster(ClusterArn=cluster)["Cluster"]["Name"] == "shared"


def test_names_are_unique_and_tokens_make_creation_repeatable(arc: Arc, cluster: str) -> None:
    config = arc.config()
    first = config.create_control_panel(ClusterArn=cluster, ControlPanelName="repeated", ClientToken="t1")
    again = config.create_control_panel(ClusterArn=cluster, ControlPanelName="repeated", ClientToken="t1")

    assert first["ControlPanel"]["ControlPanelArn"] == again["ControlPanel"]["ControlPanelArn"]
    with pytest.raises(ClientError) as caught:
        config.create_control_panel(ClusterArn=cluster, ControlPanelName="other", ClientToken="t1")
    assert code(caught) == "ConflictException"
    with pytest.raises(ClientError) as caught:
        config.create_control_panel(ClusterArn=cluster, ControlPanelName="repeated")
    assert code(caught) == "ConflictException"


def test_a_control_without_a_panel_goes_to_the_default_one(arc: Arc, cluster: str) -> None:
    made = arc.config().create_routing_control(ClusterArn=cluster, RoutingControlName="plain")["RoutingControl"]
    panel = arc.config().describe_control_panel(ControlPanelArn=made["ControlPanelArn"])["ControlPanel"]

    assert (panel["DefaultControlPanel"], panel["RoutingControlCount"]) == (True, 1)


def test_what_is_in_use_is_not_deleted(arc: Arc, cluster: str) -> None:
    config = arc.config()
    panel = arc.panel(cluster, "in-use")
    control = arc.control(cluster, panel, "used")
    guard = arc.assertion(panel, "guard", [control])

    for call in (
        lambda: config.delete_cluster(ClusterArn=cluster),
        lambda: config.delete_control_panel(ControlPanelArn=panel),
        lambda: config.delete_routing_control(RoutingControlArn=control),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert code(caught) == "ConflictException"
    config.delete_safety_rule(SafetyRuleArn=guard)
    config.delete_routing_control(RoutingControlArn=control)
    config.delete_control_panel(ControlPanelArn=panel)
    with pytest.raises(ClientError) as caught:
        config.describe_control_panel(ControlPanelArn=panel)
    assert code(caught) == "ResourceNotFoundException"


def test_names_and_wait_periods_can_change(arc: Arc, cluster: str) -> None:
    config = arc.config()
    panel = arc.panel(cluster, "before")
    control = arc.control(cluster, panel, "before")
    guard = arc.assertion(panel, "before", [control])

    config.update_control_panel(ControlPanelArn=panel, ControlPanelName="after")
    config.update_routing_control(RoutingControlArn=control, RoutingControlName="after")
    config.update_safety_rule(AssertionRuleUpdate={"SafetyRuleArn": guard, "Name": "after", "WaitPeriodMs": 7000})

    shown = config.list_safety_rules(ControlPanelArn=panel)["SafetyRules"][0]["ASSERTION"]
    assert (shown["Name"], shown["WaitPeriodMs"], shown["AssertedControls"]) == ("after", 7000, [control])
    assert config.list_routing_controls(ControlPanelArn=panel)["RoutingControls"][0]["Name"] == "after"
    with pytest.raises(ClientError) as caught:
        config.update_safety_rule(GatingRuleUpdate={"SafetyRuleArn": guard, "Name": "after", "WaitPeriodMs": 1})
    assert code(caught) == "ValidationException"


def test_bad_rules_are_refused(arc: Arc, cluster: str) -> None:
    config = arc.config()
    panel, other = arc.panel(cluster, "rules"), arc.panel(cluster, "others")
    control, stranger = arc.control(cluster, panel, "one"), arc.control(cluster, other, "stranger")
    too_many = rule(panel, "r", AssertedControls=[control])
    too_many["RuleConfig"] = {"Type": "ATLEAST", "Threshold": 2, "Inverted": False}

    for params in (
        {},
        {"AssertionRule": rule(panel, "r", AssertedControls=[])},
        {"AssertionRule": rule(panel, "r", AssertedControls=[stranger])},
        {"AssertionRule": rule(panel, "r", AssertedControls=[control, control])},
        {"AssertionRule": too_many},
        {
            "AssertionRule": rule(panel, "r", AssertedControls=[control]),
            "GatingRule": rule(panel, "r", GatingControls=[control], TargetControls=[control]),
        },
    ):
        with pytest.raises(ClientError) as caught:
            config.create_safety_rule(**params)
        assert code(caught) == "ValidationException"


def test_tags(arc: Arc, cluster: str) -> None:
    config = arc.config()
    made = config.create_control_panel(ClusterArn=cluster, ControlPanelName="tagged", Tags={"a": "1", "b": "2"})
    arn = made["ControlPanel"]["ControlPanelArn"]

    config.tag_resource(ResourceArn=arn, Tags={"b": "3", "c": "4"})
    config.untag_resource(ResourceArn=arn, TagKeys=["a"])

    assert config.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"b": "3", "c": "4"}


def test_listings_come_in_pages(arc: Arc, cluster: str) -> None:
    for number in range(3):
        arc.panel(cluster, f"page-{number}")
    pages = list(
        arc.config().get_paginator("list_control_panels").paginate(ClusterArn=cluster, PaginationConfig={"PageSize": 2})
    )
    names = [panel["Name"] for page in pages for panel in page["ControlPanels"]]

    assert len(pages) > 1
    assert len(names) == len(set(names)) >= 4
    with pytest.raises(ClientError) as caught:
        arc.config().list_control_panels(NextToken="nonsense")
    assert code(caught) == "ValidationException"


def test_the_account_has_two_clusters_at_most(arc: Arc, cluster: str) -> None:
    second = arc.cluster("second")
    with pytest.raises(ClientError) as caught:
        arc.config().create_cluster(ClusterName="third")
    arc.config().delete_cluster(ClusterArn=second)

    assert code(caught) == "ServiceQuotaExceededException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 402


def test_unknown_resources(arc: Arc) -> None:
    config = arc.config(HOME)
    for arn in ("nonsense", "arn:aws:route53-recovery-control::111122223333:cluster/" + "0" * 36):
        with pytest.raises(ClientError) as caught:
            config.describe_cluster(ClusterArn=arn)
        assert code(caught) == "ResourceNotFoundException"
