"""The plan of a failback: in steps, each of which must prove itself; not before the data is the same on both sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from outlast.ops.plan.evacuation import Check
from outlast.ops.plan.facts import SWITCH_S, Facts

STEPS: Final = (5, 25, 50, 100)
FULL: Final = 100
CONVERGED_MS: Final = 5_000.0


@dataclass(frozen=True, slots=True)
class FailbackPlan:
    """Give `region` its traffic back: per cent of home's weight at each step, and how long each is watched.

    `resumed_at`: the per cent at which an earlier failback was interrupted; 0: from the beginning. `switch_s`: how long
    a slow switch takes to let the Region in, before any step can be judged.
    """

    region: str
    steps: tuple[int, ...]
    watch_s: float
    settle_s: float
    checks: tuple[Check, ...]
    resumed_at: int = 0
    switch_s: float = 0.0

    @property
    def refused(self) -> tuple[Check, ...]:
        """What stands against it."""
        return tuple(check for check in self.checks if check.weight == "refusal")

    @property
    def expected_s(self) -> float:
        """Until all traffic is back, if every step goes well."""
        return self.switch_s + len(self.steps) * (self.watch_s + self.settle_s)

    def document(self) -> dict[str, Any]:
        """The plan as JSON members."""
        return asdict(self)


def plan_failback(
    region: str,
    regions: Sequence[str],
    facts: Facts,
    *,
    steps: Sequence[int] = STEPS,
    watch_s: float = 60.0,
    settle_s: float | None = None,
    reviewed: bool = False,
    unreviewed: int | None = None,
    percent: int = 0,
) -> FailbackPlan:
    """The plan to return to `region`. `unreviewed`: conflicts that nobody has looked at; `reviewed` says one has.

    `percent` is home's weight now: a Region that is on, with a part of its traffic, was being returned to already, and
    the plan goes on from there. One that is on with all of it has nothing to be given: the plan has no steps.
    """
    if not rises(steps):
        raise ValueError("steps rise to 100")
    checks = (
        _health(region, facts),
        *_whole(region, facts),
        *(_converged(origin, facts) for origin in regions),
        _ledger(reviewed, unreviewed),
        _off(region, facts, percent),
    )
    resumed_at = percent if facts.states.get(region) and percent > 0 else 0
    left = tuple(step for step in steps if step > resumed_at)
    settle_s = facts.ttl_s if settle_s is None else settle_s
    switch_s = 0.0 if facts.states.get(region) else max(0.0, facts.switch_s - SWITCH_S)
    return FailbackPlan(region, left, watch_s, settle_s, checks, resumed_at, switch_s)


def rises(steps: Sequence[int]) -> bool:
    """Whether the steps of a return rise to all of the traffic."""
    return bool(steps) and list(steps) == sorted(set(steps)) and steps[-1] == FULL and steps[0] >= 1


def _health(region: str, facts: Facts) -> Check:
    word = facts.health.get(region, "unknown")
    if word == "healthy":
        return Check(f"health of {region}", "fine", f"{region} is healthy by all who look at it")
    return Check(f"health of {region}", "refusal", f"{region} is {word}: it must be healthy before it gets traffic")


def _whole(region: str, facts: Facts) -> Iterator[Check]:
    """A heartbeat may be fresh in a Region whose older items are still on their way."""
    if region not in facts.healing:
        return
    name, healing = f"data in {region}", facts.healing[region]
    if healing:
        yield Check(name, "refusal", f"{healing}: customers would read what is not so any more")
    else:
        yield Check(name, "fine", "every replica there is whole")


def _converged(origin: str, facts: Facts) -> Check:
    name = f"replication out of {origin}"
    lag_ms = facts.lag_ms.get(origin)
    if lag_ms is None:
        return Check(name, "refusal", "no heartbeat is seen elsewhere: it is not known whether the data has converged")
    if lag_ms > CONVERGED_MS:
        return Check(name, "refusal", f"{lag_ms / 1000:.1f} s behind: wait until the data has converged")
    return Check(name, "fine", f"{lag_ms:.0f} ms behind")


def _ledger(reviewed: bool, unreviewed: int | None) -> Check:
    if reviewed:
        return Check("conflicts", "fine", "reviewed")
    if unreviewed is None:
        return Check("conflicts", "warning", "there is no ledger of conflicts here: look for torn and doubled orders")
    if unreviewed:
        told = (
            f"{unreviewed} conflicts were not reviewed: `outlast conflicts` lists them, `outlast reconcile` judges them"
        )
        return Check("conflicts", "refusal", f"{told}; --reviewed says that somebody has looked")
    return Check("conflicts", "fine", "none")


def _off(region: str, facts: Facts, percent: int) -> Check:
    if facts.states.get(region) and percent >= FULL:
        return Check("switch", "fine", f"{region} is on and has all its traffic: there is nothing to give back")
    if facts.states.get(region):
        return Check("switch", "warning", f"{region} is on already: weights alone will be stepped")
    return Check("switch", "fine", f"{region} is off; it is switched on behind a weight of 0")
