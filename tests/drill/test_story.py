"""The story on real processes and real sockets: deployed, lost, left, lived without, healed and come back to."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from outlast.ops.act import audit as audits
from outlast.ops.load.log import read as read_log
from tests.conftest import World
from tests.documents import ROOT, blocks
from tests.drill.conftest import began, outlast, told

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.xdist_group("drill")]
A, B = "us-east-1", "us-west-2"
SHORT = """
name: short
title: A short gray failure
hypothesis: The story holds when it is told fast.
fault:
  kind: gray-failure
  services: [execute-api]
  parameters: {error_share: 0.5, delay_share: 1.0, delay_ms: 2000}
load: {rate_per_s: 6, clients: 5, stubborn_share: 0.2, contested_every_s: 5}
phases: {healthy_s: 4, live_s: 5, watch_s: 0, after_s: 2, patience_s: 90, steps: [50, 100]}
expect: [rto <= 120 s, lost_writes == 0, unequal_orders == 0]
"""
HARMLESS = SHORT.replace("gray-failure", "service-latency").replace("execute-api", "sts").replace(
    "{error_share: 0.5, delay_share: 1.0, delay_ms: 2000}", "{share: 1.0, delay_ms: 10}"
).replace("patience_s: 90", "patience_s: 25")  # fmt: skip


def drill(world: World, tmp_path: Path, text: str, code: int | None) -> tuple[dict[str, Any], Path]:
    file, folder = tmp_path / "drill.yaml", tmp_path / "run"
    file.write_text(text)
    printed = outlast(world, "drill", str(file), "--into", str(folder), "--output", "json", code=code)
    report: dict[str, Any] = json.loads(printed)
    return report, folder


def test_the_story_is_true_from_end_to_end(world: World, tmp_path: Path) -> None:
    report, folder = drill(world, tmp_path, SHORT, code=0)
    states = {step["number"]: (step["state"], step["evidence"]) for step in report["steps"]}
    assert {number: state for number, (state, _) in states.items()} == dict.fromkeys(range(1, 13), "true"), states
    assert report["measured"] == "local"
    assert [phase["name"] for phase in report["rto"]["phases"]] == [
        "detected", "decided", "switched", "last failing request",
    ]  # fmt: skip
    assert report["rto"]["lost"] > 0
    assert report["rpo"]["acknowledged"] > 0
    assert report["rpo"]["judged_by"] == "lists"
    assert all(write["fate"] == "arrived" for write in report["rpo"]["writes"] + report["rpo"]["items"])
    assert report["failback"]["ending"] == "returned"
    assert report["convergence"]["unequal"] == []
    assert (folder / "report.html").read_text().startswith("<!doctype html>")
    assert audits.verify(audits.read(folder / "audit.jsonl")) == ""
    records = read_log(sorted(folder.glob("requests-*.jsonl")))
    assert len(records) == report["customers"]["everyone"]["requests"]
    assert told(world) == {A, B}


def test_a_product_sold_twice_is_in_both_replicas_and_in_the_report(world: World, tmp_path: Path) -> None:
    """Both coasts want the same product every other second, and replication takes about one: some are sold twice."""
    text = SHORT.replace("contested_every_s: 5", "contested_every_s: 2").replace("healthy_s: 4", "healthy_s: 8")
    report, _ = drill(world, tmp_path, text, code=None)
    sales = report["double_sales"]
    assert sales
    orders = sales[0]["orders"]
    assert {order["region"] for order in orders} == {A, B}
    for region in (A, B):
        table = world.client("dynamodb", region)
        for order in orders:
            item = table.get_item(TableName="orders-orders", Key={"order_id": {"S": order["order_id"]}})["Item"]
            assert item["product_id"]["S"] == sales[0]["product_id"]
    assert report["conflicts"]["known"]
    assert report["conflicts"]["entries"]


def test_a_fault_that_does_nothing_makes_the_drill_fail(world: World, tmp_path: Path) -> None:
    report, _ = drill(world, tmp_path, HARMLESS, code=3)
    assert "not detected" in report["verdict"]["text"]
    states = {step["number"]: step["state"] for step in report["steps"]}
    assert states[6] == "true"
    assert {number for number, state in states.items() if state == "false"} >= {9, 10, 11, 12}
    assert told(world) == {A, B}
    assert outlast(world, "fault", "list").count("running") == 0


@pytest.mark.timeout(900)
def test_the_operator_does_what_the_readme_says(world: World, tmp_path: Path) -> None:
    """The page's own commands; what they ask is answered, and a return refused as too early is asked for again."""
    by_hand = blocks(ROOT / "README.md", "sh")[3]
    typed = [
        shlex.split(line, comments=True)[1:] for line in by_hand.splitlines() if not line.startswith("outlast down")
    ]
    assert [words[0] for words in typed] == ["deploy", "status", "fault", "evacuate", "fault", "failback", "drill"]
    deploy, status, begin, leave, faults, home, again = typed
    before = len(audits.read(world.folder / "audit.jsonl"))
    outlast(world, *deploy)
    outlast(world, *status, code=None)
    begun = outlast(world, *begin).split()[0]
    assert outlast(world, *leave, typed="evacuate us-east-1")
    assert told(world) == {B}
    outlast(world, "drill", code=4)
    assert f"{begun}  running     gray-failure in us-east-1" in outlast(world, *faults)
    outlast(world, *faults[:1], "end", begun)
    assert "No fault is active." in outlast(world, *faults)
    for _ in range(10):
        if "returned" in outlast(world, *home, "--output", "json", typed="fail back to us-east-1", code=None):
            break
    assert told(world) == {A, B}
    actions = [entry.action for entry in audits.read(world.folder / "audit.jsonl")[before:]]
    wanted = [action for action in actions if action in ("switched", "left", "returned")]
    assert wanted[:2] == ["switched", "left"]
    assert wanted[-2:] == ["switched", "returned"]
    outlast(world, *again, "--into", str(tmp_path / "run"))


@pytest.mark.parametrize(("number", "after"), [(signal.SIGTERM, "begins in"), (signal.SIGINT, "routing control of")])
def test_a_drill_that_is_stopped_puts_everything_back(
    world: World, tmp_path: Path, number: signal.Signals, after: str
) -> None:
    (tmp_path / "drill.yaml").write_text(SHORT)
    words = ["drill", str(tmp_path / "drill.yaml"), "--into", str(tmp_path / "run")]
    one = began(world, *words)
    assert one.stderr is not None
    assert any(after in line for line in one.stderr)
    if number == signal.SIGINT:
        os.killpg(one.pid, number)  # as a terminal does
    else:
        one.send_signal(number)
    rest = one.communicate(timeout=120)[1]
    assert one.returncode == 128 + number
    assert "Traceback" not in rest
    assert "not rolled back" not in rest, rest
    assert "running" not in outlast(world, "fault", "list")
    deadline = time.monotonic() + 120
    while told(world) != {A, B}:
        assert time.monotonic() < deadline, rest
        time.sleep(0.5)
    with pytest.raises(ProcessLookupError):
        os.killpg(one.pid, 0)  # no customer is left


def test_nothing_is_changed_without_confirmation(world: World) -> None:
    before = told(world)
    command = [sys.executable, "-m", "outlast.cli.main", "evacuate", A, "--home", str(world.folder), "--offline"]
    done = subprocess.run(command, input="yes\n", capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 4
    assert "nothing was changed" in done.stderr
    assert told(world) == before
