"""Standby takes over in a world: the templates as they are, the kit's board, and DNS that follows the stop alarm."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from outlast.cli.ops_target import open_target
from outlast.ops.act.standby import StandbyBoard, alarm_name
from outlast.ops.deployment import Arc, Deployment
from tests.conftest import World
from tests.unit.ops.fakes import sample_deployment
from tests.unit.ops.test_templates import Loader
from tests.unit.ops_kit.test_standby import standby
from tests.wire.ops_kit.shop import A, B, wait_until
from tests.wire.route53.clients import EAST, WEST, dig, make_zone

TEMPLATES = Path(__file__).parents[3] / "templates"
STOPS = ("StopsOther", "StopsHere")
GIVEN = ("Application", "OtherRegion", "Switch", "StopPeriodSeconds")


def alarms_alone() -> str:
    """The stop alarms of watch.yaml without what else it makes: no canary is waited for here."""
    whole = yaml.load((TEMPLATES / "watch.yaml").read_text(), Loader)
    cut = {
        "Parameters": {name: whole["Parameters"][name] for name in GIVEN},
        "Conditions": whole["Conditions"],
        "Resources": {name: whole["Resources"][name] for name in STOPS},
    }
    return json.dumps(_long_forms(cut))


def _long_forms(value: Any) -> Any:
    """JSON knows no short forms."""
    if isinstance(value, dict):
        names = {"Sub": "Fn::Sub", "Equals": "Fn::Equals", "If": "Fn::If"}
        return {names.get(key, key): _long_forms(each) for key, each in value.items()}
    return [_long_forms(each) for each in value] if isinstance(value, list) else value


def make_stack(world: World, region: str, name: str, template: str, **parameters: str) -> dict[str, str]:
    client = world.client("cloudformation", region)
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    client.create_stack(StackName=name, TemplateBody=template, Parameters=given)
    client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    (made,) = client.describe_stacks(StackName=name)["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in made.get("Outputs", [])}


def deployed(world: World) -> Deployment:
    """Alarms in both Regions, then the routing that follows them."""
    application = f"s{uuid.uuid4().hex[:8]}"
    zone_id, zone = make_zone(world)
    both = {"Application": application, "Switch": "standby-takes-over"}
    for region, other in ((A, B), (B, A)):
        make_stack(
            world, region, f"{application}-watch", alarms_alone(), OtherRegion=other, StopPeriodSeconds="10", **both
        )
    domains = {"FirstDomain": f"first.{zone}", "SecondDomain": f"second.{zone}", "RecordTtl": "3"}
    routing = (TEMPLATES / "routing.yaml").read_text()
    name = f"orders.{zone}"
    made = make_stack(world, B, f"{application}-routing", routing, ZoneId=zone_id, ServiceName=name, **both, **domains)
    assert set(made) == {"FirstHealthCheckId", "SecondHealthCheckId"}, "there is no cluster to pay for"
    return replace(standby(sample_deployment()), application=application, service_name=name, arc=Arc("", "", "", ()))


def test_an_alarm_in_the_standby_takes_a_region_out_and_lets_it_in_again(world: World) -> None:
    deployment = deployed(world)
    board = StandbyBoard(open_target("local", world.folder, None).clients, deployment)
    assert board.states() == {A: True, B: True}

    def led_to(*expected: str) -> bool:
        """Where the customers of the east and of the west coast are led."""
        found = [
            str(dig(world, deployment.service_name, "CNAME", subnet=coast).answer[0][0]).split(".")[0]
            for coast in (EAST, WEST)
        ]
        return found == list(expected)

    wait_until(lambda: led_to("first", "second"))
    board.set({A: False, B: True})
    assert board.states() == {A: False, B: True}
    wait_until(lambda: led_to("second", "second"), 60)
    told = world.client("cloudwatch", B).describe_alarms(AlarmNames=[alarm_name(deployment.application, A)])
    assert told["MetricAlarms"][0]["StateValue"] == "ALARM"
    board.set({A: True})
    wait_until(lambda: led_to("first", "second"), 60)
