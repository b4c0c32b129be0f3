"""The plan of an evacuation: what will be switched, what stands for it and against it, and how long it should take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from outlast.ops.outcome import RefusedError
from outlast.ops.plan.facts import Capacity, Facts
from outlast.ops.plan.room import HEADROOM, Room
from outlast.ops.plan.throughput import loads

Weight = Literal["fine", "warning", "refusal", "unknown"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at before."""

    name: str
    weight: Weight
    text: str


@dataclass(frozen=True, slots=True)
class EvacuationPlan:
    """What will be done, and why it may be. `controls`: Region -> on; `before`: as they stood, empty if not known.

    `expected_s`: until the last well-behaved client has moved.
    """

    region: str
    reason: str
    survivors: tuple[str, ...]
    controls: dict[str, bool]
    before: dict[str, bool]
    checks: tuple[Check, ...]
    expected_s: float
    writes_at_risk: float | None

    @property
    def refused(self) -> tuple[Check, ...]:
        """What stands against it."""
        return tuple(check for check in self.checks if check.weight == "refusal")

    def document(self) -> dict[str, Any]:
        """The plan as JSON members."""
        return asdict(self)


def plan_evacuation(region: str, reason: str, regions: Sequence[str], facts: Facts) -> EvacuationPlan:
    """The plan to leave `region`. Raises RefusedError when there is nowhere to go."""
    survivors = tuple(each for each in regions if each != region)
    if not survivors:
        raise RefusedError(f"{region} is the only Region: there is nowhere to go.")
    checks = (
        _already(region, facts),
        *(_health(each, region, facts) for each in survivors),
        *(_healing(each, facts) for each in survivors if facts.healing.get(each)),
        _safety(region, survivors, facts),
        *(_room(each, regions, facts) for each in survivors),
        *(_throughput(each, regions, facts) for each in survivors),
        _risk(region, facts),
        _time(facts),
        _cost(region, survivors, facts),
    )
    return EvacuationPlan(
        region=region,
        reason=reason,
        survivors=survivors,
        controls={**dict.fromkeys(survivors, True), region: False},
        before=dict(facts.states),
        checks=checks,
        expected_s=facts.ttl_s + facts.switch_s,
        writes_at_risk=writes_at_risk(region, facts),
    )


def writes_at_risk(region: str, facts: Facts) -> float | None:
    """Acknowledged writes that are not elsewhere yet, as far as rate and lag tell; None when they do not."""
    rate, lag_ms = facts.rates.get(region), facts.lag_ms.get(region)
    if rate is None or lag_ms is None:
        return None
    return rate * facts.write_share * lag_ms / 1000


def _already(region: str, facts: Facts) -> Check:
    if region not in facts.states:
        return Check("switch", "unknown", f"whether {region} is on could not be read")
    if not facts.states[region]:
        return Check("switch", "warning", f"{region} is off already: this changes nothing for it")
    return Check("switch", "fine", f"{region} is on and will be switched off")


def _health(region: str, left: str, facts: Facts) -> Check:
    name, word = f"health of {region}", facts.health.get(region, "unknown")
    if word == "healthy":
        return Check(name, "fine", f"{region} is healthy by all who look at it")
    if word == "impaired":
        return Check(name, "refusal", f"{region} is impaired itself: moving there would not help")
    if facts.health.get(left) == "healthy":
        return Check(name, "refusal", f"{region} is {word}, and {left} is the last Region that is known to be healthy")
    return Check(name, "warning", f"{region} is {word}: its health is not certain")


def _healing(region: str, facts: Facts) -> Check:
    return Check(f"data in {region}", "warning", f"{facts.healing[region]}: customers may read what is not so any more")


def _safety(region: str, survivors: Sequence[str], facts: Facts) -> Check:
    on = [each for each in survivors if facts.states.get(each)]
    if on:
        return Check("safety rule", "fine", f"{', '.join(on)} stays on: the rule that one Region is on is kept")
    names = ", ".join(survivors)
    if facts.states.get(region) and all(facts.health.get(each) != "healthy" for each in survivors):
        text = f"{region} is the last Region that is on, {names} was evacuated, and nobody knows that it is well"
        return Check("safety rule", "refusal", text)
    return Check("safety rule", "warning", f"{names} is off now and will be switched on in the same change")


def _room(region: str, regions: Sequence[str], facts: Facts) -> Check:
    name = f"room in {region}"
    capacity = facts.capacity.get(region) or Capacity()
    known = [rate for each in regions if (rate := facts.rates.get(each)) is not None]
    age = "" if facts.noted_s is None else _age(facts.at_s - facts.noted_s)
    let_in = (
        ""
        if capacity.throttle_rps is None
        else f" {region} lets in {capacity.throttle_rps:.0f} requests a second{age}."
    )
    if len(known) < len(regions):
        return Check(name, "unknown", f"the traffic to come is not known: watch closely.{let_in}".rstrip("."))
    room = Room(sum(known), capacity, facts.durations_ms.get(region))
    if capacity.throttle_rps is None:
        return Check(name, "unknown", f"{room.text} to come; what {region} lets in is not known: watch closely")
    return Check(name, "warning" if room.full else "fine", f"{room.text}, with all that is to come{age}")


def _throughput(region: str, regions: Sequence[str], facts: Facts) -> Check:
    """What is to come to the survivor's tables and indexes, against what each lets in: the fullest ones."""
    name = f"throughput of {region}"
    known = {each: found for each in regions if (found := facts.throughput.get(each)) is not None}
    silent = [each for each in regions if each not in known or known[each].used is None]
    here = known.get(region)
    if here is None or not here.limits:
        return Check(name, "unknown", f"what DynamoDB lets in in {region} is not known: watch closely")
    age = _age(facts.at_s - min(each.at_s for each in known.values()))
    if silent:
        told = f"what the tables consume in {' and '.join(silent)} is not known: watch closely{age}"
        return Check(name, "unknown", told)
    against = sorted(
        loads(region, known, writes_counted_everywhere=facts.writes_counted_everywhere),
        key=lambda load: load.share,
        reverse=True,
    )
    if not against:
        return Check(name, "fine", f"no table of {region} has a limit{age}")
    full = [load for load in against if load.share > HEADROOM]
    told = "; ".join(
        f"{load.coming:.1f} {load.unit}, of {load.limit:.0f} by {load.whose}" for load in full[:3] or against[:1]
    )
    more = f", and {len(full) - 3} more" if len(full) > 3 else ""
    begin = "DynamoDB nearly or already full" if full else "the fullest of DynamoDB's limits"
    return Check(name, "warning" if full else "fine", f"{begin}: {told}{more}, with all that is to come{age}")


def _age(seconds: float) -> str:
    """How old a figure is, in words, when it is not of now."""
    for unit, word in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f" (noted {seconds / unit:.0f} {word} ago)"
    return ""


def _cost(region: str, survivors: Sequence[str], facts: Facts) -> Check:
    """Requests cost the same in every Region, and each replica bears every write already: what is paid only moves."""
    rate = facts.rates.get(region)
    if rate is None or facts.request_usd is None:
        return Check("cost", "unknown", "the traffic that moves is not known, so its cost is not either")
    moved = rate * 3600 * facts.request_usd
    return Check(
        "cost", "fine", f"nothing more: about {moved:.2f} USD an hour for requests moves to {', '.join(survivors)}"
    )


def _risk(region: str, facts: Facts) -> Check:
    risk = writes_at_risk(region, facts)
    if risk is None:
        return Check("writes at risk", "unknown", f"how far replication out of {region} is behind is not known")
    lag_ms = facts.lag_ms.get(region) or 0.0
    text = f"about {risk:.0f} acknowledged writes are on their way out of {region} ({lag_ms:.0f} ms behind)"
    return Check("writes at risk", "fine" if lag_ms < 10_000 else "warning", text)


def _time(facts: Facts) -> Check:
    after_s = facts.ttl_s + facts.switch_s
    text = (
        f"the switch takes {facts.switch_s:.0f} s, answers live {facts.ttl_s} s: clients moved in about {after_s:.0f} s"
    )
    return Check("expected time", "fine", text)
