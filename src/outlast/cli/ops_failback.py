"""`outlast failback`: the plan first, then a typed confirmation, then step by step."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from outlast.cli.ops_confirm import confirm
from outlast.cli.ops_interrupt import run
from outlast.cli.ops_output import OutputOption, print_table
from outlast.cli.ops_switch import LOOK_S, RegionArgument, WaitOption, note, patience_of
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
from outlast.ops.act.boards import board_of
from outlast.ops.act.failback import Failback, Returned, Step
from outlast.ops.act.gateway import Gateway
from outlast.ops.act.weights import Weights
from outlast.ops.clients import error_code
from outlast.ops.decide.rules import Decision
from outlast.ops.decide.survivors import nowhere
from outlast.ops.deployment import Deployment
from outlast.ops.observe import ledger
from outlast.ops.observe.facts import gather
from outlast.ops.outcome import OpsError, RefusedError
from outlast.ops.plan.evacuation import Check
from outlast.ops.plan.failback import CONVERGED_MS, STEPS, FailbackPlan, plan_failback, rises
from outlast.ops.report.status import checks
from outlast.ops.watch import Watch


def register(app: typer.Typer) -> None:
    """Add `failback`."""
    app.command(
        "failback",
        epilog="Example: outlast failback us-east-1 --yes",
        help="Give a Region its traffic back in steps, once its data has converged. Exit: 0 returned, 3 a step was "
        "taken back, 4 refused, 5 a step went badly and the others are no better: nobody was moved.",
    )(failback)


async def _admit(gateway: Gateway, region: str, audit: AuditLog, yes: bool) -> None:
    """A Region whose stage refuses everybody looks unwell: let it in before it is looked at. Raises RefusedError."""
    try:
        if not await asyncio.to_thread(gateway.refuses, region):
            return
        say(f"The stage in {region} lets nothing in: it is let in first, so that it can be looked at.")
        await confirm(f"admit {region}", yes)
        await asyncio.to_thread(gateway.admit, region)
        audit.add("admitted at the gateway", region=region)
    except OpsError as error:
        if isinstance(error, RefusedError):
            raise
        say(f"whether the stage lets requests in is not known: {error}")


def failback(
    region: RegionArgument,
    target: TargetOption = "local",
    home: HomeOption = None,
    profile: ProfileOption = None,
    steps: Annotated[str, typer.Option(help="Per cent of the Region's side at each step.")] = ",".join(map(str, STEPS)),
    watch_s: Annotated[float, seconds_option("Seconds to watch each step.")] = 10.0,
    reviewed: Annotated[bool, typer.Option("--reviewed", help="The conflicts have been reviewed.")] = False,
    wait_s: WaitOption = None,
    yes: YesOption = False,
    output: OutputOption = "text",
) -> None:
    """Plan, confirm, step by step; one that was interrupted goes on from where it was."""
    wanted = _steps(steps)
    with one_line():
        where = open_target(target, home, profile)
        deployment = where.deployment()
        deployment.region(region)
        result = run(_failback(where, deployment, region, wanted, watch_s, reviewed, yes, wait_s))
    if output == "json":
        typer.echo(json.dumps({"ending": result.ending, "steps": [step.percent for step in result.steps]}))
    elif output == "table":
        print_table(("per cent", "problem"), [(step.percent, step.problem or None) for step in result.steps])
    else:
        typer.echo(f"{result.text}.")
        if result.ending != "returned":
            say(f"next: `outlast failback {region}` goes on from there, `outlast evacuate {region}` leaves again")
    raise typer.Exit(int(result.exit))


def _percent(weights: Weights, region: str) -> int:
    """The Region's weight now. Raises OpsError: without Route 53's control plane nobody can return."""
    try:
        return weights.percent(region)
    except (ClientError, BotoCoreError) as error:
        raise OpsError(
            f"Nobody can return to {region} yet: weights are moved by Route 53's control plane, which does not answer "
            f"({error_code(error)}). Nothing was changed; the survivor serves on. Try again later."
        ) from error


async def _failback(
    target: Target,
    deployment: Deployment,
    region: str,
    steps: Sequence[int],
    watch_s: float,
    reviewed: bool,
    yes: bool,
    wait_s: float | None,
) -> Returned:
    audit = AuditLog(target.home / "audit.jsonl", operator())
    weights = Weights(target.clients, deployment)
    percent = await asyncio.to_thread(_percent, weights, region)
    await _admit(Gateway(target.clients, deployment), region, audit, yes)
    async with Watch(target.clients, deployment, target.keys) as watch:

        def ready(decision: Decision) -> bool:
            # What is seen first is the heartbeat of whoever looked last, as old as that is.
            keeps_up = watch.latest.keeps_up(deployment.region_names, CONVERGED_MS)
            return keeps_up and decision.finding(region).state == "healthy"

        say(f"looking first, until {region} is well and the data keeps up, {4 * LOOK_S:.0f} s at most")
        await watch.until(ready, 4 * LOOK_S)
        facts = await asyncio.to_thread(
            gather, target.clients, deployment, watch.latest, watch.decision, 0.0, throughput={}
        )
        known = await asyncio.to_thread(ledger.conflicts, target.clients, deployment, 0.0)
        plan = plan_failback(
            region,
            deployment.region_names,
            facts,
            steps=steps,
            watch_s=watch_s,
            reviewed=reviewed,
            unreviewed=None if known is None else len(known),
            percent=percent,
        )
        _show_failback(plan)
        if plan.refused:
            raise RefusedError("; ".join(check.text for check in plan.refused))
        if not plan.steps:
            return Returned("returned", (), f"{region} has all its traffic already; nothing was changed")
        await confirm(f"fail back to {region}", yes)
        board = board_of(None, target.clients, deployment, lambda tried: note(audit, tried))

        def worse() -> str:
            return watch.decision.finding(region).worsened

        patience_s, period = patience_of(deployment, audit, wait_s)
        back = Failback(
            board, weights, audit, worse, on_step=_tell_step, tell=say, patience_s=patience_s, period=period
        )
        others = [part.name for part in deployment.others(region)]
        back.elsewhere = lambda: nowhere(watch.decision, others)
        return await back.run(plan)


def _steps(text: str) -> list[int]:
    try:
        steps = [int(each) for each in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{text} is not a list of whole numbers", param_hint="--steps") from None
    if not rises(steps):
        raise typer.BadParameter(f"{text} does not rise from 1 or more to 100", param_hint="--steps")
    return steps


def _tell_step(step: Step) -> None:
    say(f"{step.percent} %: {step.problem or 'well'}")


def _show_failback(plan: FailbackPlan) -> None:
    told = f"{', '.join(f'{step} %' for step in plan.steps)}; about {plan.expected_s:.0f} s" if plan.steps else "none"
    told += f"; goes on from {plan.resumed_at} %" if plan.resumed_at and plan.steps else ""
    steps = Check("steps", "fine", told)
    Console(stderr=True).print(checks(f"To fail back to {plan.region}:", [steps, *plan.checks]))
