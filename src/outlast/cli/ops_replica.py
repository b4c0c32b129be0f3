"""`outlast replica`: an evacuation without an end. A Region's replicas are removed, and rebuilt weeks later."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from typing import Annotated

import typer
from rich.console import Console

from outlast.cli.ops_confirm import confirm
from outlast.cli.ops_interrupt import run, stops
from outlast.cli.ops_output import OutputOption, print_table
from outlast.cli.ops_target import HomeOption, ProfileOption, Target, TargetOption, YesOption, one_line, open_target
from outlast.cli.say import say
from outlast.ops.act.audit import AuditLog, operator
from outlast.ops.act.boards import board_of
from outlast.ops.act.replica import Replicas
from outlast.ops.clients import Kind
from outlast.ops.ledger.gather import gather
from outlast.ops.outcome import Stopped
from outlast.ops.report.status import checks

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
"""The sub-commands of `replica`."""
RegionArgument = Annotated[str, typer.Argument(help="The Region that was evacuated.")]


def register(parent: typer.Typer) -> None:
    """Add `replica`."""
    parent.add_typer(app, name="replica", help="When a Region stays away for long: remove, and rebuild, its replicas.")


@app.command("remove", epilog="Example: outlast replica remove us-east-1 --yes")
def remove(
    region: RegionArgument,
    target: TargetOption = "local",
    home: HomeOption = None,
    profile: ProfileOption = None,
    yes: YesOption = False,
    output: OutputOption = "text",
) -> None:
    """Take an evacuated Region out of every global table. Acknowledged writes that it alone holds are given up."""
    _change("remove", region, target, home, profile, yes, output)


@app.command("rebuild", epilog="Example: outlast replica rebuild us-east-1 --yes")
def rebuild(
    region: RegionArgument,
    target: TargetOption = "local",
    home: HomeOption = None,
    profile: ProfileOption = None,
    yes: YesOption = False,
    output: OutputOption = "text",
) -> None:
    """Make the replicas anew from a survivor, before `outlast failback`."""
    _change("rebuild", region, target, home, profile, yes, output)


def _change(
    verb: str, region: str, target: Kind, home: HomeOption, profile: str | None, yes: bool, output: str
) -> None:
    with one_line():
        where = open_target(target, home, profile)
        deployment = where.deployment()
        deployment.region(region)
        audit = AuditLog(where.home / "audit.jsonl", operator())
        replicas = Replicas(where.clients, deployment, audit, say)
        replicas.check(region, board_of(None, where.clients, deployment).states())
        found = replicas.plan(region, verb, _alone(where, region) if verb == "remove" else None)
        Console(stderr=True).print(checks(f"To {verb} the replicas of {region}:", found))
        run(confirm(f"{verb} the replicas of {region}", yes))
        with stops():
            try:
                changed = replicas.remove(region) if verb == "remove" else replicas.rebuild(region)
            except Stopped:
                audit.add("interrupted", what=f"replica {verb}", region=region)
                say(f"interrupted; `outlast replica {verb} {region}` goes on from there.")
                raise
    if output == "json":
        typer.echo(json.dumps({"region": region, "changed": changed}))
    elif output == "table":
        print_table(("table", "replica"), [(name, "removed" if verb == "remove" else "rebuilt") for name in changed])
    else:
        word = "removed" if verb == "remove" else "rebuilt"
        typer.echo(f"{region}: {len(changed)} replicas {word}{': ' + ', '.join(changed) if changed else ''}.")


def _alone(target: Target, region: str) -> Mapping[str, int] | None:
    """How many acknowledged writes the Region alone holds, by table; None where no ledger tells."""
    if target.kind != "local":
        return None
    found = gather(target.clients, target.deployment().region_names, now_s=time.time())
    if any(unseen.region == region for unseen in found.unseen):
        return None
    held = {each.ident: each.table for each in found.stranded if each.held_in == region}
    return Counter(held.values())
