"""Telling Regions apart, second by second: what slows all of them at once cancels out.

Shares and windows say how a Region does. Where a whole machine or network stalls, every Region does badly at times, and
no share tells which of them is sick. A healthy one still answers whenever the others do; a sick one never does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from outlast.ops.sightings import LAGGING, QUICK, Sample

LOOK_BACK_S: Final = 30
LATELY_S: Final = 10
PATIENCE_S: Final = 2
"""A look that began within a second in which the other Region answered has failed by two seconds later."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """How a Region did beside another one, since it last served a customer and at most for LOOK_BACK_S.

    `silent_s`: since it last served one. `served`: seconds in which the other served all who asked, and it nobody.
    `steady`: the share of the last LATELY_S seconds with a look in which the other served somebody.
    """

    silent_s: float
    served: int
    steady: float


@dataclass(slots=True)
class _Answers:
    """One Region's seconds in which customers' quick looks were answered, and in which they were not."""

    good: set[int] = field(default_factory=set)
    bad: set[int] = field(default_factory=set)
    begun_s: float | None = None
    served_s: float | None = None
    newest: int = 0


class Apart:
    """Takes samples in the order of their time; bounded by LOOK_BACK_S."""

    def __init__(self, regions: Sequence[str]) -> None:
        self._answers = {region: _Answers() for region in regions}

    def add(self, sample: Sample) -> None:
        """Take a sample of a Region that is judged."""
        if sample.side != "customer" or sample.vantage in LAGGING:
            return
        answers = self._answers[sample.region]
        if answers.begun_s is None:
            answers.begun_s = sample.at_s
        if not sample.bad:
            answers.served_s = sample.at_s
        if sample.vantage in QUICK:
            second = int(sample.at_s)
            (answers.bad if sample.bad else answers.good).add(second)
            if second > answers.newest:
                answers.newest = second
                oldest = second - LOOK_BACK_S - PATIENCE_S
                answers.good = {each for each in answers.good if each >= oldest}
                answers.bad = {each for each in answers.bad if each >= oldest}

    def contrast(self, region: str, other: str, now_s: float) -> Contrast:
        """How `region` did beside `other`."""
        mine, theirs = self._answers[region], self._answers[other]
        if mine.begun_s is None:
            return Contrast(0.0, 0, 0.0)
        silent_from_s = mine.begun_s if mine.served_s is None else mine.served_s
        served = [
            second
            for second in theirs.good - theirs.bad
            if max(silent_from_s, now_s - LOOK_BACK_S) < second <= now_s
            and any(second + later in mine.bad for later in range(PATIENCE_S + 1))
        ]
        lately = range(int(now_s) - LATELY_S + 1, int(now_s) + 1)
        asked = sum(second in theirs.good or second in theirs.bad for second in lately)
        answered = sum(second in theirs.good for second in lately)
        return Contrast(now_s - silent_from_s, len(served), answered / asked if asked else 0.0)
