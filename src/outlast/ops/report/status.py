"""One screen: what every vantage point says of every Region, where customers are sent, what the switches stand at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from outlast.ops.clients import difference
from outlast.ops.decide.rules import Action, Decision
from outlast.ops.deployment import Deployment
from outlast.ops.observe.facts import cached
from outlast.ops.observe.survey import Latest
from outlast.ops.plan import retries
from outlast.ops.plan.evacuation import Check
from outlast.ops.plan.facts import Capacity
from outlast.ops.plan.room import Room
from outlast.ops.sightings import SIDES

COLOURS: Final = {"good": "green", "bad": "bold red", "unknown": "dim"}
STATES: Final = {"healthy": "green", "suspect": "yellow", "impaired": "bold red", "unknown": "dim"}
WEIGHTS: Final = {"fine": "green", "warning": "yellow", "refusal": "bold red", "unknown": "yellow"}


def screen(
    deployment: Deployment, decision: Decision, latest: Latest, controls: Mapping[str, bool] | None
) -> RenderableType:
    """The status as a terminal shows it."""
    moment = datetime.fromtimestamp(decision.at_s, UTC).strftime("%H:%M:%S")
    head = Text.assemble((deployment.service_name, "bold"), f"  {moment} UTC  measured: {deployment.kind}")
    advice = _advice(deployment, decision, controls, latest)
    return Group(head, "", _votes(deployment, decision, controls), "", *_lines(deployment, latest), advice)


def _votes(deployment: Deployment, decision: Decision, controls: Mapping[str, bool] | None) -> Table:
    """Rows: vantage points; columns: Regions."""
    table = Table(box=None, padding=(0, 2))
    table.add_column("", style="dim", overflow="fold")
    for region in deployment.region_names:
        table.add_column(region, overflow="fold")
    findings = [decision.finding(region) for region in deployment.region_names]
    table.add_row("judged", *(Text(finding.state, style=STATES[finding.state]) for finding in findings))
    table.add_row("switch", *(_switch(controls, region) for region in deployment.region_names))
    for vantage, side in SIDES.items():
        cells = []
        for finding in findings:
            vote = next((vote for vote in finding.votes if vote.vantage == vantage), None)
            if vote is None:
                cells.append(Text("no look", style="dim"))
                continue
            detail = f"  {vote.detail}" if vote.detail and vote.verdict == "bad" else ""
            share = f" {vote.share:.0%} bad" if vote.share else ""
            cells.append(Text(f"{vote.verdict}{share}{detail}", style=COLOURS[vote.verdict]))
        table.add_row(f"{vantage} ({side})", *cells)
    return table


def _switch(controls: Mapping[str, bool] | None, region: str) -> Text:
    if controls is None or region not in controls:
        return Text("not known", style="yellow")
    return Text("on", style="green") if controls[region] else Text("OFF", style="bold red")


def _lines(deployment: Deployment, latest: Latest) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for coast, told in sorted(latest.told.items()):
        where = told.region or told.error or "nowhere"
        lines.append(Text(f"DNS, {coast} coast: {where} {' '.join(told.addresses)} (TTL {told.ttl_s:.0f} s)"))
    for (origin, seen_in), beat in sorted(latest.beats.items()):
        age = "not seen" if beat.age_ms is None else f"{beat.age_ms:.0f} ms old"
        problem = f" ({beat.error})" if beat.error else ""
        lines.append(Text(f"heartbeat of {origin}: {age} in {seen_in}{problem}"))
    for region in deployment.region_names:
        if healing := latest.healing(region):
            lines.append(Text(f"{region}: {healing}", style="yellow"))
    limits, usual = cached(deployment), retries.usual(deployment.region_names, latest.asked)
    for region in deployment.region_names:
        if region in latest.rates:
            lines.append(_load(region, latest, limits.get(region, Capacity())))
            lines.append(Text(f"{region}: {retries.words(region, latest.asked, usual)}"))
    rung = [f"{name} in {region}" for region in sorted({region for region, _ in latest.alarms})
            for name in _rung(region, latest)]  # fmt: skip
    if rung:
        lines.append(Text(f"in alarm: {', '.join(rung)}", style="bold red"))
    lines += [
        Text(f"this machine's clock is {clock} {region}'s", style="yellow")
        for region, ahead_s in sorted(latest.ahead_s.items())
        if (clock := difference(ahead_s))
    ]
    lines += [
        Text(f"no look from {source}: {error}", style="yellow") for source, error in sorted(latest.errors.items())
    ]
    return lines


def _load(region: str, latest: Latest, capacity: Capacity) -> Text:
    """A Region's load against what it lets in (by the deployment file), and what it turns away."""
    room = Room(latest.rates[region], capacity, latest.durations_ms.get(region))
    refused = f"; {latest.refused[region]:.0%} turned away" if region in latest.refused else ""
    return Text(f"{region}: {room.text}{refused}", style="bold red" if room.full else "")


def advice(deployment: Deployment, decision: Decision, controls: Mapping[str, bool] | None) -> tuple[Action, str, str]:
    """What should be done (action, Region, why), knowing what is switched off: a Region that was left is not left
    again, and one that is well may be returned to."""
    off = [region for region in deployment.region_names if (controls or {}).get(region) is False]
    if decision.action != "none" and decision.region in off:
        finding = decision.finding(decision.region)
        return "none", "", f"{finding.region} is evacuated, and not well yet: {finding.why}"
    well = [region for region in off if decision.finding(region).state == "healthy"]
    if decision.action == "none" and well:
        back = f"`outlast failback {well[0]}`, once its data has converged and the conflicts are reviewed"
        return "none", "", f"{well[0]} is evacuated, and well again: {back}"
    return decision.action, decision.region, decision.why


def _sent(deployment: Deployment, decision: Decision, controls: Mapping[str, bool] | None, latest: Latest) -> str:
    """What is to be said of a Region that is on and well, and to which no coast is sent: its weights lead elsewhere, as
    after `--switch weighted-records` or a failback that was interrupted. Empty where there is none."""
    told = {each.region for each in latest.told.values()}
    if decision.action != "none" or "" in told or len(latest.told) < len(deployment.region_names):
        return ""
    on = [region for region in deployment.region_names if (controls or {}).get(region)]
    idle = [region for region in on if region not in told and decision.finding(region).state == "healthy"]
    if len(on) < len(deployment.region_names) or not idle:
        return ""
    return (
        f"{idle[0]} is on and healthy, yet no coast is sent there: `outlast failback {idle[0]}` brings its weights home"
    )


def line(deployment: Deployment, decision: Decision, controls: Mapping[str, bool] | None) -> str:
    """The judgement in one line, the same while nothing changes: each Region's state and switch, and what to do."""
    told = [f"{each.region} {each.state}, {_switch(controls, each.region).plain}" for each in decision.findings]
    action, region, _ = advice(deployment, decision, controls)
    undecided = "looking on" if decision.waits else "nowhere to go"
    wanted = {"evacuate": f"evacuate {region}", "undecided": f"{region} is impaired: {undecided}"}.get(action, "")
    return "; ".join([*told, *([wanted] if wanted else [])])


def _advice(deployment: Deployment, decision: Decision, controls: Mapping[str, bool] | None, latest: Latest) -> Text:
    action, region, why = advice(deployment, decision, controls)
    why = _sent(deployment, decision, controls, latest) or why
    if action == "evacuate":
        return Text(f"\nEvacuate {region}: {why}", style="bold red")
    if action == "undecided" and decision.waits:
        why += f". `outlast evacuate {region}` looks again, shows its plan and asks; `outlast watch` looks on"
    style = "yellow" if action == "undecided" else "green" if "every" in why else "yellow"
    named = why.startswith(tuple(deployment.region_names))  # the name of a Region is small at its head, too
    return Text(f"\n{why if named else why[0].upper() + why[1:]}.", style=style)


def document(
    deployment: Deployment, decision: Decision, latest: Latest, controls: Mapping[str, bool] | None
) -> dict[str, Any]:
    """The status as JSON."""
    limits = cached(deployment)
    usual = retries.usual(deployment.region_names, latest.asked)
    action, region, why = advice(deployment, decision, controls)
    why = _sent(deployment, decision, controls, latest) or why
    return {
        "service_name": deployment.service_name,
        "measured": deployment.kind,
        "at_s": decision.at_s,
        "action": action,
        "region": region,
        "why": why,
        "regions": {
            finding.region: {
                "state": finding.state,
                "routing_control": None if controls is None else controls.get(finding.region),
                "requests_per_s": latest.rates.get(finding.region),
                "let_in_per_s": limits.get(finding.region, Capacity()).throttle_rps,
                "healing": latest.healing(finding.region) or None,
                "retries": retries.document(finding.region, latest.asked, usual),
                "turned_away_share": latest.refused.get(finding.region),
                "votes": {vote.vantage: {"verdict": vote.verdict, "bad_share": vote.share} for vote in finding.votes},
            }
            for finding in decision.findings
        },
        "names": {coast: {"region": told.region, "error": told.error} for coast, told in latest.told.items()},
        "heartbeat_ms": {f"{a} in {b}": beat.age_ms for (a, b), beat in latest.beats.items()},
        "in_alarm": {region: _rung(region, latest) for region in sorted({region for region, _ in latest.alarms})},
        "clock_ahead_s": {region: round(ahead_s, 1) for region, ahead_s in sorted(latest.ahead_s.items())},
        "errors": dict(latest.errors),
    }


def _rung(region: str, latest: Latest) -> list[str]:
    return sorted(name for (where, name), state in latest.alarms.items() if where == region and state == "ALARM")


def checks(title: str, found: Sequence[Check]) -> RenderableType:
    """The checks of a plan."""
    table = Table.grid(padding=(0, 2))
    for check in found:
        table.add_row(Text(check.weight, style=WEIGHTS[check.weight]), Text(check.name), Text(check.text))
    return Group(Text(title, style="bold"), table)
