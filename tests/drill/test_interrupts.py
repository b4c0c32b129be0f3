"""Every long verb ended in the middle, on real processes: it says how far it came, and the same command goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from outlast.cli.ops_target import open_target
from outlast.ops.act import audit as audits
from outlast.ops.act.arc import Switchboard
from outlast.ops.act.audit import Entry
from tests.conftest import World, start_world, stop_world
from tests.drill.conftest import began, outlast, told

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.xdist_group("drill")]
A, B = "us-east-1", "us-west-2"


def ended(world: World, words: str, after: str, number: signal.Signals) -> str:
    """Run the command until it says `after`, then end it; what it said from there on."""
    one = began(world, *words.split())
    assert one.stderr is not None
    heard: list[str] = []
    for line in one.stderr:
        heard.append(line)
        if after in line:
            break
    else:
        raise AssertionError("".join(heard))
    one.send_signal(number)
    rest = one.communicate(timeout=120)[1]
    assert one.returncode == (-number if number == signal.SIGKILL else 128 + number), rest
    assert "Traceback" not in rest
    return rest


def last(world: World, action: str) -> Entry:
    """The newest entry of this action; the chain holds."""
    entries = audits.read(world.folder / "audit.jsonl")
    assert audits.verify(entries) == ""
    return [entry for entry in entries if entry.action == action][-1]


def test_an_evacuation_and_a_return(world: World) -> None:
    rest = ended(world, f"evacuate {A} --offline --yes --watch-s 120", "survivors are watched", signal.SIGTERM)
    assert f"interrupted; {A}: it is switched off and was left" in rest
    assert last(world, "interrupted").detail == {"what": "evacuate", "region": A, "stage": "watch"}
    assert told(world) == {B}
    again = json.loads(outlast(world, "evacuate", A, "--offline", "--yes", "--watch-s", "0", "--output", "json"))
    assert again["ending"] == "left"
    rest = ended(world, f"failback {A} --yes --reviewed --watch-s 2 --steps 5,25,50,100", "25 %: well", signal.SIGINT)
    percent = last(world, "interrupted").detail["percent"]
    assert percent in (25, 50)
    assert f"{A} has {percent} % of its side" in rest
    done = outlast(world, "failback", A, "--yes", "--reviewed", "--watch-s", "1", "--output", "json")
    assert json.loads(done) == {"ending": "returned", "steps": [each for each in (50, 100) if each > percent]}
    assert told(world) == {A, B}


def test_a_return_that_was_killed_outright(world: World) -> None:
    outlast(world, "evacuate", A, "--offline", "--yes", "--watch-s", "0")
    ended(world, f"failback {A} --yes --reviewed --watch-s 60 --steps 5,50,100", "5 %: well", signal.SIGKILL)
    done = outlast(world, "failback", A, "--yes", "--reviewed", "--watch-s", "1", "--output", "json")
    assert json.loads(done)["steps"][-1] == 100
    assert told(world) == {A, B}


def test_the_removal_of_replicas(world: World) -> None:
    outlast(world, "evacuate", A, "--offline", "--yes", "--watch-s", "0")
    rest = ended(world, f"replica remove {A} --yes", "gone", signal.SIGTERM)
    assert f"`outlast replica remove {A}` goes on from there" in rest
    assert last(world, "interrupted").detail == {"what": "replica remove", "region": A}
    left = json.loads(outlast(world, "replica", "remove", A, "--yes", "--output", "json"))
    assert 0 < len(left["changed"]) < 3
    ended(world, f"replica rebuild {A} --yes", "rebuilt", signal.SIGINT)
    outlast(world, "replica", "rebuild", A, "--yes")
    outlast(world, "failback", A, "--yes", "--reviewed", "--watch-s", "1", "--steps", "100")


def test_a_wait_period_is_waited_for_unless_told_otherwise(world: World) -> None:
    """Somebody has just switched: the rule lets no change through for five seconds."""
    target = open_target("local", world.folder, None)
    board, rule = Switchboard(target.clients, target.deployment()), target.deployment().arc.safety_rule_arn
    assert target.deployment().arc.wait_ms == 5000
    words = ["evacuate", A, "--offline", "--yes", "--watch-s", "0", "--home", str(world.folder)]
    command = [sys.executable, "-m", "outlast.cli.main", *words]
    refused = 0
    for more, code in ((["--wait", "0"], 4), ([], 0)):
        board.set({A: False}, [rule])
        board.set({A: True}, [rule])
        done = subprocess.run([*command, *more], capture_output=True, text=True, timeout=120, check=False)
        if "wait period of 5000 ms is not over" not in done.stderr:
            assert done.returncode == 0, done.stderr  # the machine was slower than the period
            continue
        refused += 1
        assert done.returncode == code, done.stderr
        assert ("It is asked again each second, for 6 s at most" in done.stderr) is not bool(more)
        assert ("--wait SECONDS" in done.stderr) is bool(more)
    board.set({A: True}, [rule])
    assert refused


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world with nothing deployed in it."""
    started = start_world(tmp_path_factory.mktemp("bare") / "w", "--replication-delay-ms", "none")
    yield started
    stop_world(started)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_deployment(bare: World, number: signal.Signals) -> None:
    """Ended while tables are being made, it goes on; ended while it is taken away, that goes on as well."""
    rest = ended(bare, "deploy", "CREATE_COMPLETE", number)
    if number == signal.SIGTERM:
        assert "CloudFormation goes on" in rest
        assert last(bare, "interrupted").detail["what"] == "deploy"
    assert not (bare.folder / "deployment-local.json").exists()
    outlast(bare, "deploy")
    outlast(bare, "evacuate", A, "--offline", "--yes", "--watch-s", "0")
    ended(bare, "deploy --remove", "DELETE_COMPLETE", number)
    outlast(bare, "deploy", "--remove")
    assert not (bare.folder / "deployment-local.json").exists()
    for region in (A, B, "us-east-2"):
        stacks = bare.client("cloudformation", region).describe_stacks()["Stacks"]
        assert [each["StackName"] for each in stacks] == []
