"""The audit log on a full disk: nobody acts without it unless the glass is broken, and then no entry is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from outlast.ops.act import audit as audits
from outlast.ops.act.audit import MOST_KEPT, AuditLog
from outlast.ops.outcome import OpsError, UnwrittenError
from tests.unit.ops.test_act import PLAN, A, B, Board, Time, evacuator

LIMITED = """
import resource, sys
from pathlib import Path
from outlast.ops.act.audit import AuditLog
log = AuditLog(Path(sys.argv[1]), "somebody", lambda: 2.0)
log.add("before")
size = log.path.stat().st_size
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, hard))
log.spill = print
log.add("one", what="x" * 100)
log.add("two")
assert log.path.stat().st_size == size, "no half line"
assert log.settle() == 2
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
log.add("three")
assert log.unwritten == 0
"""


class Disk:
    """The disk as the kit meets it: full or not."""

    def __init__(self) -> None:
        self.full = False

    def sync(self, _: int) -> None:
        if self.full:
            raise OSError(28, "No space left on device")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    found = Disk()
    monkeypatch.setattr("os.fsync", found.sync)
    return found


def test_what_cannot_be_written_is_handed_over_and_written_later_as_it_was_told(tmp_path: Path) -> None:
    """A real limit on what the process may write, lifted again."""
    path = tmp_path / "audit.jsonl"
    command = [sys.executable, "-c", LIMITED, str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=dict(os.environ))
    assert ran.returncode == 0, ran.stderr
    entries = audits.read(path)
    assert [each.action for each in entries] == ["before", "one", "two", "three"]
    assert audits.verify(entries) == ""
    assert ran.stdout.splitlines() == path.read_text().splitlines()[1:3]


def test_another_writer_meanwhile_does_not_break_the_chain(tmp_path: Path, disk: Disk) -> None:
    path, told = tmp_path / "audit.jsonl", list[str]()
    log = AuditLog(path, "night", lambda: 1.0)
    log.spill = told.append
    disk.full = True
    log.add("one")
    disk.full = False
    AuditLog(path, "other", lambda: 2.0).add("theirs")
    assert log.settle() == 0
    entries = audits.read(path)
    assert [each.action for each in entries] == ["theirs", "one"]
    assert audits.verify(entries) == ""
    assert json.loads(told[0])["action"] == "one"


def test_a_log_that_is_nowhere_still_makes_a_chain(tmp_path: Path) -> None:
    """Its folder is a file: it can be neither read nor written."""
    (tmp_path / "home").write_text("")
    told: list[str] = []
    log = AuditLog(tmp_path / "home" / "audit.jsonl", "night", lambda: 1.0)
    with pytest.raises(OpsError, match="cannot be written"):
        log.add("one")
    log.spill = told.append
    log.add("one")
    log.add("two")
    assert audits.verify([audits.Entry(**json.loads(line)) for line in told]) == ""
    assert (log.settle(), log.unwritten, log.spilled) == (2, 2, 2)


def test_what_waits_for_the_disk_is_bounded(tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_KEPT >= 1000
    monkeypatch.setattr(audits, "MOST_KEPT", 2)
    told: list[str] = []
    log = AuditLog(tmp_path / "audit.jsonl", "night", lambda: 1.0)
    log.spill, disk.full = told.append, True
    for number in range(3):
        log.add("did", number=number)
    disk.full = False
    assert log.settle() == 1, "one was told alone"
    assert [each.detail["number"] for each in audits.read(log.path)] == [0, 1]
    assert len(told) == 3


async def test_nobody_leaves_unwritten_and_the_refusal_names_the_way(tmp_path: Path, disk: Disk) -> None:
    board, disk.full = Board(), True
    run = evacuator(tmp_path, board, Time())
    run.unwritten = pytest.fail
    with pytest.raises(UnwrittenError, match="`outlast evacuate us-east-1 --break-glass REASON` goes on") as refused:
        await run.run(PLAN)
    assert refused.value.exit == 4
    assert board.on == {A: True, B: True}


async def test_broken_glass_goes_on_and_loses_no_entry(tmp_path: Path, disk: Disk) -> None:
    board, time, told = Board(), Time(), list[str]()
    disk.full = True
    run = evacuator(tmp_path, board, time)
    run.unwritten = told.append
    result = await run.run(PLAN, break_glass="the disk is full")
    assert (result.ending, board.on) == ("left", {A: False, B: True})
    assert [json.loads(line)["action"] for line in told] == ["evacuate", "switched", "left"]
    assert json.loads(told[0])["detail"]["break_glass"] == "the disk is full"
    disk.full = False
    assert (run.audit.settle(), run.audit.spilled) == (0, 3)
    assert (tmp_path / "audit.jsonl").read_text().splitlines() == told
    assert audits.verify(audits.read(tmp_path / "audit.jsonl")) == ""


async def test_a_disk_that_fills_after_the_switch_stops_nobody(tmp_path: Path, disk: Disk) -> None:
    class Filling(Board):
        def set(self, wanted: dict[str, bool], override: object = ()) -> None:  # type: ignore[override]
            super().set(wanted)
            disk.full = True

    board, told = Filling(), list[str]()
    run = evacuator(tmp_path, board, Time(), worse=lambda: "us-west-2 is impaired")
    run.unwritten = told.append
    result = await run.run(replace(PLAN, before={A: True, B: True}), watch_s=5)
    assert (result.ending, board.on) == ("rolled back", {A: True, B: True})
    assert [json.loads(line)["action"] for line in told] == ["switched", "rolled back"]
    assert [each.action for each in audits.read(tmp_path / "audit.jsonl")] == ["evacuate"]
