"""`outlast evacuate` and `outlast failback`: the plan first, then a typed confirmation, then the switch."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

from outlast.cli.ops_target import (
    HomeOption,
    OutputOption,
    ProfileOption,
    Target,
    TargetOption,
    YesOption,
    one_line,
    open_target,
)
from outlast.ops.act.arc import Switchboard, Try
from outlast.ops.act.audit import AuditLog
from outlast.ops.act.evacuate import Evacuated, Evacuator
from outlast.ops.act.failback import Failback, Returned, Step
from outlast.ops.act.weights import Weights
from outlast.ops.deployment import Deployment
from outlast.ops.observe import ledger
from outlast.ops.observe.facts import gather
from outlast.ops.observe.survey import COASTS, names_for
from outlast.ops.outcome import Exit, RefusedError
from outlast.ops.plan.evacuation import Check, EvacuationPlan, plan_evacuation
from outlast.ops.plan.failback import STEPS, FailbackPlan, plan_failback
from outlast.ops.report.status import checks
from outlast.ops.watch import Watch

LOOK_S = 6.0
RegionArgument = Annotated[str, typer.Argument(help="The Region.")]


def register(app: typer.Typer) -> None:
    """Add `evacuate` and `failback`."""
    app.command(
        "evacuate",
        epilog="Example: outlast evacuate us-east-1 --yes",
        help="Take all traffic out of a Region. Shows its plan first; needs no control plane.",
    )(evacuate)
    app.command(
        "failback",
        epilog="Example: outlast failback us-east-1 --yes",
        help="Give a Region its traffic back in steps, once its data has converged.",
    )(failback)


def evacuate(
    region: RegionArgument,
    target: TargetOption = "local",
    home: HomeOption = None,
    profile: ProfileOption = None,
    reason: Annotated[str, typer.Option(help="Why; goes into the audit log.")] = "the operator's decision",
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not look first; use the deployment file alone.")
    ] = False,
    break_glass: Annotated[
        str, typer.Option(metavar="REASON", help="Go on against refusals, and override the safety rule.")
    ] = "",
    watch_s: Annotated[
        float, typer.Option(min=0.0, help="Seconds to watch the survivors; worse is rolled back.")
    ] = 10.0,
    yes: YesOption = False,
    output: OutputOption = "text",
) -> None:
    """Plan, confirm, switch, verify."""
    with one_line():
        where = open_target(target, home, profile)
        deployment = where.deployment()
        deployment.region(region)
        result = asyncio.run(_evacuate(where, deployment, region, reason, offline, break_glass, watch_s, yes))
    if output == "json":
        typer.echo(json.dumps({"ending": result.ending, "switched_s": result.switched_s, "seen_s": result.seen_s}))
    else:
        typer.echo(f"{region}: {result.text}.")
    raise typer.Exit(int(Exit.GOOD if result.ending == "left" else Exit.MISSED))


async def _evacuate(
    target: Target,
    deployment: Deployment,
    region: str,
    reason: str,
    offline: bool,
    break_glass: str,
    watch_s: float,
    yes: bool,
) -> Evacuated:
    watch = Watch(target.clients, deployment, target.keys)
    async with watch:
        if not offline:
            await watch.until(lambda decision: decision.action == "evacuate", LOOK_S)
        decision = None if offline else watch.decision
        facts = await asyncio.to_thread(
            gather, target.clients, deployment, watch.latest, decision, watch.decision.at_s, offline=offline
        )
        plan = plan_evacuation(region, reason, deployment.region_names, facts)
        _show_plan(plan)
        if plan.refused and not break_glass:
            raise RefusedError(f"{plan.refused[0].text} (--break-glass REASON goes on against it).")
        _confirm(f"evacuate {region}", yes)
        audit = AuditLog(target.home / "audit.jsonl", getpass.getuser())
        board = Switchboard(target.clients, deployment, lambda tried: _note(audit, tried))
        names = {coast: names_for(deployment, subnet) for coast, subnet in COASTS.items()}

        def worse() -> str:
            impaired = [each for each in plan.survivors if watch.decision.finding(each).state == "impaired"]
            return f"{', '.join(impaired)} is impaired" if impaired else ""

        evacuator = Evacuator(board, names, deployment.service_name, audit, worse)
        rule = deployment.arc.safety_rule_arn
        return await evacuator.run(plan, break_glass=break_glass, rule=rule, watch_s=watch_s)


def failback(
    region: RegionArgument,
    target: TargetOption = "local",
    home: HomeOption = None,
    profile: ProfileOption = None,
    steps: Annotated[str, typer.Option(help="Per cent of the Region's side at each step.")] = ",".join(map(str, STEPS)),
    watch_s: Annotated[float, typer.Option(min=0.0, help="Seconds to watch each step.")] = 10.0,
    reviewed: Annotated[bool, typer.Option("--reviewed", help="The conflicts have been reviewed.")] = False,
    yes: YesOption = False,
    output: OutputOption = "text",
) -> None:
    """Plan, confirm, step by step."""
    with one_line():
        where = open_target(target, home, profile)
        deployment = where.deployment()
        deployment.region(region)
        wanted = _steps(steps)
        result = asyncio.run(_failback(where, deployment, region, wanted, watch_s, reviewed, yes))
    if output == "json":
        typer.echo(json.dumps({"ending": result.ending, "steps": [step.percent for step in result.steps]}))
    else:
        typer.echo(f"{result.text}.")
    raise typer.Exit(int(Exit.GOOD if result.ending == "returned" else Exit.MISSED))


async def _failback(
    target: Target,
    deployment: Deployment,
    region: str,
    steps: Sequence[int],
    watch_s: float,
    reviewed: bool,
    yes: bool,
) -> Returned:
    async with Watch(target.clients, deployment, target.keys) as watch:
        await watch.until(lambda decision: decision.finding(region).state == "healthy", 4 * LOOK_S)
        facts = await asyncio.to_thread(gather, target.clients, deployment, watch.latest, watch.decision, 0.0)
        known = await asyncio.to_thread(ledger.conflicts, target.clients, deployment, 0.0)
        plan = plan_failback(
            region,
            deployment.region_names,
            facts,
            steps=steps,
            watch_s=watch_s,
            reviewed=reviewed,
            unreviewed=None if known is None else len(known),
        )
        _show_failback(plan)
        if plan.refused:
            raise RefusedError("; ".join(check.text for check in plan.refused))
        _confirm(f"fail back to {region}", yes)
        audit = AuditLog(target.home / "audit.jsonl", getpass.getuser())
        board = Switchboard(target.clients, deployment, lambda tried: _note(audit, tried))

        def worse() -> str:
            return watch.decision.finding(region).worsened

        run = Failback(board, Weights(target.clients, deployment), audit, worse, on_step=_tell_step)
        return await run.run(plan)


def _steps(text: str) -> list[int]:
    try:
        return [int(each) for each in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{text} is not a list of whole numbers", param_hint="--steps") from None


def _note(audit: AuditLog, tried: Try) -> None:
    if tried.operation != "GetRoutingControlState":
        audit.add("tried", operation=tried.operation, endpoint=tried.endpoint, error=tried.error)


def _tell_step(step: Step) -> None:
    typer.echo(f"{step.percent} %: {step.problem or 'well'}", err=True)


def _show_plan(plan: EvacuationPlan) -> None:
    changes = [Check(f"switch {region}", "fine", "on" if on else "off") for region, on in sorted(plan.controls.items())]
    Console(stderr=True).print(checks(f"To evacuate {plan.region}:", [*changes, *plan.checks]))


def _show_failback(plan: FailbackPlan) -> None:
    steps = Check("steps", "fine", f"{', '.join(f'{step} %' for step in plan.steps)}; about {plan.expected_s:.0f} s")
    Console(stderr=True).print(checks(f"To fail back to {plan.region}:", [steps, *plan.checks]))


def _confirm(words: str, yes: bool) -> None:
    """Have the operator type what will be done. Raises RefusedError when it is not typed."""
    if yes:
        return
    typed = typer.prompt(f"Type `{words}` to go on", default="", show_default=False, err=True)
    if typed.strip() != words:
        raise RefusedError("It was not confirmed; nothing was changed.")
