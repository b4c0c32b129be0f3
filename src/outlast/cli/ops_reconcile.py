"""`outlast reconcile`: what an outage left in the data, judged by a domain's rules; a dry run unless told otherwise."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from outlast.cli.ops_confirm import confirm
from outlast.cli.ops_faults import check_regions
from outlast.cli.ops_interrupt import stops
from outlast.cli.ops_output import OutputOption, print_table
from outlast.cli.ops_target import (
    HomeOption,
    ProfileOption,
    Target,
    TargetOption,
    YesOption,
    one_line,
    open_target,
)
from outlast.cli.say import say
from outlast.cli.seconds import seconds_option
from outlast.ops.act.audit import AuditLog, operator
from outlast.ops.ledger.gather import gather
from outlast.ops.ledger.model import Ledger
from outlast.ops.ledger.moment import since as moment_of
from outlast.ops.outcome import Exit, Stopped, UsageError
from outlast.ops.reconcile.rules import find
from outlast.ops.reconcile.run import PATIENCE_S, Applied, Look, Reconciler
from outlast.ops.reconcile.show import lines, not_seen, told
from outlast.ops.reconcile.store import LIMIT, DynamoStore

LEDGER_LIMIT = 10_000


def register(app: typer.Typer) -> None:
    """Add `reconcile`."""
    app.command(
        "reconcile",
        epilog="Example: outlast reconcile orders --apply --yes",
        help="Find what is torn, doubled, overwritten or stranded by a domain's rules, and propose repairs; --apply "
        "makes them, by conditional writes. Exit: 0 nothing is left, 3 something is, 4 refused, 5 not all was seen.",
    )(reconcile)


def reconcile(
    rules: Annotated[str, typer.Argument(help="Rules of the library, or a YAML file.")] = "orders",
    target: TargetOption = "local",
    home: HomeOption = None,
    profile: ProfileOption = None,
    region: Annotated[
        list[str] | None,
        typer.Option(help="Look at this Region's replica; repeat for more. Default: all.", show_default=False),
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Make the repairs, after a confirmation.")] = False,
    settle: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Write down that this overwritten version was looked at; or `all`."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only conflicts noticed since: 10m, 2h.", show_default=False)
    ] = None,
    patience_s: Annotated[
        float, seconds_option("Seconds that a finding must last: what is on its way is not broken.")
    ] = PATIENCE_S,
    limit: Annotated[int, typer.Option(min=1, help="Items read of one table, at most.")] = LIMIT,
    yes: YesOption = False,
    output: OutputOption = "text",
) -> None:
    """Look, show, and repair when told."""
    applied: Applied | None = None
    with one_line(), stops() as held:
        where = open_target(target, home, profile)
        run = reconciler_of(where, rules, region or [], since, patience_s, limit)
        run.whole = held.whole
        look = run.look()
        if settle:
            settled = run.settle(look, settle)
            say(f"{len(settled)} conflicts are settled.")
            look = run.look()
        if apply and look.findings:
            run.check(look)
            if look.repairs:
                _confirm(look, run.rules.name, yes)
                applied = _applied(run, look)
    if output == "json":
        typer.echo(json.dumps({"look": look.document(), "applied": applied.document() if applied else None}))
    elif output == "table":
        left = applied.left if applied else look
        print_table(("kind", "finding", "repair"), [(each.kind, each.text, each.repair.text if each.repair else None)
                                                    for each in left.findings])  # fmt: skip
        for line in not_seen(left):
            say(line)
    else:
        for line in lines(look) if applied is None else told(applied):
            typer.echo(line)
    raise typer.Exit(int(exit_of(applied.left if applied else look)))


def reconciler_of(
    target: Target, rules: str, regions: Sequence[str], since: str | None, patience_s: float, limit: int
) -> Reconciler:
    """The reconciler of a target. Raises UsageError."""
    names: dict[str, str] = {}
    if target.deployment_path.exists():
        deployment = target.deployment()
        names = asdict(deployment.tables)
        regions = regions or deployment.region_names
    if not regions:
        raise UsageError(f"There is no deployment file at {target.deployment_path}: name the Regions with --region.")
    if target.kind == "local":
        check_regions(regions, target.regions)
    file = find(rules, names)
    since_s = 0.0 if since is None else moment_of(since, time.time())
    return Reconciler(
        stores=[DynamoStore(target.clients.of("dynamodb", each), each, limit) for each in regions],
        rules=file,
        audit=AuditLog(target.home / "audit.jsonl", operator()),
        ledger=_ledger(target, regions, since_s),
        patience_s=patience_s,
        tell=say,
    )


def _ledger(target: Target, regions: Sequence[str], since_s: float) -> Callable[[], Ledger | None]:
    def read() -> Ledger | None:
        if target.kind != "local":
            return None
        return gather(target.clients, regions, now_s=time.time(), since_s=since_s, limit=LEDGER_LIMIT)

    return read


def _applied(run: Reconciler, look: Look) -> Applied:
    try:
        return run.apply(look)
    except Stopped:
        run.audit.add("interrupted", what="reconcile", rules=run.rules.name)
        say("interrupted; what was repaired is in the audit log, and the same command does the rest.")
        raise


def exit_of(look: Look) -> Exit:
    """What a look at the data comes to."""
    if look.findings:
        return Exit.MISSED
    return Exit.UNDECIDED if look.unseen or look.unread else Exit.GOOD


def _confirm(look: Look, name: str, yes: bool) -> None:
    """Show the repairs and have the operator type what will be done. Raises RefusedError when it is not typed."""
    for line in lines(look):
        typer.echo(line, err=True)
    asyncio.run(confirm(f"reconcile {name}", yes))
