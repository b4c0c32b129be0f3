"""The report on a terminal: the verdict, the figures, what to read next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from outlast.ops.report.wording import (
    WORDS,
    convergence_text,
    figure,
    items_text,
    printable,
    rpo_text,
    rto_text,
    sales_text,
    sold_lines,
    stubborn_text,
    sum_text,
    tiles,
)

STYLES: Final = {
    "met": "bold green",
    "missed": "bold red",
    "undecided": "bold yellow",
    "refused": "bold red",
    "error": "bold red",
}
STEP_STYLES: Final = {
    "true": ("seen", "green"),
    "false": ("not so", "red"),
    "absent": ("not there yet", "yellow"),
    "apart": ("not part", "dim"),
}


def summary(report: Mapping[str, Any]) -> RenderableType:
    """What somebody wants to know first; figures carry the place they were measured in."""
    word = report["verdict"]["word"]
    head = Text.assemble((WORDS[word], STYLES[word]), ". ", report["verdict"]["text"])
    figures = Table.grid(padding=(0, 2))
    recovery, *others = tiles(report)
    _add_tile(figures, recovery)
    for phase in report["rto"]["phases"]:
        figures.add_row(Text(f"  {phase['name']}", style="dim"), Text(f"{phase['seconds']:.1f} s"), "")
    for tile in others:
        _add_tile(figures, tile)
    objectives = Table.grid(padding=(0, 2))
    for each in report["objectives"]:
        met, style = {True: ("met", "green"), False: ("missed", "red"), None: ("not measured", "yellow")}[each["met"]]
        objectives.add_row(Text(each["text"]), Text(figure(each["value"], each["unit"])), Text(met, style=style))
    told = [
        rto_text(report), sum_text(report), stubborn_text(report), rpo_text(report), items_text(report),
        convergence_text(report), sales_text(report), *sold_lines(report),
    ]  # fmt: skip
    body = Group(head, "", figures, "", objectives, "", *(Text(line) for line in told if line))
    return Panel(
        body, title=Text(report["title"]), subtitle=f"every figure measured: {report['measured']}", expand=False
    )


def _add_tile(figures: Table, tile: Mapping[str, str]) -> None:
    figures.add_row(Text(tile["name"]), Text(tile["value"], style="bold"), Text(tile["text"], style="dim"))


def steps(report: Mapping[str, Any]) -> RenderableType:
    """The story step by step."""
    table = Table.grid(padding=(0, 2))
    for step in report["steps"]:
        word, style = STEP_STYLES[step["state"]]
        table.add_row(
            str(step["number"]), Text(step["title"]), Text(word, style=style), Text(step["evidence"], style="dim")
        )
    return table


def show(report: Mapping[str, Any], console: Console) -> None:
    """Print steps and summary. Texts of the report cannot steer the terminal."""
    report = printable(report)
    console.print(steps(report))
    console.print(summary(report))
