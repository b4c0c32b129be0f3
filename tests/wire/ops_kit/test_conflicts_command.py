"""`outlast conflicts` against a world: the command as it is typed, its output and its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import World
from tests.wire.world.test_ledger import A, B, item, owner, wait_until
from tests.wire.world.test_ledger import global_table as global_table


def outlast(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "outlast.cli.main", *words, "--home", str(world.folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_ledger_before_and_after_a_cut(global_table: tuple[World, Any, Any], tmp_path: Path) -> None:
    world, a, b = global_table
    cut = world.fault("region-isolated", A)
    a.put_item(TableName="stock", Item=item(7, "sold in a"))
    time.sleep(0.01)
    b.put_item(TableName="stock", Item=item(7, "sold in b"))
    a.put_item(TableName="stock", Item=item(8, "only in a"))
    during = json.loads(outlast(world, "conflicts", "--table", "stock", "--output", "json").stdout)
    assert during["conflicts"] == []
    assert {(each["held_in"], each["missing_in"]) for each in during["stranded"]} == {(A, B), (B, A)}
    assert [each["pending"] for each in during["links"] if each["origin"] == A] == [2]
    night = tmp_path / "night.json"
    night.write_text(json.dumps(during))
    followed = outlast(world, "conflicts", "--became-of", str(night))
    assert (followed.returncode, followed.stdout.splitlines()[-1]) == (0, "3 still missing.")
    world.end_fault(cut)
    wait_until(lambda: owner(a, 7) == "sold in b" and owner(b, 8) == "only in a")
    exported = tmp_path / "ledger.json"

    def told() -> subprocess.CompletedProcess[str]:
        return outlast(world, "conflicts", "--since", "10m", "--export", str(exported))

    wait_until(lambda: "1 overwritten; 0 stranded." in told().stdout)
    done = told()
    assert done.returncode == 0, done.stderr
    assert "owner=sold in a" in done.stdout
    assert "owner=sold in b" in done.stdout
    (conflict,) = json.loads(exported.read_text())["conflicts"]
    assert (conflict["winner"]["region"], conflict["loser"]["region"]) == (B, A)
    assert conflict["differs"] == ["owner"]
    followed = outlast(world, "conflicts", "--became-of", str(night))
    assert (followed.returncode, followed.stdout.splitlines()[-1]) == (0, "2 arrived, 1 overwritten.")
    refused = outlast(world, "conflicts", "--became-of", str(night), "--since", "1h")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


def test_a_dead_region_is_told_and_the_exit_code_says_so(make_world: Callable[..., World]) -> None:
    world = make_world("--replication-delay-ms", "none")
    world.fault("region-killed", "eu-west-1")
    done = outlast(world, "conflicts")
    assert done.returncode == 5, done.stderr
    assert "eu-west-1: conflicts could not be read" in done.stdout
    unknown = outlast(world, "conflicts", "--since", "yesterday")
    assert unknown.returncode == 2
    assert unknown.stderr.count("\n") == 1


def test_on_aws_it_is_one_line() -> None:
    command = [sys.executable, "-m", "outlast.cli.main", "conflicts", "--target", "aws"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("outlast: AWS keeps no ledger")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
