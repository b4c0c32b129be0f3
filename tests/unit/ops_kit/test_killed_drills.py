"""Drills that are killed, refused, or played two at a time: the world is held by one, and somebody outlives it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from outlast.cli.ops_drill import _made
from outlast.cli.ops_status import left_by_drills
from outlast.ops.act import audit as audits
from outlast.ops.act.audit import AuditLog
from outlast.ops.drill.changes import WithChanges
from outlast.ops.drill.faults import TAG, FisFaults, Running
from outlast.ops.drill.guardian import guarded
from outlast.ops.drill.hold import hold, is_held
from outlast.ops.drill.journal import Journal
from outlast.ops.http import tls_context
from outlast.ops.outcome import OpsError, RefusedError, UsageError
from tests.unit.ops.fakes import sample_deployment
from tests.unit.ops_kit.stubs import StubClients

NOW_S = 1_767_225_600.0
PLAY = """
import sys
from pathlib import Path
from outlast.ops.drill.guardian import guarded
from outlast.ops.drill.hold import hold
folder = Path(sys.argv[1])
with hold(folder / "lock"), guarded(["/bin/sh", "-c", f"echo cleaned > {folder}/cleaned"], folder / "log"):
    print("playing", flush=True)
    sys.stdin.readline()
"""


def playing(folder: Path) -> subprocess.Popen[str]:
    """A process that holds the world and is guarded."""
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", PLAY, str(folder)], stdin=pipe, stdout=pipe, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "playing\n"
    return process


def test_what_a_killed_drill_has_left_is_cleaned_up_by_whoever_outlives_it(tmp_path: Path) -> None:
    process = playing(tmp_path)
    assert is_held(tmp_path / "lock")
    with pytest.raises(RefusedError, match="one at a time"), hold(tmp_path / "lock"):
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    until_s = time.monotonic() + 60
    while not (tmp_path / "cleaned").exists():
        assert time.monotonic() < until_s
        time.sleep(0.02)
    assert not is_held(tmp_path / "lock")
    with hold(tmp_path / "lock"):
        assert is_held(tmp_path / "lock")


def test_a_drill_that_comes_to_its_end_is_not_cleaned_up_after(tmp_path: Path) -> None:
    process = playing(tmp_path)
    process.communicate("\n", timeout=60)
    with pytest.raises(RuntimeError), guarded(["/bin/sh", "-c", f"echo > {tmp_path}/cleaned"], tmp_path / "log"):
        raise RuntimeError
    assert sorted(each.name for each in tmp_path.iterdir()) == ["lock"], "neither a clean-up nor a log of it"


def test_a_drill_that_was_refused_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(RefusedError), _made(tmp_path / "drills" / "one"):
        raise RefusedError("us-east-1 is evacuated already.")
    assert list((tmp_path / "drills").iterdir()) == []
    with pytest.raises(OpsError), _made(tmp_path / "drills"):
        raise OpsError("What was there already stays.")
    with _made(tmp_path / "drills" / "two"):
        (tmp_path / "drills" / "two" / "audit.jsonl").write_text("")
    with pytest.raises(OpsError), _made(tmp_path / "drills" / "two"):
        raise OpsError("What was written down stays.")
    assert [each.name for each in (tmp_path / "drills").iterdir()] == ["two"]
    (tmp_path / "file").write_text("a file is no folder")
    with pytest.raises(UsageError, match="cannot be made"), _made(tmp_path / "file" / "x"):
        pass


def experiment(ident: str, what: str, at_s: float, status: str = "running") -> dict[str, Any]:
    return {
        "id": ident,
        "experimentTemplateId": "EXT1",
        "state": {"status": status},
        "creationTime": datetime.fromtimestamp(at_s, UTC),
        "tags": {TAG: what},
    }


def test_faults_under_way_are_found_by_their_words_and_their_time() -> None:
    clients, what = StubClients(), "gray-failure in us-east-1"
    first = [experiment("EXP1", what, NOW_S), experiment("EXP2", "link-cut in us-east-1", NOW_S)]
    second = [experiment("EXP3", what, NOW_S - 60), experiment("EXP4", what, NOW_S, "stopped")]
    clients.stub("fis", "us-east-2").add_response("list_experiments", {"experiments": first, "nextToken": "n"})
    clients.stub("fis", "us-east-2").add_response("list_experiments", {"experiments": second}, {"nextToken": "n"})
    faults = FisFaults(clients.of("fis", "us-east-2"), lambda: "")
    assert faults.under_way(what, NOW_S) == [Running("EXP1", what)]


def test_a_fault_of_a_world_that_is_gone_has_ended() -> None:
    clients = StubClients()
    clients.stub("fis", "us-east-2").add_client_error("stop_experiment", "ResourceNotFoundException")
    FisFaults(clients.of("fis", "us-east-2"), lambda: "").end(Running("EXP1", "gray-failure in us-east-1"))
    clients.used()


class World:
    """Faults that are ended; one of them cannot be."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def begin(self, *_: Any) -> Running:
        raise AssertionError

    def end(self, running: Running) -> None:
        if running.ident == "stuck":
            raise OpsError("it does not answer")
        self.ended.append(running.ident)

    def under_way(self, *_: Any) -> list[Running]:
        return []


SPOILT: list[Any] = [
    {"kind": "bad-release", "region": "us-east-1", "before": {}},
    {"kind": "low-limit", "region": "us-east-1", "before": {"throttlingRateLimit": "x", "throttlingBurstLimit": 1}},
    {"kind": "link-cut", "region": "us-east-1", "before": {"asked_s": "soon"}},
    {"kind": "link-cut", "region": "us-east-1", "before": None},
]


@pytest.mark.parametrize("spoilt", SPOILT, ids=str)
def test_a_note_that_is_spoilt_is_named_and_keeps_no_other_fault(tmp_path: Path, spoilt: Any) -> None:
    path, world, audit = tmp_path / "drill-changes.json", World(), AuditLog(tmp_path / "audit.jsonl", "w")
    whole = {"kind": "link-cut", "region": "us-east-1", "before": {}}
    path.write_text(json.dumps({"spoilt": spoilt, "stuck": whole, "whole": whole}))
    changes = WithChanges(world, StubClients(), sample_deployment(), Journal(path))
    with pytest.raises(OpsError, match=r"is damaged .* put it back by hand"):
        changes.clean_up(audit)
    assert world.ended == ["whole"]
    assert set(Journal(path).read()) == {"spoilt", "stuck"}
    path.write_text(json.dumps({"stuck": whole, "other": whole}))
    with pytest.raises(OpsError, match="does not answer"):
        changes.clean_up(audit)
    assert (world.ended, set(Journal(path).read())) == (["whole", "other"], {"stuck"})
    assert [each.action for each in audits.read(audit.path)] == ["change taken back"] * 2


def test_a_file_of_drills_that_is_damaged_keeps_nobody_from_the_status(tmp_path: Path) -> None:
    assert left_by_drills(tmp_path) == ""
    (tmp_path / "drill-changes.json").write_text('{"half": [')
    assert "take that file away" in left_by_drills(tmp_path)
    (tmp_path / "drill-changes.json").write_text('{"f": {"kind": "link-cut", "region": "r", "before": {}}}')
    assert left_by_drills(tmp_path) == "A drill that was cut short has left link-cut in r: `outlast drill --clean-up`."
    (tmp_path / "drill.lock").mkdir()
    assert "drill.lock cannot be used" in left_by_drills(tmp_path)


def test_an_authority_s_file_of_no_use_is_named(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match=r"nothing\.pem cannot be used: No such file"):
        tls_context(str(tmp_path / "nothing.pem"))
    (tmp_path / "ca.pem").write_text("garbage")
    with pytest.raises(OpsError, match=r"ca\.pem cannot be used"):
        tls_context(str(tmp_path / "ca.pem"))
