"""`outlast status` and `outlast watch`."""

from __future__ import annotations

import asyncio
import json
import math
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.live import Live

from outlast.cli.ops_interrupt import run
from outlast.cli.ops_output import OutputOption, print_table
from outlast.cli.ops_target import HomeOption, ProfileOption, Target, TargetOption, one_line, open_target
from outlast.cli.say import say
from outlast.cli.seconds import seconds_option
from outlast.ops.act.boards import board_of
from outlast.ops.decide.rules import Decision
from outlast.ops.deployment import Deployment
from outlast.ops.drill.hold import NAME as LOCK
from outlast.ops.drill.hold import is_held
from outlast.ops.drill.journal import NAME as CHANGES_FILE
from outlast.ops.drill.journal import Journal
from outlast.ops.observe.recording import save
from outlast.ops.outcome import Exit, OpsError
from outlast.ops.report import status as page
from outlast.ops.sightings import Sample
from outlast.ops.watch import Watch

CONTROLS_S = 5.0
WATCH: Final = "The status, live; Ctrl-C ends it. Into a file or a pipe: a line for every change."
DOUBT_S: Final = 16.0
"""Longer than customers must be let down before a Region counts as impaired."""
MAX_SAMPLES: Final = 1_000_000
"""Of a recording: about a day's; older ones are dropped."""


def register(app: typer.Typer) -> None:
    """Add `status` and `watch`."""
    app.command(
        "status",
        epilog="Example: outlast status --seconds 5",
        help="Look from every vantage point and say how each Region is. Exit: 0 healthy, 3 impaired, 5 not certain.",
    )(status)
    app.command("watch", epilog="Example: outlast watch", help=WATCH)(watch)


def controls_of(target: Target, deployment: Deployment) -> dict[str, bool] | None:
    """The routing controls; None when no endpoint of the cluster answers."""
    try:
        return board_of(None, target.clients, deployment).states()
    except OpsError:
        return None


def exit_of(decision: Decision) -> Exit:
    """The exit code that a status stands for."""
    states = {finding.state for finding in decision.findings}
    if "impaired" in states:
        return Exit.MISSED
    return Exit.GOOD if states == {"healthy"} else Exit.UNDECIDED


def status(
    target: TargetOption = "local",
    home: HomeOption = None,
    profile: ProfileOption = None,
    seconds: Annotated[float, seconds_option("How long to look; longer where it is not certain.", least_s=1.0)] = 8.0,
    output: OutputOption = "text",
) -> None:
    """One screen."""
    with one_line():
        where = open_target(target, home, profile)
        deployment = where.deployment()
        if output == "text":
            say(f"looking from every vantage point, {seconds:g} s")
        decision, looked = run(_look(where, deployment, seconds))
        controls = controls_of(where, deployment)
        if told := left_by_drills(where.home):
            say(told)
    if output == "json":
        typer.echo(json.dumps(page.document(deployment, decision, looked.latest, controls)))
    elif output == "table":
        rows = [(vote.vantage, vote.side, finding.region, vote.verdict, f"{vote.share:.0%}", vote.detail)
                for finding in decision.findings for vote in finding.votes]  # fmt: skip
        print_table(("vantage point", "side", "region", "verdict", "bad", "detail"), rows)
    else:
        Console().print(page.screen(deployment, decision, looked.latest, controls))
    raise typer.Exit(int(exit_of(decision)))


def left_by_drills(home: Path) -> str:
    """What a drill that was cut short has left, in words; empty while one is played. A file of theirs that is damaged
    keeps nobody from the status."""
    try:
        left = [] if is_held(home / LOCK) else Journal(home / CHANGES_FILE).read().values()
    except OpsError as error:
        return str(error)
    told = ", ".join(each.what for each in left)
    return f"A drill that was cut short has left {told}: `outlast drill --clean-up`." if told else ""


async def _look(target: Target, deployment: Deployment, seconds: float) -> tuple[Decision, Watch]:
    async with Watch(target.clients, deployment, target.keys) as looking:
        await looking.until(lambda _: False, seconds)
        if exit_of(looking.decision) is Exit.UNDECIDED:
            say(f"not certain: looking on, {DOUBT_S:g} s at most")
            await looking.until(lambda decision: exit_of(decision) is not Exit.UNDECIDED, DOUBT_S)
        return looking.decision, looking


def watch(
    target: TargetOption = "local",
    home: HomeOption = None,
    profile: ProfileOption = None,
    record: Annotated[
        Path | None, typer.Option(help="Keep every signal in this file, for `outlast replay`.", show_default=False)
    ] = None,
    seconds: Annotated[float, seconds_option("End by itself after this; 0: not.")] = 0.0,
) -> None:
    """Until Ctrl-C."""
    with one_line():
        where = open_target(target, home, profile)
        deployment = where.deployment()
        seen: deque[Sample] = deque(maxlen=MAX_SAMPLES)
        try:
            run(_show(where, deployment, seen.append if record else lambda _: None, seconds))
        finally:
            if record is not None:
                save(record, seen, deployment.region_names, deployment.canary_period_s)


async def _show(target: Target, deployment: Deployment, hear: Callable[[Sample], None], seconds: float) -> None:
    """A screen that is drawn anew; into a file or a pipe, a line for every change."""
    console = Console()
    async with Watch(target.clients, deployment, target.keys, on_sample=hear) as looking:
        with Live(console=console, screen=True, auto_refresh=False) if console.is_terminal else nullcontext() as live:
            controls: dict[str, bool] | None = None
            asked_s, told = 0.0, ""
            loop = asyncio.get_running_loop()
            until_s = loop.time() + (seconds or math.inf)
            while loop.time() < until_s:
                looking.check()
                if loop.time() - asked_s >= CONTROLS_S:
                    asked_s = loop.time()
                    controls = await asyncio.to_thread(controls_of, target, deployment)
                if live is not None:
                    live.update(page.screen(deployment, looking.decision, looking.latest, controls), refresh=True)
                elif (line := page.line(deployment, looking.decision, controls)) != told:
                    told = line
                    typer.echo(f"{datetime.now(UTC):%H:%M:%SZ}  {line}")
                await asyncio.sleep(0.5)
