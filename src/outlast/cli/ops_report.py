"""`outlast report`: read a report again, or two side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from outlast.cli.ops_output import JUnitOption, OutputOption, print_table
from outlast.cli.ops_target import HomeOption, folder_of, one_line
from outlast.cli.say import say
from outlast.ops.outcome import UsageError
from outlast.ops.report import terminal
from outlast.ops.report.compare import Comparison, compare
from outlast.ops.report.junit import write_junit
from outlast.ops.report.wording import figure
from outlast.ops.report.write import read, write

COMPARE = "compare"
MET = {True: "met", False: "missed", None: "–"}


def register(app: typer.Typer) -> None:
    """Add `report`."""
    app.command(
        "report",
        epilog="Example: outlast report",
        help="Show the report of a drill, the latest one unless told otherwise; its page is written anew. "
        "`outlast report compare BEFORE AFTER` shows two; exit 3: an objective that was met is missed now.",
    )(report)


def latest(home: Path) -> Path:
    """The folder of the newest drill that has a report; raises UsageError."""
    found = sorted((home / "drills").glob("*/report.json"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise UsageError(f"There is no report below {home / 'drills'}; `outlast drill` makes one.")
    return found[-1].parent


def report(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH | compare A B]", help="A report.json or its folder.", show_default=False),
    ] = None,
    home: HomeOption = None,
    xml: JUnitOption = None,
    output: OutputOption = "text",
) -> None:
    """Show it."""
    words = words or []
    if words[:1] == [COMPARE]:
        side_by_side(words[1:], output)
        return
    with one_line():
        if len(words) > 1:
            raise UsageError("One report at a time, or `outlast report compare BEFORE AFTER`.")
        folder = Path(words[0]) if words else latest(folder_of(home))
        document = read(folder)
        _, page = write(document, folder if folder.is_dir() else folder.parent)
        if xml is not None:
            write_junit(document, xml)
    if output == "json":
        typer.echo(json.dumps(document))
    elif output == "table":
        rows = [
            (each["text"], figure(each["value"], each["unit"]), MET[each["met"]]) for each in document["objectives"]
        ]
        print_table(("objective", "measured", ""), rows)
    else:
        terminal.show(document, Console())
        typer.echo(f"The page: {page}")


def objectives(document: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The objectives of a report as rows: text, figure, met or not."""
    return [(each["text"], figure(each["value"], each["unit"]), MET[each["met"]]) for each in document["objectives"]]


def side_by_side(paths: Sequence[str], output: str) -> None:
    """Compare two reports."""
    with one_line():
        if len(paths) != 2:
            raise UsageError("Name two reports: `outlast report compare BEFORE AFTER`.")
        found = compare(read(Path(paths[0])), read(Path(paths[1])))
    if output == "json":
        typer.echo(json.dumps(found.document()))
    else:
        for warning in found.warnings:
            say(f"not quite comparable: {warning}")
        print_table(("figure", "before", "after", "trend"), _figures(found))
        print_table(("objective", "before", "after"), [(text, MET[a], MET[b]) for text, a, b in found.objectives])
    raise typer.Exit(int(found.exit))


def _figures(found: Comparison) -> list[tuple[Any, ...]]:
    return [(each.name, figure(each.before, each.unit), figure(each.after, each.unit), each.trend)
            for each in found.figures]  # fmt: skip
