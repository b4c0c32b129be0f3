"""A drill's traces on disk: those of an earlier drill are set aside, and what cannot be written is told, not lost."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from outlast.cli.ops_target import one_line
from outlast.ops.act.audit import AuditLog
from outlast.ops.drill.customers import Crowd
from outlast.ops.drill.faults import Running
from outlast.ops.drill.file import FaultPlan, LoadPlan, find
from outlast.ops.drill.folder import set_aside
from outlast.ops.drill.injection import Injection
from outlast.ops.drill.journal import Journal
from outlast.ops.drill.rollback import Rollback
from outlast.ops.drill.story import Story
from outlast.ops.load.run import Coast, Plan
from outlast.ops.load.workload import Stock
from outlast.ops.outcome import OpsError
from tests.unit.ops.fakes import sample_deployment

A = "us-east-1"


def test_an_earlier_drill_is_set_aside_and_kept(tmp_path: Path) -> None:
    assert set_aside(tmp_path) is None
    for round_number in range(3):
        for name in ("requests-east.jsonl", "audit.jsonl", "report.json"):
            (tmp_path / name).write_text(f"{round_number}")
            os.utime(tmp_path / name, (1_000_000, 1_000_000))
        (tmp_path / "notes.txt").write_text("mine")
        place = set_aside(tmp_path)
        assert place is not None
        assert (place / "audit.jsonl").read_text() == f"{round_number}"
    assert sorted(path.name for path in (tmp_path / "earlier").iterdir()) == [
        "19700112-134640", "19700112-134640-2", "19700112-134640-3",
    ]  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["earlier", "notes.txt"]


class Full(io.StringIO):
    """A log on a disk that is full after two lines."""

    def write(self, text: str) -> int:
        if self.getvalue().count("\n") >= 2:
            raise OSError(28, "No space left on device")
        return super().write(text)


class Answered:
    """A client whose every request is answered."""

    ident = "east-000"

    async def ask(self, want: Any, due_s: float) -> Any:
        from outlast.ops.load.log import Record

        return Record(due_s, 1.0, "c", "east", False, want.operation, "served", 200)

    def close(self) -> None: ...


def test_requests_that_cannot_be_written_down_end_the_customers_process() -> None:
    log = Full()
    plan = Plan("east", "", "https://x", (A,), (), "log", Stock("p-", 2, 9, 2), rate_per_s=500.0, clients=1)
    with pytest.raises(OSError, match="No space left"):
        asyncio.run(Coast(plan, [Answered()], log).run())  # type: ignore[list-item]
    assert log.getvalue().count("\n") == 2


def test_the_drill_hears_why_a_customers_process_has_ended(tmp_path: Path) -> None:
    crowd = Crowd(sample_deployment(), LoadPlan(timeout_s=0.2), {"east": ""}, tmp_path, "run-", {})
    (tmp_path / "requests-east.jsonl").mkdir()
    crowd.start()
    for process in crowd._running:
        process.wait()
    with pytest.raises(OpsError, match=r"has ended: .*requests-east.jsonl cannot be written: Is a directory"):
        crowd.fresh()
    (tmp_path / "requests-east.jsonl").rmdir()
    assert crowd.stop() == []
    assert "cannot be written" in crowd.trouble


class Stubborn:
    """Faults of which one does not end."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def begin(self, plan: FaultPlan, regions: Sequence[str], duration_s: float) -> Running:
        return Running(plan.kind, plan.kind)

    def end(self, running: Running) -> None:
        if running.ident == "stays":
            raise OpsError("it stays")
        self.ended.append(running.ident)


def test_a_fault_that_does_not_end_keeps_none_of_the_others(tmp_path: Path) -> None:
    faults = Stubborn()
    run = Injection(faults, AuditLog(tmp_path / "audit.jsonl", "test"), lambda name: name, lambda _: None, 60.0)
    asyncio.run(run.begin([FaultPlan("first"), FaultPlan("stays"), FaultPlan("last")], A))
    with pytest.raises(OpsError, match="it stays"):
        run.end()
    assert faults.ended == ["last", "first"]
    assert run.active, "it may be tried again"


def test_an_audit_log_that_cannot_be_written_keeps_no_fault_running(tmp_path: Path) -> None:
    faults = Stubborn()
    run = Injection(faults, AuditLog(tmp_path / "audit.jsonl", "test"), lambda name: name, lambda _: None, 60.0)
    asyncio.run(run.begin([FaultPlan("first"), FaultPlan("last")], A))
    run.audit = AuditLog(tmp_path, "test")
    with pytest.raises(OpsError, match="audit log"):
        run.end()
    assert faults.ended == ["last", "first"]
    assert not run.active


def test_a_full_disk_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, one_line():
        raise OSError(28, "No space left on device", "/x/report.json")
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == "outlast: /x/report.json: No space left on device.\n"


def test_what_could_not_be_rolled_back_is_an_error_that_says_what_does_it_later(tmp_path: Path) -> None:
    """A dead world: the drill that stopped has not only missed an objective, it has left something behind."""
    faults = Stubborn()
    stage: Any = SimpleNamespace(audit=AuditLog(tmp_path / "audit.jsonl", "test"), journal=Journal())
    story = Story("A drill", "h", A, {}, {}, sample_deployment(), [], lambda: 0.0)
    story.failed = "Stopped: it hurt."
    run = Injection(faults, stage.audit, lambda name: name, lambda _: None, 60.0)
    asyncio.run(run.begin([FaultPlan("stays")], A))
    Rollback(stage, find("gray-failure"), story, run).do(buried=False)
    assert story.trouble == (
        "Stopped: it hurt. Not rolled back: end-faults: it stays; once the world answers, `outlast drill --clean-up` "
        "does it."
    )
