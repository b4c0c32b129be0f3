"""`outlast evacuate`: the plan first, then a typed confirmation, then the switch."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Annotated, Final

import typer
from rich.console import Console

from outlast.cli.ops_confirm import confirm, second
from outlast.cli.ops_interrupt import run
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
from outlast.ops.act.arc import Try
from outlast.ops.act.audit import AuditLog, operator
from outlast.ops.act.boards import board_of
from outlast.ops.act.evacuate import Board, Evacuated, Evacuator, check_unchanged
from outlast.ops.act.gateway import Gateway
from outlast.ops.act.landing import Landing, landing
from outlast.ops.act.patience import patience_for, period_of
from outlast.ops.decide.survivors import Survivors, unready
from outlast.ops.deployment import Deployment, Switch
from outlast.ops.observe.facts import gather
from outlast.ops.observe.survey import COASTS, names_for
from outlast.ops.outcome import OpsError, RefusedError, UsageError
from outlast.ops.plan.evacuation import Check, EvacuationPlan, plan_evacuation
from outlast.ops.report.status import checks
from outlast.ops.watch import Watch

LOOK_S = 6.0
NEXT: Final = {
    "left": "next: `outlast watch`, and once {region} is well `outlast failback {region}`",
    "rolled back": "next: `outlast status` says how both are; `--watch-s 0` does not watch the survivors",
    "no way back": "next: `outlast status` says how both are; nothing more is done unasked. The choices:",
    "not seen": "next: `outlast status` says what DNS tells; the same command again looks on",
}
"""What comes after an evacuation, by how it ended."""
SwitchOption = Annotated[
    Switch | None,
    typer.Option(
        "--switch",
        show_default=False,
        help="What is switched: by default what was deployed; weighted-records is the last resort: a control plane.",
    ),
]
WaitOption = Annotated[
    float | None,
    seconds_option(
        "How long to ask again while a safety rule refuses: by default as long as its wait period, at most a minute; "
        "0 does not wait.",
        "--wait",
        metavar="SECONDS",
        show_default=False,
    ),
]
RegionArgument = Annotated[str, typer.Argument(help="The Region.")]


def register(app: typer.Typer) -> None:
    """Add `evacuate`."""
    app.command(
        "evacuate",
        epilog="Example: outlast evacuate us-east-1 --yes",
        help="Take all traffic out of a Region. Shows its plan first; needs no control plane. Exit: 0 left, 3 taken "
        "back or not seen in DNS, 4 refused, 5 all are bad, and nobody was sent back.",
    )(evacuate)


def evacuate(
    region: RegionArgument,
    target: TargetOption = "local",
    home: HomeOption = None,
    profile: ProfileOption = None,
    reason: Annotated[str, typer.Option(help="Why; goes into the audit log.")] = "the operator's decision",
    switch: SwitchOption = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not look first; use the deployment file alone.")
    ] = False,
    break_glass: Annotated[
        str | None,
        typer.Option(
            metavar="REASON", help="Go on against refusals, and override the safety rule.", show_default=False
        ),
    ] = None,
    second_person: Annotated[
        bool, typer.Option("--second-person", help="Have somebody else agree, by name, before anything is switched.")
    ] = False,
    refuse_at_gateway: Annotated[
        bool, typer.Option("--refuse-at-gateway", help="Then let nothing into the Region's API: stubborn clients move.")
    ] = False,
    watch_s: Annotated[
        float, seconds_option("Seconds to watch the survivors; worse is rolled back, to a Region that is well. 0: not.")
    ] = 20.0,
    wait_s: WaitOption = None,
    yes: YesOption = False,
    output: OutputOption = "text",
) -> None:
    """Plan, confirm, switch, verify."""
    glass = (break_glass or "").strip()
    wish = Wish(region, reason, switch, offline, glass, second_person, refuse_at_gateway, watch_s, yes, wait_s)
    with one_line():
        if break_glass is not None and not glass:
            raise UsageError("--break-glass needs a reason: it is written down.")
        if yes and second_person:
            raise UsageError("--yes asks nobody, and --second-person asks two: choose one.")
        where = open_target(target, home, profile)
        deployment = where.deployment()
        deployment.region(region)
        result = run(_evacuate(where, deployment, wish))
    told = {"ending": result.ending, "switched_s": result.switched_s, "seen_s": result.seen_s}
    if output == "json":
        typer.echo(
            json.dumps({**told, "text": result.text, "choices": result.choices, "requests_per_s": result.landed})
        )
    elif output == "table":
        print_table(("region", *told), [(region, *told.values())])
    else:
        typer.echo(f"{region}: {result.text}.")
        say(NEXT[result.ending].format(region=region))
    say_choices(result)
    raise typer.Exit(int(result.exit))


def say_choices(result: Evacuated) -> None:
    """What the operator can do, where nothing more is done unasked."""
    for number, choice in enumerate(result.choices, 1):
        say(f"{number}. {choice}")


@dataclass(frozen=True, slots=True)
class Wish:
    """An evacuation as the operator asked for it; see the options of `evacuate`."""

    region: str
    reason: str
    switch: Switch | None
    offline: bool
    break_glass: str
    second_person: bool
    refuse_at_gateway: bool
    watch_s: float
    yes: bool
    wait_s: float | None = None


async def _evacuate(target: Target, deployment: Deployment, wish: Wish) -> Evacuated:
    """Look unless offline, plan, agree, switch. Offline the watch opens after the switch: nothing waits for it."""
    watch = Watch(target.clients, deployment, target.keys, may_be_denied=True)
    audit = AuditLog(target.home / "audit.jsonl", operator())
    audit.spill = say if wish.break_glass else None
    board = board_of(wish.switch, target.clients, deployment, lambda tried: note(audit, tried))
    async with AsyncExitStack() as open_watch:
        if not wish.offline:
            await open_watch.enter_async_context(watch)
            say(f"looking first, {LOOK_S:.0f} s at most; --offline does not")
            await watch.until(lambda decision: decision.action == "evacuate", LOOK_S)
        facts = await asyncio.to_thread(
            gather, target.clients, deployment, watch.latest, None if wish.offline else watch.decision,
            time.time(), offline=wish.offline, board=board,
        )  # fmt: skip
        plan = plan_evacuation(wish.region, wish.reason, deployment.region_names, facts)
        show_plan(plan, refuse_at_gateway=wish.refuse_at_gateway)
        if plan.refused and not wish.break_glass:
            raise RefusedError(f"{plan.refused[0].text} (--break-glass REASON goes on against it).")
        await confirm(f"evacuate {wish.region}", wish.yes)
        other = await second(f"evacuate {wish.region}") if wish.second_person else ""
        if not wish.yes:  # somebody has read and typed: time in which another may have acted
            await asyncio.to_thread(check_unchanged, board, plan)
        try:
            return await carry_out(target, deployment, wish, plan, board, audit, watch, open_watch, other)
        except RefusedError as refused:
            raise RefusedError(
                f"{refused} (--wait SECONDS asks longer, --break-glass REASON overrides it)"
            ) from refused


async def carry_out(
    target: Target,
    deployment: Deployment,
    wish: Wish,
    plan: EvacuationPlan,
    board: Board,
    audit: AuditLog,
    watch: Watch,
    open_watch: AsyncExitStack,
    second_person: str = "",
) -> Evacuated:
    """Switch as planned and agreed, verify, watch the survivors, refuse at the gateway if that was wished."""
    survivors = Survivors.of(plan.survivors, watch.latest.refused)
    before = dict(watch.latest.rates)

    def worse() -> str:
        decision = watch.decision
        problem = survivors.worse(decision, watch.latest.refused)
        told = [decision.finding(each).why for each in plan.survivors if decision.finding(each).state == "impaired"]
        return f"{problem}: {'; '.join(told)}" if problem and told else problem

    async def begin_to_watch(_: float) -> None:
        await open_watch.enter_async_context(watch)

    names = {coast: names_for(deployment, subnet) for coast, subnet in COASTS.items()}
    evacuator = Evacuator(board, names, deployment.service_name, audit, worse, tell=say)
    evacuator.unready = lambda regions: unready(watch.decision, regions)
    if wish.offline and wish.watch_s:
        evacuator.on_switched = begin_to_watch
    rule = deployment.arc.safety_rule_arn if (wish.switch or deployment.switch) == "routing-controls" else ""
    if rule:
        evacuator.patience_s, evacuator.period = patience_of(deployment, audit, wish.wait_s)
    else:
        evacuator.patience_s = 0.0
    evacuator.unwritten = say
    try:
        result = await evacuator.run(
            plan, break_glass=wish.break_glass, rule=rule, watch_s=wish.watch_s, second_person=second_person
        )
        result = _landed(result, landing(wish.region, before, watch.latest.counted, result.switched_s), audit)
        if wish.refuse_at_gateway and result.ending == "left":
            await asyncio.to_thread(_refuse, Gateway(target.clients, deployment), wish.region, audit)
    finally:
        _settle(audit)
    return result


def _landed(result: Evacuated, found: Landing, audit: AuditLog) -> Evacuated:
    """The same, with where requests land; said and written down."""
    if result.ending == "rolled back":
        return result
    say(found.text)
    if found.after:
        audit.add("landed", requests_per_s=found.document)
    return replace(result, landed=found.document)


def _settle(audit: AuditLog) -> None:
    """Write what the disk did not take, and say what became of the lines that were printed."""
    if not audit.spilled:
        return
    if left := audit.settle():
        say(f"{left} entries of the audit log could not be written: keep the lines above, they belong to {audit.path}")
    else:
        say(f"the disk takes the audit log again: what was printed is in {audit.path}")


def patience_of(deployment: Deployment, audit: AuditLog, wait_s: float | None) -> tuple[float, str]:
    """How long a safety rule is asked again, and what is known of its wait period."""
    wait_ms = deployment.arc.wait_ms
    return patience_for(wait_ms) if wait_s is None else wait_s, period_of(wait_ms, audit.path, time.time())


def _refuse(gateway: Gateway, region: str, audit: AuditLog) -> None:
    """Nothing depends on it: its control plane may be as dead as the Region."""
    try:
        gateway.refuse(region)
    except OpsError as error:
        audit.add("not refused at the gateway", region=region, why=str(error))
        say(f"not refused at the gateway: {error}")
        return
    audit.add("refused at the gateway", region=region)


def note(audit: AuditLog, tried: Try) -> None:
    """Write a try of an endpoint down; reading states is not worth a line."""
    if tried.operation != "GetRoutingControlState":
        audit.add("tried", operation=tried.operation, endpoint=tried.endpoint, error=tried.error)


def show_plan(plan: EvacuationPlan, *, refuse_at_gateway: bool = False) -> None:
    """The plan on standard error: what is switched, what stands for it and against it."""
    changes = [Check(f"switch {region}", "fine", "on" if on else "off") for region, on in sorted(plan.controls.items())]
    if refuse_at_gateway:
        told = "once no place is sent there its API lets nothing in; `outlast failback` lets it in again"
        changes.append(Check(f"gateway of {plan.region}", "fine", told))
    Console(stderr=True).print(checks(f"To evacuate {plan.region}:", [*changes, *plan.checks]))
