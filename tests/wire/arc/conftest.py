"""A world of its own for routing control: the account has only two clusters."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.conftest import World, start_world, stop_world

HOME = "us-west-2"
REGIONS = ("us-east-1", "us-west-2", "us-east-2", "eu-west-1", "ap-northeast-1")


@dataclass
class Arc:
    """Routing control in a world."""

    world: World
    clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def client(self, service: str, region: str) -> Any:
        if (service, region) not in self.clients:
            self.clients[service, region] = self.world.client(service, region)
        return self.clients[service, region]

    def config(self, region: str = HOME) -> Any:
        return self.client("route53-recovery-control-config", region)

    def endpoint(self, region: str) -> Any:
        return self.client("route53-recovery-cluster", region)

    def cluster(self, name: str) -> str:
        arn: str = self.config().create_cluster(ClusterName=name)["Cluster"]["ClusterArn"]
        self.until(lambda: self.config().describe_cluster(ClusterArn=arn)["Cluster"]["Status"] == "DEPLOYED")
        return arn

    def panel(self, cluster: str, name: str) -> str:
        made = self.config().create_control_panel(ClusterArn=cluster, ControlPanelName=name)
        return str(made["ControlPanel"]["ControlPanelArn"])

    def control(self, cluster: str, panel: str, name: str) -> str:
        """A routing control that every endpoint knows."""
        made = self.config().create_routing_control(ClusterArn=cluster, ControlPanelArn=panel, RoutingControlName=name)
        arn: str = made["RoutingControl"]["RoutingControlArn"]
        for region in REGIONS:
            self.until(lambda region=region: self.knows(region, arn))
        return arn

    def knows(self, region: str, arn: str) -> bool:
        listed = self.endpoint(region).list_routing_controls()["RoutingControls"]
        return any(each["RoutingControlArn"] == arn for each in listed)

    def assertion(self, panel: str, name: str, controls: Sequence[str], threshold: int = 1, wait_ms: int = 0) -> str:
        made = self.config().create_safety_rule(
            AssertionRule={
                "Name": name,
                "ControlPanelArn": panel,
                "AssertedControls": list(controls),
                "WaitPeriodMs": wait_ms,
                "RuleConfig": {"Type": "ATLEAST", "Threshold": threshold, "Inverted": False},
            }
        )
        return self.deployed_rule(made["AssertionRule"]["SafetyRuleArn"])

    def deployed_rule(self, arn: str) -> str:
        def is_deployed() -> bool:
            shown = self.config().describe_safety_rule(SafetyRuleArn=arn)
            return any(
                each["Status"] == "DEPLOYED" for each in (shown.get("AssertionRule"), shown.get("GatingRule")) if each
            )

        self.until(is_deployed)
        return arn

    def set(self, region: str, states: dict[str, bool], **more: Any) -> None:
        entries = [
            {"RoutingControlArn": arn, "RoutingControlState": "On" if on else "Off"} for arn, on in states.items()
        ]
        self.endpoint(region).update_routing_control_states(UpdateRoutingControlStateEntries=entries, **more)

    def state(self, region: str, arn: str) -> bool:
        shown = self.endpoint(region).get_routing_control_state(RoutingControlArn=arn)
        return bool(shown["RoutingControlState"] == "On")

    def until(self, truth: Any, seconds: float = 15.0) -> None:
        deadline = time.monotonic() + seconds
        while not truth():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.02)


@pytest.fixture(scope="module")
def arc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arc]:
    started = start_world(tmp_path_factory.mktemp("arc") / "w", "--replication-delay-ms", "none")
    yield Arc(started)
    stop_world(started)
