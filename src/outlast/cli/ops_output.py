"""The three forms of what a verb tells: text for people, a table for wide screens, JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

OutputOption = Annotated[Literal["text", "table", "json"], typer.Option("--output", help="text, table or json.")]

JUnitOption = Annotated[
    Path | None, typer.Option("--junit", help="Write JUnit XML to this file, too.", show_default=False)
]
WIDE: Final = 200
"""Columns of a table that no terminal limits."""


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Rows under headings on standard output; an absent value is a dash."""
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for column in columns:
        table.add_column(column.upper(), overflow="fold")
    for row in rows:
        table.add_row(*(Text("–" if value is None else str(value)) for value in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    console.print(table)
