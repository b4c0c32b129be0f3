"""Health checks that follow routing controls: the evacuation switch, with and without the control planes."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest

from tests.conftest import World
from tests.wire.arc.conftest import Arc
from tests.wire.route53.clients import EAST, WEST, addresses, apply, change, eventually, make_zone

FIRST, SECOND = "us-east-1", "us-west-2"
TARGETS = {FIRST: "192.0.2.1", SECOND: "192.0.2.2"}


class Switch:
    """Two Regions behind latency records, each followed by a routing control; as templates/routing.yaml makes them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.arc = Arc(world)
        cluster = self.arc.cluster("c" + uuid.uuid4().hex[:8])
        panel = self.arc.panel(cluster, "panel")
        self.controls = {region: self.arc.control(cluster, panel, region) for region in TARGETS}
        self.checks = {region: self._check(arn) for region, arn in self.controls.items()}
        zone_id, self.name = make_zone(world)
        for region, other in ((FIRST, SECOND), (SECOND, FIRST)):
            apply(world, zone_id, self._weighted(region, "home", region, 100), self._weighted(region, "away", other, 0))
        apply(world, zone_id, *(self._latency(zone_id, region) for region in TARGETS))

    def _check(self, arn: str) -> str:
        config = {"Type": "RECOVERY_CONTROL", "RoutingControlArn": arn}
        client = self.world.client("route53")
        made = client.create_health_check(CallerReference=uuid.uuid4().hex, HealthCheckConfig=config)
        check_id: str = made["HealthCheck"]["Id"]
        return check_id

    def _weighted(self, region: str, where: str, target: str, weight: int) -> dict[str, Any]:
        return change(
            f"{region}.{self.name}", "A", TARGETS[target], ttl=5,
            SetIdentifier=where, Weight=weight, HealthCheckId=self.checks[target],
        )  # fmt: skip

    def _latency(self, zone_id: str, region: str) -> dict[str, Any]:
        target = {"HostedZoneId": zone_id, "DNSName": f"{region}.{self.name}", "EvaluateTargetHealth": True}
        return change(f"api.{self.name}", "A", AliasTarget=target, SetIdentifier=region, Region=region)

    def answers(self, *expected: str, regions: tuple[str, ...]) -> bool:
        """Whether every Region sends the east coast and the west coast to these Regions."""
        wanted = [[TARGETS[each]] for each in expected]
        return all(
            [addresses(self.world, f"api.{self.name}", region=region, subnet=subnet) for subnet in (EAST, WEST)]
            == wanted
            for region in regions
        )

    def said(self, target: str) -> set[str]:
        """What the checkers of all Regions say of a target; the others tell the home Region twice a second."""
        status = self.world.client("route53").get_health_check_status(HealthCheckId=self.checks[target])
        return {each["StatusReport"]["Status"] for each in status["HealthCheckObservations"]}

    def set(self, through: str, **states: bool) -> None:
        """Set the routing controls by `first` and `second`."""
        by_name = {"first": FIRST, "second": SECOND}
        self.arc.set(through, {self.controls[by_name[name]]: on for name, on in states.items()})

    def evacuate(self, through: str, back: str, regions: tuple[str, ...], within_s: float) -> float:
        """Send everyone to the second Region; how long that took at best.

        Three times if need be, undone in between: one evacuation may be late because this machine is.
        """
        took_s = []
        while True:
            self.set(through, first=False)
            took_s.append(eventually(lambda: self.answers(SECOND, SECOND, regions=regions), 60.0))
            if took_s[-1] < within_s or len(took_s) == 3:
                return min(took_s)
            self.set(back, first=True)
            eventually(lambda: self.answers(FIRST, SECOND, regions=regions), 60.0)


def test_traffic_follows_the_routing_controls_everywhere(make_world: Callable[..., World]) -> None:
    world = make_world("--replication-delay-ms", "none")
    switch = Switch(world)
    regions = world.config.regions
    switch.set("us-west-2", first=True, second=True)
    eventually(lambda: switch.answers(FIRST, SECOND, regions=regions))
    assert switch.evacuate("eu-west-1", "ap-northeast-1", regions, within_s=4.0) < 4.0
    eventually(lambda: switch.said(FIRST) == {"Failure: The routing control is Off."})
    switch.set("ap-northeast-1", first=True)
    eventually(lambda: switch.answers(FIRST, SECOND, regions=regions))
    for home in ("us-east-1", "us-west-2"):
        world.control("stop-region", region=home)
    left = tuple(region for region in regions if region not in (FIRST, SECOND))
    assert switch.answers(FIRST, SECOND, regions=left)
    switch.set("us-east-2", first=False)
    eventually(lambda: switch.answers(SECOND, SECOND, regions=left))
    world.control("start-region", region="us-east-1")
    assert switch.answers(SECOND, SECOND, regions=("us-east-1",)), "it answers no one from before it was away"
    assert switch.answers(SECOND, SECOND, regions=left)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_region_and_every_pair_can_be_lost_and_evacuation_goes_on(make_world: Callable[..., World]) -> None:
    world = make_world("--replication-delay-ms", "none")
    switch = Switch(world)
    regions = world.config.regions
    switch.set(FIRST, first=True, second=True)
    eventually(lambda: switch.answers(FIRST, SECOND, regions=regions))
    for lost in [(each,) for each in regions] + list(combinations(regions, 2)):
        for each in lost:
            world.control("stop-region", region=each)
        left = tuple(each for each in regions if each not in lost)
        assert switch.answers(FIRST, SECOND, regions=left), f"without {lost}"
        assert switch.evacuate(left[0], left[-1], left, within_s=5.0) < 5.0, f"without {lost}"
        switch.set(left[-1], first=True)
        eventually(lambda left=left: switch.answers(FIRST, SECOND, regions=left))
        for each in lost:
            world.control("start-region", region=each)
        eventually(lambda: switch.answers(FIRST, SECOND, regions=regions))
