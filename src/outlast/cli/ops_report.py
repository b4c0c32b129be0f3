"""`outlast report`: read a report again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from outlast.cli.ops_target import HomeOption, OutputOption, one_line
from outlast.cloud.world import config as configuration
from outlast.ops.outcome import UsageError
from outlast.ops.report import terminal
from outlast.ops.report.write import read, write


def register(app: typer.Typer) -> None:
    """Add `report`."""
    app.command(
        "report",
        epilog="Example: outlast report",
        help="Show the report of a drill, the latest one unless told otherwise; its page is written anew.",
    )(report)


def latest(home: Path) -> Path:
    """The folder of the newest drill that has a report; raises UsageError."""
    found = sorted((home / "drills").glob("*/report.json"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise UsageError(f"There is no report below {home / 'drills'}; `outlast drill` makes one.")
    return found[-1].parent


def report(
    path: Annotated[Path | None, typer.Argument(help="A report.json or its folder.", show_default=False)] = None,
    home: HomeOption = None,
    output: OutputOption = "text",
) -> None:
    """Show it."""
    with one_line():
        folder = path or latest((home or configuration.default_folder()).absolute())
        document = read(folder)
        _, page = write(document, folder if folder.is_dir() else folder.parent)
    if output == "json":
        typer.echo(json.dumps(document))
        return
    terminal.show(document, Console())
    typer.echo(f"The page: {page}")
