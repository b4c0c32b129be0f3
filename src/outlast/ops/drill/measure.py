"""What the request log says: recovery time by phases, failures by second, sales of one product to two. Pure.

Recovery time runs from the begin of the impact to the last request that a well-behaved customer lost to the evacuated
Region. Stubborn clients, who outlive their DNS answers, are told apart and never left out.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from outlast.ops.load.log import Record

SLOW_MS: Final = 1500.0
PHASES: Final = ("detected", "decided", "switched", "last failing request")


@dataclass(frozen=True, slots=True)
class Marks:
    """When things happened, in epoch seconds. None: it did not. `ended_s`: when the measurement ends."""

    region: str
    impact_s: float
    ended_s: float
    detected_s: float | None = None
    decided_s: float | None = None
    switched_s: float | None = None


@dataclass(frozen=True, slots=True)
class Rto:
    """Recovery time in seconds, and each phase's part of it.

    `seconds` is None when customers were still losing requests at the end, when nobody was served after the last one
    that was lost, and when there was no impact to recover from. `felt` is False when nobody lost one.
    """

    felt: bool
    seconds: float | None
    phases: tuple[tuple[str, float], ...]
    last_bad_s: float | None
    lost: int


def recovery(records: Iterable[Record], marks: Marks | None, *, stubborn: bool, slow_ms: float = SLOW_MS) -> Rto:
    """The recovery time of the well-behaved customers, or of the stubborn ones; not measured without `marks`."""
    if marks is None:
        return Rto(False, None, (), None, 0)
    theirs = [record for record in records if record.stubborn == stubborn and record.ended_s >= marks.impact_s]
    bad = [record for record in theirs if _lost_to(record, marks, slow_ms)]
    last_bad_s = max((record.ended_s for record in bad), default=marks.impact_s)
    served = any(record.at_s >= last_bad_s and not record.bad(slow_ms) for record in theirs)
    if not bad:
        return Rto(False, 0.0 if served else None, _phases(marks, None), None, 0)
    restored = served and marks.switched_s is not None and last_bad_s < marks.ended_s
    seconds = last_bad_s - marks.impact_s if restored else None
    return Rto(True, seconds, _phases(marks, last_bad_s if restored else None), last_bad_s, len(bad))


def _lost_to(record: Record, marks: Marks, slow_ms: float) -> bool:
    """Whether a request was lost to the Region: aimed there, or nowhere because the name had no answer."""
    within = marks.impact_s <= record.ended_s and record.at_s <= marks.ended_s
    return within and record.where in (marks.region, "") and record.bad(slow_ms)


def _phases(marks: Marks, last_bad_s: float | None) -> tuple[tuple[str, float], ...]:
    """Seconds of each phase, as far as it came."""
    moments = (marks.detected_s, marks.decided_s, marks.switched_s, last_bad_s)
    before = marks.impact_s
    found: list[tuple[str, float]] = []
    for name, moment in zip(PHASES, moments, strict=True):
        if moment is None:
            break
        found.append((name, round(max(0.0, moment - before), 3)))
        before = max(before, moment)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Customers:
    """How many requests there were, and how they ended. `sent_again`: those that their client sent more than once."""

    requests: int
    outcomes: Mapping[str, int]
    bad: int
    p50_ms: float
    p99_ms: float
    sent_again: int = 0

    @property
    def bad_share(self) -> float:
        """Share of requests that let a customer down."""
        return self.bad / self.requests if self.requests else 0.0


def customers(records: Sequence[Record], slow_ms: float = SLOW_MS) -> Customers:
    """The sum of it; nothing is left out."""
    times = sorted(record.ms for record in records if record.outcome not in ("shed", "unresolved"))
    return Customers(
        requests=len(records),
        outcomes=dict(sorted(Counter(record.outcome for record in records).items())),
        bad=sum(record.bad(slow_ms) for record in records),
        p50_ms=percentile(times, 50),
        p99_ms=percentile(times, 99),
        sent_again=sum(record.attempts > 1 for record in records),
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of sorted values; 0 of none."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests by second from `start_s` on: good and bad ones by the Region they went to; p50 and p95 of all.

    The name "nowhere" stands for requests whose name had no answer.
    """

    start_s: float
    good: Mapping[str, Sequence[int]]
    bad: Mapping[str, Sequence[int]]
    p50_ms: Sequence[float | None]
    p95_ms: Sequence[float | None]


def traffic(records: Sequence[Record], slow_ms: float = SLOW_MS) -> Traffic:
    """Traffic by the second in which requests were due."""
    if not records:
        return Traffic(0.0, {}, {}, (), ())
    start_s = math.floor(min(record.at_s for record in records))
    seconds = math.floor(max(record.at_s for record in records)) - start_s + 1
    good: defaultdict[str, list[int]] = defaultdict(lambda: [0] * seconds)
    bad: defaultdict[str, list[int]] = defaultdict(lambda: [0] * seconds)
    times: list[list[float]] = [[] for _ in range(seconds)]
    for record in records:
        second = math.floor(record.at_s) - start_s
        (bad if record.bad(slow_ms) else good)[record.where or "nowhere"][second] += 1
        times[second].append(record.ms)
    ordered = [sorted(each) for each in times]
    return Traffic(
        start_s=float(start_s),
        good=dict(sorted(good.items())),
        bad=dict(sorted(bad.items())),
        p50_ms=[percentile(each, 50) if each else None for each in ordered],
        p95_ms=[percentile(each, 95) if each else None for each in ordered],
    )


def share_in(records: Iterable[Record], region: str, from_s: float, to_s: float) -> float | None:
    """Share of the answered requests due in [from_s, to_s) that the Region answered; None when there were none."""
    answered = [record for record in records if from_s <= record.at_s < to_s and record.where]
    if not answered:
        return None
    return sum(record.where == region for record in answered) / len(answered)


def double_sales(orders: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Products held by more than one order: `orders` are DynamoDB items of the orders table."""
    by_product: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for item in orders:
        if "product_id" in item:
            held = {name: str(item.get(name, {}).get("S", "")) for name in ("order_id", "region", "placed_at")}
            by_product[str(item["product_id"]["S"])].append(held)
    return [
        {"product_id": product, "orders": sorted(held, key=lambda order: (order["placed_at"], order["order_id"]))}
        for product, held in sorted(by_product.items())
        if len(held) > 1
    ]
