"""The data plane, through boto3 and with Regions dead."""

from __future__ import annotations

import itertools
import socket
import ssl
import time
from collections.abc import Callable

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.conftest import World
from tests.wire.arc.conftest import HOME, REGIONS, Arc
from tests.wire.route53.clients import addresses

COUNTER = itertools.count()


@pytest.fixture(scope="module")
def cluster(arc: Arc) -> str:
    return arc.cluster("switches")


@pytest.fixture
def panel(arc: Arc, cluster: str) -> str:
    return arc.panel(cluster, f"panel-{next(COUNTER)}")


@pytest.fixture
def pair(arc: Arc, cluster: str, panel: str) -> tuple[str, str]:
    return arc.control(cluster, panel, "one"), arc.control(cluster, panel, "two")


def refused(call: Callable[[], object]) -> ClientError:
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value


def throttled_only(call: Callable[[], object]) -> None:
    """Repeat the call while the endpoint says that it came too soon."""
    while True:
        try:
            call()
        except ClientError as error:
            if error.response["Error"]["Code"] != "ThrottlingException":
                raise
            time.sleep(0.3)
        else:
            return


def test_controls_start_off_and_every_endpoint_sees_a_change_at_once(arc: Arc, pair: tuple[str, str]) -> None:
    one, two = pair
    assert [arc.state(region, one) for region in REGIONS] == [False] * 5

    arc.set("us-east-1", {one: True, two: False})

    assert [arc.state(region, one) for region in REGIONS] == [True] * 5
    assert [arc.state(region, two) for region in REGIONS] == [False] * 5
    arc.endpoint("eu-west-1").update_routing_control_state(RoutingControlArn=one, RoutingControlState="Off")
    assert [arc.state(region, one) for region in REGIONS] == [False] * 5


def test_each_endpoint_has_a_tls_name_of_its_own(arc: Arc) -> None:
    """As AWS names them; every Region's DNS leads to the endpoint, whose certificate bears the name."""
    config = arc.world.config
    trusted = ssl.create_default_context(cafile=str(arc.world.folder / "ca.pem"))
    reached = set()
    for region in REGIONS:
        name = f"a1b2c3d4.route53-recovery-cluster.{region}.amazonaws.com"
        (address,) = addresses(arc.world, name, region="ap-northeast-1")
        plain = socket.create_connection((address, config.port), timeout=10)
        with plain, trusted.wrap_socket(plain, server_hostname=name) as secured:
            assert secured.getpeercert()
        reached.add(address)
    assert len(reached) == 5


def test_a_listing_shows_names_panels_and_states(arc: Arc, panel: str, pair: tuple[str, str]) -> None:
    throttled_only(lambda: arc.set("us-west-2", {pair[0]: True}))

    rows = arc.endpoint("us-east-2").list_routing_controls(ControlPanelArn=panel)["RoutingControls"]
    first = arc.endpoint("us-east-2").list_routing_controls(ControlPanelArn=panel, MaxResults=1)
    second = arc.endpoint("us-east-2").list_routing_controls(ControlPanelArn=panel, NextToken=first["NextToken"])

    assert {row["RoutingControlName"]: row["RoutingControlState"] for row in rows} == {"one": "On", "two": "Off"}
    assert {row["ControlPanelArn"] for row in rows} == {panel}
    assert first["RoutingControls"] + second["RoutingControls"] == rows


def test_a_safety_rule_stands_against_all_of_a_request(arc: Arc, panel: str, pair: tuple[str, str]) -> None:
    one, two = pair
    throttled_only(lambda: arc.set("us-east-1", {one: True, two: True}))
    rule = arc.assertion(panel, "never-both-off", pair)

    error = refused(lambda: arc.set("us-east-1", {one: False, two: False}))

    assert error.response["Error"]["Code"] == "ConflictException"
    assert "never-both-off" in error.response["Error"]["Message"]
    assert error.response["resourceId"] == rule
    assert (arc.state("us-east-1", one), arc.state("us-east-1", two)) == (True, True)
    throttled_only(lambda: arc.set("us-west-2", {one: False, two: False}, SafetyRulesToOverride=[rule]))
    assert (arc.state("us-east-1", one), arc.state("us-east-1", two)) == (False, False)


def test_a_wait_period_holds_the_next_change_back(arc: Arc, panel: str, pair: tuple[str, str]) -> None:
    one, two = pair
    arc.assertion(panel, "slowly", pair, threshold=0, wait_ms=1500)
    throttled_only(lambda: arc.set("us-east-2", {one: True}))

    error = refused(lambda: arc.set("eu-west-1", {two: True}))
    time.sleep(1.6)
    arc.set("eu-west-1", {two: True})

    assert "wait period" in error.response["Error"]["Message"]
    assert arc.state("us-east-1", two)


def test_bad_requests_are_refused(arc: Arc, cluster: str, panel: str, pair: tuple[str, str]) -> None:
    endpoint, unknown = arc.endpoint("ap-northeast-1"), pair[0][:-16] + "0" * 16
    entry = {"RoutingControlArn": pair[0], "RoutingControlState": "On"}
    update = endpoint.update_routing_control_states
    cases = [
        (lambda: endpoint.get_routing_control_state(RoutingControlArn=unknown), "ResourceNotFoundException"),
        (lambda: endpoint.list_routing_controls(ControlPanelArn=unknown), "ResourceNotFoundException"),
        (lambda: endpoint.list_routing_controls(NextToken="nonsense"), "ValidationException"),
        (lambda: update(UpdateRoutingControlStateEntries=[]), "ValidationException"),
        (lambda: update(UpdateRoutingControlStateEntries=[entry] * 2), "ValidationException"),
        (lambda: update(UpdateRoutingControlStateEntries=[entry] * 11), "ServiceLimitExceededException"),
        (
            lambda: update(UpdateRoutingControlStateEntries=[entry | {"RoutingControlState": "Half"}]),
            "ValidationException",
        ),
    ]
    for call, code in cases:
        assert refused(call).response["Error"]["Code"] == code


def test_three_changes_a_second(arc: Arc, pair: tuple[str, str]) -> None:
    codes = []
    for number in range(60):
        try:
            arc.set("us-west-2", {pair[0]: number % 2 == 0})
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
            break

    assert codes == ["ThrottlingException"]


def set_in_turn(arc: Arc, regions: tuple[str, ...], states: dict[str, bool]) -> float:
    """Set the states by the first endpoint that answers, each asked once; how long that took."""
    began = time.monotonic()
    for region in regions:
        try:
            arc.set(region, states)
        except BotoCoreError:
            continue
        return time.monotonic() - began
    raise AssertionError("no endpoint answered")


@pytest.mark.slow
def test_any_two_regions_may_be_dead(make_world: Callable[..., World]) -> None:
    """The control plane's Region is one of them; a client that tries endpoints in turn is done in under a second."""
    arc = Arc(make_world("--replication-delay-ms", "none"))
    cluster = arc.cluster("c")
    panel = arc.panel(cluster, "p")
    one = arc.control(cluster, panel, "one")
    arc.world.kill(HOME)
    arc.world.kill("us-east-1")

    fastest_s = min(set_in_turn(arc, (HOME, "us-east-1", "us-east-2"), {one: on}) for on in (True, False) * 2)
    fastest_s = min(fastest_s, set_in_turn(arc, (HOME, "us-east-1", "us-east-2"), {one: True}))

    assert fastest_s < 1.0, "five tries, and not one of them in time"
    survivors = [region for region in REGIONS if region not in (HOME, "us-east-1")]
    assert [arc.state(region, one) for region in survivors] == [True] * 3
    arc.world.kill("us-east-2")
    error = refused(lambda: arc.set("eu-west-1", {one: False}))
    assert error.response["Error"]["Code"] == "EndpointTemporarilyUnavailableException"
    assert "can be read here, but not changed" in error.response["Error"]["Message"]
    assert arc.state("eu-west-1", one)
    assert arc.state("ap-northeast-1", one)
    for region in (HOME, "us-east-2"):
        arc.world.control("start-region", region=region)
    arc.until(lambda: arc.state(HOME, one))
    throttled_only(lambda: arc.set("eu-west-1", {one: False}))
    assert not arc.state(HOME, one)
