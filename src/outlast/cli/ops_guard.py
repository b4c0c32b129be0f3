"""`outlast guard`: watch until a Region is to be left, then ask, or act."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from outlast.cli.ops_confirm import confirm
from outlast.cli.ops_interrupt import run
from outlast.cli.ops_output import OutputOption, print_table
from outlast.cli.ops_switch import SwitchOption, Wish, carry_out, note, say_choices, show_plan
from outlast.cli.ops_target import HomeOption, ProfileOption, Target, TargetOption, one_line, open_target
from outlast.cli.say import say
from outlast.cli.seconds import seconds_option
from outlast.ops.act.audit import AuditLog, operator, read
from outlast.ops.act.boards import board_of
from outlast.ops.act.evacuate import Board, Evacuated, check_unchanged
from outlast.ops.decide.rules import Decision
from outlast.ops.deployment import Deployment, Switch
from outlast.ops.observe.facts import gather
from outlast.ops.outcome import Exit, OpsError, OverruledError, RefusedError
from outlast.ops.plan.evacuation import EvacuationPlan, plan_evacuation
from outlast.ops.report.status import advice
from outlast.ops.watch import Watch

Mode = Literal["recommend", "approve", "automatic"]
FOREVER_S = 365 * 86_400.0
LOOK_S = 1.0
DAMP_S = 600.0
"""So long after a switch was taken back nothing is left without asking: the same again would be taken back again."""


def register(app: typer.Typer) -> None:
    """Add `guard`."""
    app.command(
        "guard",
        epilog="Example: outlast guard --mode approve",
        help="Watch until a Region is to be left; then recommend it, ask, or leave it. A plan that anything stands "
        "against is never carried out. Exit: 0 left or nothing to do, 3 recommended or rolled back, 4 refused, 5 left, "
        "and all are bad now.",
    )(guard)


def guard(
    target: TargetOption = "local",
    home: HomeOption = None,
    profile: ProfileOption = None,
    mode: Annotated[
        Mode, typer.Option(help="recommend: say it and end; approve: ask; automatic: do it without asking.")
    ] = "recommend",
    seconds: Annotated[float, seconds_option("End after this if nothing happens; 0: not.")] = 0.0,
    watch_s: Annotated[float, seconds_option("Seconds to watch the survivors; worse is taken back.")] = 30.0,
    switch: SwitchOption = None,
    output: OutputOption = "text",
) -> None:
    """Watch, conclude, act once."""
    with one_line():
        where = open_target(target, home, profile)
        decision, result = run(_guard(where, where.deployment(), mode, seconds or FOREVER_S, watch_s, switch))
    told = {
        "action": decision.action,
        "region": decision.region,
        "why": decision.why,
        "dissent": "; ".join(decision.dissent),
        "ending": result.ending if result else None,
    }
    if output == "json":
        typer.echo(json.dumps(told))
    elif output == "table":
        print_table(list(told), [list(told.values())])
    else:
        typer.echo(f"{decision.action}: {decision.why}.")
        typer.echo(f"dissent: {told['dissent'] or 'nobody'}.")
        if result:
            typer.echo(f"{decision.region}: {result.text}.")
    if result:
        say_choices(result)
    raise typer.Exit(int(exit_of(decision, result)))


def exit_of(decision: Decision, result: Evacuated | None) -> Exit:
    """3 when something is left to be done; 5 when all are bad, and nobody could be sent back."""
    if decision.action != "evacuate":
        return Exit.GOOD
    return Exit.MISSED if result is None else result.exit


async def advised(deployment: Deployment, decision: Decision, board: Board) -> Decision:
    """The decision, knowing what is switched off already; a switch that nobody tells of is taken to be on."""
    try:
        states = await asyncio.to_thread(board.states)
    except OpsError:
        return decision
    action, _, why = advice(deployment, decision, states)
    return replace(decision, action=action, why=why)


def objections(plan: EvacuationPlan) -> list[str]:
    """What keeps a plan from being carried out unasked: refusals, a Region that is off already, a survivor in doubt."""
    found = [check.text for check in plan.refused]
    off = [region for region in plan.survivors if plan.before.get(region) is not True]
    if off:
        found.append(f"{', '.join(off)} is not known to be on: an evacuation is under way already, or nobody answers")
    doubtful = [check.text for check in plan.checks if check.name.startswith("health of") and check.weight != "fine"]
    return [*found, *(text for text in doubtful if text not in found)]


def taken_back(audit_path: Path, now_s: float) -> str:
    """Why nothing may be left unasked for now: a switch was taken back of late. Empty otherwise."""
    try:
        backs = [entry for entry in read(audit_path) if entry.action == "rolled back"]
    except OpsError as error:
        return f"what was done before is not known: {error}"
    if not backs or now_s - backs[-1].at_s >= DAMP_S:
        return ""
    at = datetime.fromtimestamp(backs[-1].at_s, UTC).isoformat(sep=" ", timespec="seconds")
    why = backs[-1].detail.get("why", "")
    return f"a switch was taken back at {at} ({why}): for {DAMP_S / 60:.0f} minutes nothing is left unasked"


def overtaken(plan: EvacuationPlan, now: Decision) -> str:
    """What has changed since a plan was made, so that it is none any more; empty while nothing has."""
    if now.finding(plan.region).state == "healthy":
        return f"{plan.region} is healthy by now"
    sick = [region for region in plan.survivors if now.finding(region).state == "impaired"]
    return f"{', '.join(sick)} is impaired by now" if sick else ""


def overruled(plan: EvacuationPlan, board: Board) -> str:
    """What somebody else has switched since a plan was made: while one person reads and types, another may act. Empty
    while nobody has."""
    try:
        check_unchanged(board, plan)
    except OverruledError as error:
        return str(error).rstrip(".")
    return ""


async def ask(plan: EvacuationPlan, decision: Decision, audit: AuditLog, *, yes: bool) -> None:
    """Say why, who disagrees and what would be done; then ask, unless `yes`. Raises RefusedError and notes it."""
    say(f"evacuate: {decision.why}")
    say(f"dissent: {'; '.join(decision.dissent) or 'nobody'}")
    show_plan(plan)
    try:
        await confirm(f"evacuate {decision.region}", yes)
    except RefusedError:
        audit.add("not left", region=decision.region, why=decision.why, against="it was not confirmed")
        raise


async def _guard(
    target: Target, deployment: Deployment, mode: Mode, limit_s: float, watch_s: float, switch: Switch | None
) -> tuple[Decision, Evacuated | None]:
    audit = AuditLog(target.home / "audit.jsonl", operator())
    board = board_of(switch, target.clients, deployment, lambda tried: note(audit, tried))
    until_s = time.monotonic() + limit_s
    async with AsyncExitStack() as held:
        watch = await held.enter_async_context(Watch(target.clients, deployment, target.keys))
        refused = ""
        while True:
            left_s = until_s - time.monotonic()
            found = left_s > 0 and await watch.until(lambda decision: decision.action == "evacuate", left_s)
            decision = await advised(deployment, watch.decision, board)
            if not found:
                return decision, None
            if decision.action != "evacuate":  # it was left already
                if decision.why.partition(":")[0] != refused:
                    refused = decision.why.partition(":")[0]
                    say(decision.why)
                await asyncio.sleep(min(LOOK_S, max(0.0, left_s)))
                continue
            if mode == "recommend":
                return decision, None
            facts = await asyncio.to_thread(
                gather, target.clients, deployment, watch.latest, decision, time.time(), board=board
            )
            plan = plan_evacuation(decision.region, decision.why, deployment.region_names, facts)
            damped = taken_back(audit.path, time.time()) if mode == "automatic" else ""
            against = "; ".join(filter(None, [*objections(plan), overtaken(plan, watch.decision), damped]))
            if not against:
                break
            if against != refused:
                refused = against
                audit.add("not left", region=decision.region, why=decision.why, against=against)
                say(f"{decision.region} is not left: {against}")
            await watch.until(lambda decision: decision.action != "evacuate", min(1.0, max(0.0, left_s)))
        await ask(plan, decision, audit, yes=mode == "automatic")
        if changed := overtaken(plan, watch.decision) or await asyncio.to_thread(overruled, plan, board):
            audit.add("not left", region=decision.region, why=decision.why, against=changed)
            raise RefusedError(f"{decision.region} is not left: {changed}. Nothing was changed.")
        wish = Wish(decision.region, decision.why, switch, False, "", False, False, watch_s, mode == "automatic")
        return decision, await carry_out(target, deployment, wish, plan, board, audit, watch, held)
