"""The report document: figures computed from what the drill gathered, in the form of schema.json."""

from __future__ import annotations

import math
import os
import platform
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from typing import Any, Final

from outlast.ops.act import audit
from outlast.ops.drill.measure import Marks, Rto, customers, recovery, share_in, traffic
from outlast.ops.drill.objectives import UNITS, Judged, judge, verdict
from outlast.ops.drill.story import TITLES, StepSeen, Story
from outlast.ops.outcome import Exit
from outlast.ops.report.cost import Use, monthly
from outlast.ops.sightings import SIDES, Sample

SCHEMA: Final = "outlast.report/1"
WORDS: Final = {
    Exit.GOOD: "met",
    Exit.MISSED: "missed",
    Exit.UNDECIDED: "undecided",
    Exit.REFUSED: "refused",
    Exit.ERROR: "error",
}


def build(story: Story) -> dict[str, Any]:
    """The document. Everything in it is plain JSON."""
    marks = marks_of(story)
    rto = recovery(story.records, marks, stubborn=False)
    stubborn = recovery(story.records, marks, stubborn=True)
    judged = judge(story.objectives, figures(story, rto, stubborn))
    code = Exit.ERROR if story.trouble else Exit.MISSED if story.failed else verdict(judged)
    return {
        "schema": SCHEMA,
        "title": story.title,
        "made_at": datetime.fromtimestamp(story.now_s(), UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "measured": story.deployment.kind,
        "verdict": {
            "exit_code": int(code),
            "word": WORDS[code],
            "text": verdict_text(judged, story.trouble or story.failed),
        },
        "objectives": [_objective(each) for each in judged],
        "configuration": _configuration(story),
        "place": place(),
        "steps": _steps(story),
        "events": [asdict(event) for event in story.events],
        "marks": dict(story.marks),
        "rto": _rto(rto),
        "rto_stubborn": _rto(stubborn),
        "rpo": {
            "cut_s": story.marks.get("switched_s"),
            "read_s": story.read_s,
            "acknowledged": story.acknowledged,
            "window_s": story.window_s,
            "judged_by": _judged_by(story),
            "judged_why": story.inexact_why,
            "writes": [asdict(risk) for risk in story.risks],
            "items": [each.document() for each in story.left],
        },
        "double_sales": story.double_sales,
        "customers": _customers(story),
        "traffic": asdict(traffic(story.records)),
        "signals": signals(story.samples, story.deployment.region_names),
        "decision": _decision(story),
        "plan": story.plan.document() if story.plan else None,
        "failback": _failback(story),
        "alarms": [asdict(alarm) for alarm in story.alarms],
        "convergence": asdict(story.convergence) if story.convergence else None,
        "conflicts": {"known": story.conflicts is not None, "entries": story.conflicts or []},
        "audit": _audit(story),
        "cost": _cost(story),
    }


def marks_of(story: Story) -> Marks | None:
    """The moments that the recovery time is measured by; None when the drill broke off before the impact.

    It ends with the impact's own end.
    """
    marks = story.marks
    impact_s = marks.get("impact_s")
    if impact_s is None:
        return None
    end_s = marks.get("healed_s") or marks.get("end_s") or story.now_s()
    return Marks(
        region=story.region,
        impact_s=impact_s,
        ended_s=end_s,
        detected_s=marks.get("detected_s"),
        decided_s=marks.get("decided_s"),
        switched_s=marks.get("switched_s"),
    )


def figures(story: Story, rto: Rto, stubborn: Rto) -> dict[str, float | None]:
    """Every figure that can be an objective; None where it was not measured."""
    phases = dict(rto.phases)
    everyone = customers(story.records)
    elsewhere = [record for record in story.records if record.where not in (story.region, "")]
    back = _during_failback(story)
    switched = story.marks.get("switched_s") is not None
    return {
        "rto": rto.seconds,
        "detection": phases.get("detected"),
        "decision": phases.get("decided"),
        "switch": phases.get("switched"),
        "drain": phases.get("last failing request"),
        "stubborn_rto": stubborn.seconds,
        "rpo_writes": float(len(story.risks)) if switched else None,
        "torn_writes": float(sum(risk.state != "missing" for risk in story.risks)) if switched else None,
        "lost_writes": _lost_writes(story) if switched else None,
        "double_sales": float(len(story.double_sales)) if story.convergence else None,
        "bad_share": 100 * everyone.bad_share if story.records else None,
        "bad_share_elsewhere": 100 * customers(elsewhere).bad_share if elsewhere else None,
        "unequal_orders": float(len(story.convergence.unequal)) if story.convergence else None,
        "failback_bad_share": 100 * customers(back).bad_share if back else None,
    }


def _lost_writes(story: Story) -> float | None:
    """Writes that are lost, or may be; None where the drill broke off before the last word on those that may be."""
    if story.on_their_way() and story.convergence is None:
        return None
    return float(sum(fate in ("lost", "not known") for fate in story.fates))


def _judged_by(story: Story) -> str | None:
    """How the writes at risk were found: by the Regions' own lists, or by reading the orders; None without a cut."""
    return None if story.read_s is None else "lists" if story.exact else "reading"


def _during_failback(story: Story) -> list[Any]:
    begin_s, end_s = story.marks.get("failback_s"), story.marks.get("returned_s")
    if begin_s is None or end_s is None:
        return []
    return [record for record in story.records if begin_s <= record.at_s <= end_s and not record.stubborn]


def verdict_text(judged: Sequence[Judged], trouble: str) -> str:
    """Why the verdict is what it is."""
    if trouble:
        return trouble
    missed = [each.objective.text for each in judged if each.met is False]
    unknown = [each.objective.text for each in judged if each.met is None]
    parts = []
    if missed:
        parts.append(f"Missed: {'; '.join(missed)}.")
    if unknown:
        parts.append(f"Not measured: {'; '.join(unknown)}.")
    return " ".join(parts) or f"All {len(judged)} objectives were met."


def signals(samples: Sequence[Sample], regions: Sequence[str]) -> list[dict[str, Any]]:
    """Share of bad samples by second, for each Region and vantage point; None in seconds without a look."""
    if not samples:
        return []
    start = math.floor(min(sample.at_s for sample in samples))
    seconds = math.floor(max(sample.at_s for sample in samples)) - start + 1
    counts: defaultdict[tuple[str, str], list[list[int]]] = defaultdict(lambda: [[0, 0] for _ in range(seconds)])
    for sample in samples:
        cell = counts[sample.region, sample.vantage][math.floor(sample.at_s) - start]
        cell[0] += 1
        cell[1] += sample.bad
    return [
        {
            "vantage": vantage,
            "side": SIDES[vantage],
            "region": region,
            "start_s": float(start),
            "bad_share": [round(bad / looks, 3) if looks else None for looks, bad in counts[region, vantage]],
        }
        for region in regions
        for vantage in SIDES
        if (region, vantage) in counts
    ]


def place() -> dict[str, str]:
    """The machine that it was measured on."""
    try:
        version = metadata.version("outlast")
    except metadata.PackageNotFoundError:
        version = "unknown"
    return {
        "outlast": f"Outlast {version}",
        "python": f"Python {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
        "cores": f"{os.cpu_count() or 1} cores",
    }


def _objective(each: Judged) -> dict[str, Any]:
    return {
        "text": each.objective.text,
        "name": each.objective.name,
        "value": None if each.value is None else round(each.value, 3),
        "unit": UNITS[each.objective.name],
        "met": each.met,
    }


def _configuration(story: Story) -> dict[str, Any]:
    deployment = story.deployment
    return {
        "drill": story.title,
        "hypothesis": story.hypothesis,
        "region": story.region,
        "survivors": [part.name for part in deployment.others(story.region)],
        "fault": dict(story.fault),
        "service_name": deployment.service_name,
        "record_ttl_s": deployment.record_ttl_s,
        "load": dict(story.load),
    }


def _steps(story: Story) -> list[dict[str, Any]]:
    """All twelve; the last word on each, and those that were not reached."""
    seen = {step.number: step for step in story.steps}
    told = [_step_of(number, seen.get(number), story.without.get(number, "")) for number in range(1, len(TITLES) + 1)]
    return [{**asdict(step), "title": step.title} for step in told]


def _step_of(number: int, seen: StepSeen | None, apart: str) -> StepSeen:
    """A step as it was seen. One that is not meant to be taken is apart, unless it was taken all the same."""
    if apart and (seen is None or seen.state != "true"):
        return StepSeen(number, "apart", f"not part of this drill: {apart}", None)
    return seen or StepSeen(number, "false", "not reached", None)


def _rto(rto: Rto) -> dict[str, Any]:
    return {
        "felt": rto.felt,
        "seconds": None if rto.seconds is None else round(rto.seconds, 3),
        "phases": [{"name": name, "seconds": seconds} for name, seconds in rto.phases],
        "last_bad_s": rto.last_bad_s,
        "lost": rto.lost,
    }


def _customers(story: Story) -> dict[str, Any]:
    groups: dict[str, list[Any]] = {"everyone": story.records}
    for coast in sorted({record.coast for record in story.records}):
        groups[f"{coast} coast"] = [record for record in story.records if record.coast == coast]
    groups["stubborn clients"] = [record for record in story.records if record.stubborn]
    found: dict[str, Any] = {}
    for name, records in groups.items():
        summed = customers(records)
        found[name] = {**asdict(summed), "outcomes": dict(summed.outcomes)}
    return found


def _decision(story: Story) -> dict[str, Any] | None:
    decision = story.decision
    if decision is None:
        return None
    return {
        "at_s": decision.at_s,
        "action": decision.action,
        "region": decision.region,
        "why": decision.why,
        "dissent": list(decision.dissent),
        "findings": [asdict(finding) for finding in decision.findings],
    }


def _failback(story: Story) -> dict[str, Any] | None:
    """The steps, each with the share of the requests of that Region's side that it answered in the step's last half."""
    if story.returned is None:
        return None
    side = _side_of(story)
    steps = []
    for step in story.returned.steps:
        middle_s = (step.set_s + step.judged_s) / 2
        share = share_in(side, story.region, middle_s, step.judged_s)
        steps.append({**asdict(step), "share": None if share is None else round(share, 3)})
    return {"ending": story.returned.ending, "text": story.returned.text, "steps": steps}


def _side_of(story: Story) -> list[Any]:
    """Requests of well-behaved customers on the coast that the Region served before the impact."""
    impact_s = story.marks.get("impact_s") or math.inf
    served: defaultdict[str, int] = defaultdict(int)
    for record in story.records:
        if record.at_s < impact_s and record.region == story.region:
            served[record.coast] += 1
    coast = max(served, key=lambda each: served[each], default="")
    return [record for record in story.records if record.coast == coast and not record.stubborn]


def _cost(story: Story) -> dict[str, Any] | None:
    """A month at the load of the healthy phase, which the drill's customers made."""
    begin_s, impact_s = story.marks.get("begin_s"), story.marks.get("impact_s")
    if begin_s is None or impact_s is None:
        return None
    healthy = [record for record in story.records if record.at_s < impact_s]
    if len(healthy) < 2:
        return None
    span_s = max(1.0, impact_s - healthy[0].at_s)
    use = Use(len(healthy) / span_s, customers(healthy).p50_ms, canary_period_s=story.deployment.canary_period_s)
    return monthly(use)


def _audit(story: Story) -> dict[str, Any]:
    entries = story.audit
    actions: list[Mapping[str, Any]] = [
        {"number": entry.number, "at_s": entry.at_s, "who": entry.who, "action": entry.action} for entry in entries
    ]
    return {
        "path": story.audit_path,
        "entries": len(entries),
        "head": entries[-1].hash if entries else audit.ROOT,
        "intact": audit.verify(list(entries)) == "",
        "actions": actions,
    }
