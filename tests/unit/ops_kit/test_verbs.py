"""The verbs beside the night: each shows an example that can be typed, and fails in one line without a world."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from outlast.cli import ops_output, ops_verbs
from tests.unit.ops.test_cli import commands


@pytest.fixture
def app() -> typer.Typer:
    command = typer.Typer()
    ops_verbs.register(command, [])
    return command


def test_every_verb_shows_an_example_that_can_be_typed(app: typer.Typer) -> None:
    verbs = commands(get_command(app))
    assert {words[0] for words, _ in verbs} == set(ops_verbs.MODULES)
    for words, command in verbs:
        example = re.search(r"Example: outlast (.*)", command.epilog or "")
        assert example, words
        typed = shlex.split(example.group(1))
        assert tuple(typed[: len(words)]) == words
        command.make_context("outlast", typed[len(words) :], resilient_parsing=False).close()


@pytest.mark.parametrize("words", ["doctor", "prepare", "replica remove us-east-1 --yes", "replica rebuild x --yes"])
def test_without_a_world_every_verb_says_so_in_one_line(app: typer.Typer, tmp_path: Path, words: str) -> None:
    done = CliRunner().invoke(app, [*words.split(), "--home", str(tmp_path / "none")])
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "`outlast up` makes one" in done.stderr


def test_a_table_is_wide_when_nobody_looks_and_a_dash_is_nothing(capsys: Any) -> None:
    ops_output.print_table(("name", "value"), [("x" * 150, None), ("y", 0)])
    lines = capsys.readouterr().out.splitlines()
    assert "x" * 150 in lines[1]
    assert "–" in lines[1]
    assert lines[2].split() == ["y", "0"]
