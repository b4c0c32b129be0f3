"""Judging again what was recorded: what would have been decided, and when. Pure: time comes in with the samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from outlast.ops.decide.rules import Decision, Judge, Rule
from outlast.ops.sightings import Sample

STEP_S = 0.25
"""As often as the watch assesses."""


def replay(samples: Iterable[Sample], regions: Sequence[str], rule: Rule, step_s: float = STEP_S) -> Iterator[Decision]:
    """Every decision that differs from the one before, in action, Region or any Region's state; the first one too."""
    judge = Judge(regions, rule)
    next_s: float | None = None
    last: tuple[object, ...] = ()
    for sample in samples:
        next_s = sample.at_s if next_s is None else next_s
        while sample.at_s >= next_s + step_s:
            next_s += step_s
            decision = judge.assess(next_s)
            told = (decision.action, decision.region, *(finding.state for finding in decision.findings))
            if told != last:
                last = told
                yield decision
        judge.add(sample)
