"""The documentation does not rot: what it shows can be typed, and what it lists is what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from outlast.cli import ops_main, ops_verbs, rotating, world
from outlast.ops.drill.file import library, parse
from outlast.ops.drill.objectives import UNITS
from outlast.ops.outcome import Exit
from outlast.ops.reconcile.rules import parse as parse_rules
from tests.documents import PAGES, ROOT, blocks, commands
from tests.unit.ops.test_cli import commands as verbs

GUIDE = ROOT / "docs" / "guide"


@pytest.fixture(scope="module")
def command() -> Any:
    """The whole command."""
    app = typer.Typer()
    world.register(app)
    rotating.register(app)
    ops_main.register(app, [])
    ops_verbs.register(app, [])
    return get_command(app)


def understood(command: Any, words: list[str]) -> None:
    """Have the command's own parser read the words; raises its usage error."""
    for count, word in enumerate(words):
        if not hasattr(command, "commands"):
            command.make_context(word, words[count:], resilient_parsing=False).close()
            return
        command = command.commands[word]
    assert not hasattr(command, "commands"), words
    command.make_context(words[-1], [], resilient_parsing=False).close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_shows_can_be_typed(command: Any, page: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(ROOT)
    for words in commands(page):
        understood(command, words)


def test_a_command_that_rotted_would_be_seen(command: Any) -> None:
    for words in (["status", "--second", "8"], ["fault", "start", "x"], ["evacuate"], ["lose", "us-east-1"]):
        with pytest.raises((typer._click.exceptions.UsageError, KeyError)):
            understood(command, words)


def test_every_verb_of_the_world_and_the_kit_shows_an_example_that_can_be_typed(command: Any) -> None:
    for words, verb in verbs(command):
        found = re.search(r'Example: (?:eval "\$\()?outlast ([^")]*)', verb.epilog or "")
        assert found, words
        typed = found.group(1).split()
        assert tuple(typed[: len(words)]) == words
        understood(command, typed)


def rows(page: Path, heading: str) -> list[str]:
    """What stands in code in the first column of the table that follows a heading or sentence."""
    table = page.read_text().split(heading, 1)[1].split("\n\n", 2)[1]
    return [name for line in table.splitlines()[2:] for name in re.findall(r"`?([\w-]+)`?", line.split("|")[1])]


def test_the_lists_of_the_guide_are_complete() -> None:
    assert set(rows(GUIDE / "drills.md", "The drills that come with the kit:")) == set(library())
    assert set(rows(GUIDE / "drills.md", "## Objectives")) == set(UNITS)
    assert [int(code) for code in rows(GUIDE / "README.md", "Exit codes are the same")] == sorted(map(int, Exit))
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", (GUIDE / "README.md").read_text()))
    assert linked == {page.name for page in GUIDE.glob("*.md")} - {"README.md"}


def test_the_files_that_the_guide_shows_are_sound(tmp_path: Path) -> None:
    (drill,) = blocks(GUIDE / "drills.md", "yaml")
    assert parse(drill, "drills.md").expect
    (rules,) = blocks(GUIDE / "reconcile.md", "yaml")
    assert len(parse_rules(rules, "reconcile.md").rules) == 2
