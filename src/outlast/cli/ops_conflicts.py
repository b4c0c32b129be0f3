"""`outlast conflicts`: the conflict ledger, stranded writes and the links of replication."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from outlast.cli.ops_output import OutputOption, print_table
from outlast.cli.ops_target import HomeOption, ProfileOption, Target, TargetOption, one_line, open_target
from outlast.cloud.world.config import load_config
from outlast.ops.ledger import fates
from outlast.ops.ledger.gather import LIMIT, NO_LEDGER, gather
from outlast.ops.ledger.model import Ledger
from outlast.ops.ledger.moment import since as moment_of
from outlast.ops.ledger.show import COLUMNS, export, lines, rows, short
from outlast.ops.outcome import Exit, OpsError, UsageError

NAME: Final = re.compile(r"[A-Za-z0-9_.-]{3,255}")
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html"""
ALL: Final = 100_000


def register(app: typer.Typer) -> None:
    """Add `conflicts`."""
    app.command(
        "conflicts",
        epilog="Example: outlast conflicts --since 1h --export ledger.csv",
        help="List what concurrent writes overwrote (both versions), writes that another Region lacks, and the links. "
        "Exit: 0 read, 5 not every Region could be read.",
    )(conflicts)


def conflicts(
    target: TargetOption = "local",
    home: HomeOption = None,
    profile: ProfileOption = None,
    table: Annotated[str | None, typer.Option(help="Only this table.", show_default=False)] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Only conflicts noticed since: 10m, 2h, 2026-11-23T10:00:00Z.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=ALL, help="Entries of each kind and Region.")] = LIMIT,
    into: Annotated[
        Path | None, typer.Option("--export", help="Write it to this .json or .csv file, too.", show_default=False)
    ] = None,
    became_of: Annotated[
        Path | None,
        typer.Option(help="Tell what became of the stranded writes in this earlier .json export.", show_default=False),
    ] = None,
    output: OutputOption = "text",
) -> None:
    """Read all ledgers."""
    if became_of is not None:
        given = (table, since, into, None if limit == LIMIT else limit)
        raise typer.Exit(int(_follow(target, home, profile, became_of, output, alone=set(given) == {None})))
    with one_line():
        if target != "local":
            raise UsageError(NO_LEDGER)
        if table is not None and NAME.fullmatch(table) is None:
            raise UsageError(f"{table!r} is no name of a table.")
        now_s = time.time()
        since_s = 0.0 if since is None else moment_of(since, now_s)
        where = open_target(target, home, profile)
        ledger = gather(where.clients, regions_of(where), now_s=now_s, table=table, since_s=since_s, limit=limit)
        if into is not None:
            export(ledger, into)
        if {each.region for each in ledger.unseen} == set(ledger.regions) and not ledger.links:
            raise OpsError(f"No Region's ledger could be read ({ledger.unseen[0].why}).")
    if output == "json":
        typer.echo(json.dumps(ledger.document()))
    elif output == "table":
        print_table(COLUMNS, [tuple(row.values()) for row in rows(ledger)])
    else:
        for line in lines(ledger):
            typer.echo(line)
    raise typer.Exit(int(exit_of(ledger)))


def _follow(
    target: TargetOption, home: Path | None, profile: str | None, path: Path, output: str, *, alone: bool
) -> Exit:
    """Tell what became of the stranded writes of an export."""
    with one_line():
        if target != "local":
            raise UsageError(NO_LEDGER)
        if not alone:
            raise UsageError("--became-of goes with neither --table, --since, --limit nor --export.")
        writes = fates.exported(path)
        where = open_target(target, home, profile)
        ledger = gather(where.clients, regions_of(where), now_s=time.time(), limit=ALL)
        followed = fates.follow(where.clients, ledger, writes)
    if output == "json":
        typer.echo(json.dumps({"schema": "outlast.fates/1", "writes": [each.document() for each in followed]}))
    elif output == "table":
        columns = ("table", "key", "region", "missing_in", "fate")
        found = [(e.write.table, short(e.write.key), e.write.held_in, e.write.missing_in, e.fate) for e in followed]
        print_table(columns, found)
    else:
        for line in fates.lines(followed):
            typer.echo(line)
    return Exit.UNDECIDED if any(each.fate == "not known" for each in followed) else Exit.GOOD


def regions_of(target: Target) -> tuple[str, ...]:
    """The Regions of a local world."""
    config = load_config(target.home)
    return config.regions if config is not None else ()


def exit_of(ledger: Ledger) -> Exit:
    """A ledger that was not read whole decides nothing."""
    return Exit.UNDECIDED if ledger.unseen else Exit.GOOD
