"""The operator's verbs: every one shows an example, fails in one line, and asks before it acts."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.main import get_command
from typer.testing import CliRunner

from outlast.cli import ops_confirm, ops_main, ops_output, ops_verbs
from outlast.cli.ops_deploy import source_of
from outlast.cloud.world import home
from outlast.cloud.world.config import Settings, WorldConfig, free_port
from outlast.ops.decide.rules import Decision, Finding
from outlast.ops.observe.survey import Latest
from outlast.ops.outcome import RefusedError, UsageError
from outlast.ops.report import status as page
from outlast.ops.report.build import build
from outlast.ops.report.write import write
from tests.unit.ops.fakes import sample_deployment
from tests.unit.ops.samples import story
from tests.unit.ops.test_plan import A, B

WORDS_OF: dict[Any, list[str]] = {
    ops_main: ["deploy", "status", "evacuate us-east-1 --yes", "failback us-east-1 --yes", "drill", "fault list"],
    ops_verbs: ["doctor", "prepare", "replica remove us-east-1 --yes", "replica rebuild x --yes"],
}
"""The modules that hold the verbs of the night, and those beside it; what is typed of each without a world."""


@pytest.fixture
def app() -> typer.Typer:
    return app_of(ops_main)


def app_of(holder: Any) -> typer.Typer:
    """The command with the verbs of a module alone."""
    command = typer.Typer()
    holder.register(command, [])
    return command


def commands(group: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every command with its words."""
    found: list[tuple[tuple[str, ...], Any]] = []
    for name, command in group.commands.items():
        words = (*path, name)
        found += commands(command, words) if hasattr(command, "commands") else [(words, command)]
    return found


@pytest.mark.parametrize("holder", WORDS_OF, ids=["night", "beside"])
def test_every_verb_shows_an_example_that_can_be_typed(holder: Any) -> None:
    verbs = commands(get_command(app_of(holder)))
    assert {words[0] for words, _ in verbs} == set(holder.MODULES)
    for words, command in verbs:
        example = re.search(r"Example: outlast (.*)", command.epilog or "")
        assert example, words
        typed = shlex.split(example.group(1))
        assert tuple(typed[: len(words)]) == words
        command.make_context("outlast", typed[len(words) :], resilient_parsing=False).close()


def test_only_the_called_verb_is_imported_and_none_for_the_world_s(app: typer.Typer) -> None:
    def names(arguments: list[str]) -> set[str]:
        one = typer.Typer()
        ops_main.register(one, arguments)
        return {str(command.name) for command in one.registered_commands} | {
            str(group.name) for group in one.registered_groups
        }

    assert names(["up", "--detach"]) == set()
    assert names(["status"]) == {"status", "watch"}
    assert names(["--help"]) == set(ops_main.MODULES)


@pytest.mark.parametrize(("holder", "words"), [(holder, words) for holder, all_ in WORDS_OF.items() for words in all_])
def test_without_a_world_every_verb_says_so_in_one_line(holder: Any, tmp_path: Path, words: str) -> None:
    done = CliRunner().invoke(app_of(holder), [*words.split(), "--home", str(tmp_path / "none")])
    assert done.exit_code == 2
    assert done.stderr.strip().splitlines() == [
        f"outlast: There is no world in {tmp_path / 'none'}; `outlast up` makes one."
    ]


@pytest.mark.parametrize(("holder", "words"), [(holder, words) for holder, all_ in WORDS_OF.items() for words in all_])
def test_with_a_world_that_is_down_every_verb_says_so_in_one_line(holder: Any, tmp_path: Path, words: str) -> None:
    port = free_port(("127.0.0.1",))
    hosts = {A: "127.66.0.11"}
    home.make(WorldConfig(str(tmp_path), (A,), hosts, "127.0.0.1", port, port, 53, settings=Settings()))
    done = CliRunner().invoke(app_of(holder), [*words.split(), "--home", str(tmp_path)])
    assert done.exit_code == 1
    assert done.stderr == f"outlast: No world is running on {tmp_path}; `outlast up` starts it.\n"


def test_a_drill_that_does_not_exist_is_a_usage_error(app: typer.Typer, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["drill", "nothing", "--home", str(tmp_path)])
    assert done.exit_code == 2
    assert "gray-failure" in done.stderr
    assert "gray-failure: " in CliRunner().invoke(app, ["drill", "--list"]).stdout


def test_the_target_aws_never_gets_a_local_endpoint(app: typer.Typer, tmp_path: Path) -> None:
    environment = {"AWS_ENDPOINT_URL": "https://127.0.0.1:4566", "AWS_ACCESS_KEY_ID": "AKIAX", "AWS_PROFILE": None}
    words = ["status", "--target", "aws", "--home", str(tmp_path)]
    done = CliRunner().invoke(app, words, env={**environment, "AWS_SECRET_ACCESS_KEY": "s"})
    assert done.exit_code == 2
    assert "unset AWS_ENDPOINT_URL" in done.stderr


def test_the_latest_report_is_shown_again(app: typer.Typer, tmp_path: Path) -> None:
    nothing = CliRunner().invoke(app, ["report", "--home", str(tmp_path)])
    assert (nothing.exit_code, "outlast drill" in nothing.stderr) == (2, True)
    document: Any = json.loads(json.dumps(build(story())))
    write(document, tmp_path / "drills" / "one")
    shown = CliRunner().invoke(app, ["report", "--home", str(tmp_path)])
    assert shown.exit_code == 0
    assert "Objective missed" in shown.stdout
    printed = CliRunner().invoke(app, ["report", str(tmp_path / "drills" / "one"), "--output", "json"])
    assert json.loads(printed.stdout) == document


async def test_what_is_not_typed_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    for typed, agreed in (("yes\n", False), ("", False), ("evacuate us-east-1 \n", True)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        if agreed:
            await ops_confirm.confirm("evacuate us-east-1", yes=False)
            continue
        with pytest.raises(RefusedError, match="nothing was changed"):
            await ops_confirm.confirm("evacuate us-east-1", yes=False)
    await ops_confirm.confirm("evacuate us-east-1", yes=True)


async def test_what_is_said_after_a_question_that_nobody_answered_stands_on_its_own_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for typed in ("", "half a line"):
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        assert await ops_confirm.asked("Who") == typed
        assert capsys.readouterr().err == "Who: \n"
    monkeypatch.setattr(sys, "stdin", io.StringIO("Robin\n"))
    assert await ops_confirm.asked("Who") == "Robin\n"
    assert capsys.readouterr().err == "Who: "


async def test_the_watch_goes_on_while_somebody_reads_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two questions over one pipe, whose answers come when the loop has done something else; then the pipe ends."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        first = asyncio.ensure_future(ops_confirm.asked("Who"))
        await asyncio.sleep(0)
        assert not first.done()
        os.write(writing, b"Robin\nagree\n")
        assert (await first, await ops_confirm.asked("Then")) == ("Robin\n", "agree\n")
        os.close(writing)
        assert await ops_confirm.asked("More") == ""


def test_ctrl_c_while_the_command_is_loaded_is_no_traceback() -> None:
    scripts = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]["scripts"]
    module, function = scripts["outlast"].split(":")
    code = (
        "import sys, signal, importlib.abc\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored where the tests run\n"
        "class Slow(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer': signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Slow())\n"
        f"from {module} import {function}\n"
        f"{function}()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (130, "", "")


def test_a_table_is_wide_when_nobody_looks_and_a_dash_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    ops_output.print_table(("name", "value"), [("x" * 150, None), ("y", 0)])
    lines = capsys.readouterr().out.splitlines()
    assert "x" * 150 in lines[1]
    assert "–" in lines[1]
    assert lines[2].split() == ["y", "0"]


def test_the_status_ends_in_a_sentence_that_leaves_the_names_of_regions_as_they_are() -> None:
    for why, told in (("every Region is healthy", "Every Region is healthy."), (f"{A} is suspect", f"{A} is suspect.")):
        decision = Decision(0.0, "none", "", why, (), tuple(Finding(each, "suspect", 0.0, ()) for each in (A, B)))
        console = Console(width=140, file=io.StringIO(), record=True)
        console.print(page.screen(sample_deployment(), decision, Latest(), None))
        assert console.export_text().splitlines()[-1] == told


@pytest.mark.parametrize("name", ["x" * 5000, "nowhere"])
def test_a_source_that_cannot_be_is_one_line(name: str) -> None:
    with pytest.raises(UsageError, match="--source"):
        source_of(Path(name))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("failback us-east-1 --yes --steps 50,25", "does not rise"),
        ("failback us-east-1 --yes --steps 5,50", "does not rise"),
        ("failback us-east-1 --yes --steps 5,x", "not a list of whole numbers"),
        ("evacuate us-east-1 --yes --break-glass=", "--break-glass needs a reason"),
        ("evacuate us-east-1 --yes --second-person", "choose one"),
    ],
)
def test_what_nobody_can_mean_is_used_wrongly(app: typer.Typer, tmp_path: Path, words: str, said: str) -> None:
    done = CliRunner().invoke(app, [*words.split(), "--home", str(tmp_path)])
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())
