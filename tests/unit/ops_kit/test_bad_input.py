"""What people and programs give a verb by mistake or malice: refused in one line, or borne; never a traceback."""

from __future__ import annotations

import getpass
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import typer
import yaml
from typer.testing import CliRunner

from outlast.cli import ops_confirm, ops_main, ops_verbs, world
from outlast.cli.ops_target import Target
from outlast.cli.seconds import LONGEST_S
from outlast.ops import deployment as deployments
from outlast.ops.act import audit as audits
from outlast.ops.act.audit import AuditLog
from outlast.ops.act.patience import period_of
from outlast.ops.drill.file import parse
from outlast.ops.ledger.moment import since
from outlast.ops.load.run import Keys
from outlast.ops.names import NameServer
from outlast.ops.observe.facts import cached
from outlast.ops.outcome import OpsError, UsageError
from outlast.ops.reconcile import rules
from tests.unit.ops.fakes import sample_deployment
from tests.unit.ops_kit.stubs import StubClients

GOOD = {"name": "x", "hypothesis": "h", "fault": {"kind": "link-cut"}}


def whole() -> typer.Typer:
    app = typer.Typer()
    for holder in (ops_main, ops_verbs):
        holder.register(app, [])
    world.register(app)
    return app


APP = whole()


def seconds_of(holder: typer.Typer, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every option that is a number with a fraction: the words of its command, and its name."""
    for group in holder.registered_groups:
        assert group.typer_instance is not None
        yield from seconds_of(group.typer_instance, (*before, str(group.name)))
    for command in holder.registered_commands:
        assert command.callback is not None
        for name, hint in get_type_hints(command.callback, include_extras=True).items():
            kind, *told = get_args(hint) or (hint,)
            if kind in (float, float | None):
                given = (told[0].default, *told[0].param_decls) if told else ()
                named = [each for each in given if isinstance(each, str)]
                yield (*before, str(command.name)), [*named, f"--{name.replace('_', '-')}"][0]


SECONDS = sorted(seconds_of(APP))


def test_there_are_options_of_seconds() -> None:
    assert {words[0] for words, _ in SECONDS} >= {"status", "watch", "evacuate", "failback", "guard", "fault", "up"}


@pytest.mark.parametrize("text", ["nan", "-nan", "inf", "1e308", str(LONGEST_S + 1), "-1", "soon", "", "１e9", "⏰"])
@pytest.mark.parametrize(("words", "option"), SECONDS, ids=[" ".join((*words, name)) for words, name in SECONDS])
def test_seconds_are_a_number_that_a_clock_can_count(words: tuple[str, ...], option: str, text: str) -> None:
    given = {"evacuate": ["us-east-1"], "failback": ["us-east-1"], "fault": ["link-cut", "us-east-1"], "replay": ["x"]}
    done = CliRunner().invoke(APP, [*words, *given.get(words[0], []), f"{option}={text}"])
    assert (done.exit_code, "Traceback" in done.output) == (2, False), done.output
    assert option in done.output
    assert "o such option" not in done.output


TAGS = [
    "!!int ''",
    "!!int x",
    "!!float ''",
    "!!bool maybe",
    "!!timestamp x",
    "!!binary é",
    "!!python/object:os.system x",
]
HUGE = "9" * 400


@pytest.mark.parametrize("value", [*TAGS, HUGE, f"-{HUGE}", f"0x{HUGE}", ".inf", "1e309", "1_0e400"])
def test_a_value_that_yaml_cannot_make_is_refused_in_one_line(value: str) -> None:
    for text in (
        f"name: x\nhypothesis: h\nfault: {{kind: link-cut}}\nphases: {{live_s: {value}}}\n",
        f"name: x\nhypothesis: h\nfault: {{kind: link-cut, parameters: {{x: {value}, [1]: 2}}}}\n",
    ):
        with pytest.raises(UsageError) as refused:
            parse(text, "x.yaml")
        assert "\n" not in str(refused.value)
    with pytest.raises(UsageError):
        rules.parse(f"schema: {value}", "x.yaml")


@pytest.mark.parametrize(
    "change",
    [
        {"load": {"clients": 10**9}},
        {"load": {"rate_per_s": 1e9}},
        {"phases": {"patience_s": 1e300}},
        {"phases": {"live_s": 1e300}},
        {"phases": {"steps": [1] * 100_000}},
        {"fault": {"kind": "link-cut", "for_s": 1e300}},
    ],
    ids=lambda change: str(change)[:40],
)
def test_no_drill_asks_for_more_than_a_machine_or_a_week_has(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"x\.yaml, line"):
        parse(yaml.safe_dump({**GOOD, **change}), "x.yaml")


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-14:00", "2999-01-01", f"{HUGE}.9e1d", "", "10 m", "-5m", "🕰"])
def test_a_moment_that_is_none_or_still_to_come_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        since(text, 1_800_000_000.0)


def test_a_moment_before_all_others_is_one() -> None:
    assert since(f"{HUGE}d", 1_800_000_000.0) < 0
    assert since("0001-01-01T00:00:00+14:00", 1_800_000_000.0) < 0


ENTRY = {
    "number": 1,
    "at_s": 1.0,
    "who": "w",
    "action": "rolled back",
    "detail": {},
    "previous": audits.ROOT,
    "hash": "h",
}
SPOILT = [
    {"at_s": 1e300}, {"at_s": math.nan}, {"at_s": math.inf}, {"at_s": -1e300}, {"at_s": "now"}, {"detail": None},
    {"detail": "text"}, {"detail": [1]}, {"who": ["a"]}, {"action": 7}, {"previous": None}, {"more": 1},
]  # fmt: skip


@pytest.mark.parametrize("change", SPOILT, ids=str)
def test_a_line_of_the_log_that_is_spoilt_is_named_and_keeps_nobody_from_acting(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    log = tmp_path / "audit.jsonl"
    log.write_text(json.dumps({**ENTRY, **change}) + "\n")
    for verb in ("show", "verify"):
        done = CliRunner().invoke(APP, ["audit", verb, str(log)])
        assert (done.exit_code, "Traceback" in done.output) == ({"show": 1, "verify": 3}[verb], False), done.output
        assert "Line 1" in done.output
    assert period_of(15_000, log, 2.0) == "its wait period is 15 s"
    assert AuditLog(log, "w").add("switched").number == 1


def test_a_clock_that_was_set_back_does_not_lengthen_a_wait_period(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", "w", lambda: 7_000.0)
    log.add("switched")
    assert "15.0 s of it are left" in period_of(15_000, log.path, 1_000.0)
    assert "5.0 s of it are left" in period_of(15_000, log.path, 7_010.0)


BAD_VALUES = [None, "", "x", "\u26a1", -1, 10**400, 1e300, math.nan, True, [], [1], {}, {"a": {"b": "c"}}]


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in a document, from the outside in."""
    steps = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for step, value in steps:
        yield (*path, step)
        yield from places(value, (*path, step))


def spoilt(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(document))
    part = copy
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    return copy


def test_a_deployment_file_that_is_spoilt_anywhere_is_refused_or_can_be_used(tmp_path: Path) -> None:
    path = tmp_path / "deployment-local.json"
    held = {"us-east-1": {"throttle_rps": 5.0, "concurrency": 9}}
    deployments.save(replace(sample_deployment(), capacity=held), path)
    document = json.loads(path.read_text())
    refused: list[str] = []
    for where in places(document):
        for value in BAD_VALUES:
            path.write_text(json.dumps(spoilt(document, where, value)))
            try:
                found = deployments.load(path)
            except UsageError as error:
                refused.append(str(error))
                continue
            cached(found)
            assert all(endpoint.url for endpoint in found.arc.endpoints)
    assert len(refused) > 500
    assert not any("\n" in each for each in refused)
    whole = json.dumps(document)
    for end in range(0, len(whole), 97):
        path.write_text(whole[:end])
        with pytest.raises(UsageError):
            deployments.load(path)


@pytest.mark.parametrize(
    "change", [{"https_port": 4567}, {"name_servers": (NameServer("127.0.0.2", 53),)}, {"kind": "aws"}]
)
def test_a_deployment_file_that_leads_elsewhere_is_no_outage(tmp_path: Path, change: dict[str, Any]) -> None:
    made = sample_deployment()
    nobody = Keys(StubClients().session)
    target = Target("local", tmp_path, StubClients(), nobody, {}, made.name_servers, made.https_port, None)
    deployments.save(made, target.deployment_path)
    assert target.deployment() == made
    deployments.save(replace(made, **change), target.deployment_path)
    with pytest.raises(UsageError, match="`outlast prepare` writes it anew"):
        target.deployment()


def test_who_has_no_name_is_named_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert audits.operator() == f"uid {os.getuid()}"


async def test_nobody_agrees_on_an_input_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(OpsError, match="not confirmed"):
        await ops_confirm.confirm("evacuate x", yes=False)


LISTENER = """
import sys
from rich.text import Text
from outlast.cli.say import Teller, say
for _ in range(3):
    say("x" * 70_000)
    Teller().say(Text("y" * 70_000))
sys.exit(3)
"""


def test_what_nobody_listens_to_any_more_ends_nothing() -> None:
    one = subprocess.Popen([sys.executable, "-c", LISTENER], stderr=subprocess.PIPE)
    assert one.stderr is not None
    one.stderr.read(1)
    one.stderr.close()
    assert one.wait() == 3


def test_a_full_disk_behind_what_is_said_ends_nothing() -> None:
    with Path("/dev/full").open("wb") as full:
        one = subprocess.run([sys.executable, "-c", LISTENER.replace("3)", "4)")], stderr=full, check=False)
    assert one.returncode in (4, 120), "the verb went on to its end; the interpreter may mind the rest"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_name_that_the_terminal_cannot_write_ends_no_verb(tmp_path: Path, encoding: str) -> None:
    environ = {**os.environ, "PYTHONIOENCODING": encoding, "OUTLAST_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "outlast.cli", "drill", os.fsdecode(b"\xff" + "⚡.yaml".encode())]
    done = subprocess.run(command, env=environ, capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(b"outlast: There is no drill")
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("words", ["status", "report", "audit show", "down", "regions", "up", "drill", "doctor"])
def test_somebody_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    for name in ("OUTLAST_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    done = CliRunner().invoke(APP, words.split())
    assert done.exit_code in (1, 2)
    assert done.stderr.splitlines() == ["outlast: There is no home folder: set OUTLAST_HOME, or give --home."]
