"""The kit beside the story, on real processes: what the doctor finds, drills that stop, dead control planes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from outlast.ops import deployment as deployments
from outlast.ops.act import audit as audits
from outlast.ops.observe.recording import load
from tests.conftest import World
from tests.drill.conftest import outlast, told

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.xdist_group("drill")]
A, B = "us-east-1", "us-west-2"
STOPS = """
name: stops
hypothesis: A drill that hurts ends at once.
fault:
  kind: gray-failure
  services: [execute-api]
  parameters: {error_share: 0.5, delay_share: 1.0, delay_ms: 2000}
load: {rate_per_s: 6, clients: 5, stubborn_share: 0.2, contested_every_s: 0}
phases: {healthy_s: 2, live_s: 300, watch_s: 0, after_s: 2, patience_s: 90, steps: [100]}
stop: [elapsed > 25 s]
expect: [rto <= 120 s]
"""


def serious(world: World) -> set[str]:
    """The rules that found something serious; alarms ring on a slow machine, so their state is left out."""
    found = json.loads(outlast(world, "doctor", "--output", "json", code=None))["findings"]
    return {each["rule"] for each in found if each["severity"] == "serious"} - {"alarm state"}


def test_the_doctor_finds_what_was_broken_and_nothing_else(world: World) -> None:
    """A fresh deployment has nothing serious; then a function, a stage, an alarm, a health check and a record."""
    assert serious(world) == set()
    deployment = deployments.load(world.folder / "deployment-local.json")
    part = deployment.region(B)
    functions, api, alarms = (world.client(each, B) for each in ("lambda", "apigateway", "cloudwatch"))
    route53 = world.client("route53")
    functions.put_function_concurrency(FunctionName=part.function, ReservedConcurrentExecutions=1)
    limit = {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "2"}
    api.update_stage(restApiId=part.api_id, stageName=part.stage, patchOperations=[limit])
    alarms.disable_alarm_actions(AlarmNames=[part.alarm])
    route53.update_health_check(HealthCheckId=part.health_check_id, Disabled=True)
    try:
        assert serious(world) >= {"function concurrency", "stage settings", "alarm actions", "health check"}
        outlast(world, "doctor", code=3)
    finally:
        functions.delete_function_concurrency(FunctionName=part.function)
        back = {**limit, "value": "500"}
        api.update_stage(restApiId=part.api_id, stageName=part.stage, patchOperations=[back])
        alarms.enable_alarm_actions(AlarmNames=[part.alarm])
        route53.update_health_check(HealthCheckId=part.health_check_id, Disabled=False)
    assert serious(world) == set()


def test_a_drill_stops_in_the_middle_and_leaves_nothing_behind(world: World, tmp_path: Path) -> None:
    file, folder, xml = tmp_path / "stops.yaml", tmp_path / "run", tmp_path / "junit.xml"
    file.write_text(STOPS)
    words = ("drill", str(file), "--into", str(folder), "--junit", str(xml), "--output", "json")
    report: dict[str, Any] = json.loads(outlast(world, *words, code=3))
    assert report["verdict"]["text"].startswith("Stopped: the stop condition `elapsed > 25 s`")
    assert report["marks"]["end_s"] - report["marks"]["impact_s"] < 120
    assert "stopped" in [entry.action for entry in audits.read(folder / "audit.jsonl")]
    assert outlast(world, "fault", "list").count("running") == 0
    assert told(world) == {A, B}
    assert ElementTree.parse(xml).find(".//failure") is not None
    assert load(folder / "signals.jsonl.gz").seconds > 10
    outlast(world, "audit", "verify", str(folder))


def test_a_region_is_left_with_every_control_plane_dead_and_rebuilt_later(world: World) -> None:
    """Offline: the deployment file, cluster endpoints, DNS. Then weeks pass: its replicas go, and come again."""
    outlast(world, "prepare")
    services = ["route53", "iam", "route53-recovery-control-config", "apigateway", "lambda", "dynamodb"]
    dead = [world.fault("control-plane-lost", region, services=services) for region in world.config.regions]
    try:
        outlast(world, "evacuate", A, "--offline", "--yes", "--watch-s", "2", "--refuse-at-gateway")
        assert told(world) == {B}
    finally:
        for fault in dead:
            world.end_fault(fault)
    outlast(world, "replica", "remove", A, "--yes")
    table = world.client("dynamodb", B).describe_table(TableName="orders-orders")["Table"]
    assert A not in {each["RegionName"] for each in table.get("Replicas") or []}
    outlast(world, "replica", "rebuild", A, "--yes")
    outlast(world, "failback", A, "--yes", "--reviewed", "--watch-s", "1", "--steps", "50,100")
    assert told(world) == {A, B}
    assert serious(world) == set()


def test_weighted_records_are_a_last_resort_that_works(world: World) -> None:
    outlast(world, "evacuate", A, "--offline", "--yes", "--watch-s", "0", "--switch", "weighted-records")
    assert told(world) == {B}
    outlast(world, "failback", A, "--yes", "--reviewed", "--watch-s", "1", "--steps", "100")
    assert told(world) == {A, B}


def test_the_guard_leaves_a_failing_region_by_itself(world: World) -> None:
    quiet = json.loads(outlast(world, "guard", "--seconds", "12", "--output", "json", code=0))
    assert (quiet["action"], quiet["ending"]) == ("none", None)
    parameters = {"error_share": 0.5, "delay_share": 1.0, "delay_ms": 2000}
    fault = world.fault("gray-failure", A, duration_s=240, services=["execute-api"], parameters=parameters)
    try:
        words = ("guard", "--mode", "automatic", "--seconds", "120", "--watch-s", "1", "--output", "json")
        done = json.loads(outlast(world, *words, code=0))
        assert (done["action"], done["region"], done["ending"]) == ("evacuate", A, "left")
        assert told(world) == {B}
    finally:
        world.end_fault(fault)
    outlast(world, "failback", A, "--yes", "--reviewed", "--watch-s", "1", "--steps", "100")
    assert told(world) == {A, B}


def returning(world: World, said: str) -> subprocess.Popen[str]:
    """A return that has begun and has said this of its first step; one that is refused as too early is asked again."""
    words = ["failback", A, "--yes", "--reviewed", "--watch-s", "30", "--steps", "5,50,100"]
    command = [sys.executable, "-m", "outlast.cli.main", *words, "--home", str(world.folder)]
    for _ in range(10):
        one = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert one.stderr is not None
        heard = next((line for line in one.stderr if line.startswith("5 %: ")), "")
        if heard:
            assert heard.strip() == said
            return one
        one.communicate(timeout=60)
    raise AssertionError("it was refused each time")


def test_a_return_that_makes_things_worse_is_taken_back_by_itself_and_says_why(world: World) -> None:
    """The Region fails again at the second step: back to the first one, and the same command goes on from there."""
    outlast(world, "evacuate", A, "--offline", "--yes", "--watch-s", "0")
    one = returning(world, "5 %: well")
    parameters = {"error_share": 0.9, "delay_share": 1.0, "delay_ms": 2000}
    fault = world.fault("gray-failure", A, duration_s=240, services=["execute-api"], parameters=parameters)
    try:
        said, rest = one.communicate(timeout=200)
        assert one.returncode == 3, said + rest
        assert re.match(r"at 50 %: .*vantage points say bad: .*; back to 5 %\.", said), said
        assert f"`outlast failback {A}` goes on from there" in rest
        backed = [each for each in audits.read(world.folder / "audit.jsonl") if each.action == "backed off"][-1]
        assert (backed.detail["percent"], "say bad" in backed.detail["why"]) == (5, True)
    finally:
        world.end_fault(fault)
    for _ in range(10):
        done = outlast(world, "failback", A, "--yes", "--reviewed", "--watch-s", "1", "--output", "json", code=None)
        if "returned" in done:
            break
    assert told(world) == {A, B}
