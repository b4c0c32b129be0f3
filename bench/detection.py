"""How soon a gray failure is found in recorded signals, and whether they, healthy for eight hours, move anybody.

    python -m bench.detection healthy.jsonl.gz [more.jsonl.gz …] --moments 100

Recordings are `bench.signals`' own. The failure is laid on them as a drill's gray failure of the endpoint was recorded
(30 % errors, two seconds more): each look waits 1.5 s, so every one at that Region is bad from then on; one that was
recorded as answered comes 1.5 s later, a canary's 4 s later (it asks twice); a kept connection is asked once in 1.5 s.
Alarms, replication and functions stay as they were recorded, though alarms would ring after a while.
"""

from __future__ import annotations

import argparse
import random
import sys
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from outlast.ops.decide.apart import PATIENCE_S
from outlast.ops.decide.replay import replay
from outlast.ops.decide.rules import Decision
from outlast.ops.observe.recording import Recording, load
from outlast.ops.sightings import QUICK, SIDES, Sample
from outlast.ops.watch import rule_at

HOURS_S: Final = 8 * 3600.0
PERIODS_S: Final = {
    "observer-canary": 10.0,
    "region-canary": 10.0,
    "probe-fresh": 0.5,
    "probe-pooled": 0.5,
    "heartbeat": 1.0,
}
POLLED_S: Final = 2.0
SEAM_S: Final = 0.5
BEFORE_S: Final = 120.0
AFTER_S: Final = 90.0
WAIT_S: Final = 1.5
CANARY_S: Final = 4.0
BAR_S: Final = 30.0
NOISE: Final = (0.01, 0.1, 0.4, 1.01)


def tile(recording: Recording, number: int, begin_s: float) -> Iterator[Sample]:
    """The recording once, from another starting point on, beginning at `begin_s`; the first tile is as recorded.

    Each vantage point is moved by a part of its own period: what coincides with a stall differs from tile to tile.
    """
    samples, length_s = recording.samples, recording.seconds + SEAM_S
    chooser = random.Random(number)
    start_s = chooser.uniform(0, recording.seconds) if number else 0.0
    shift_s = {each: chooser.uniform(0, PERIODS_S.get(each, POLLED_S)) if number else 0.0 for each in SIDES}
    moved = [
        (begin_s + (each.at_s - recording.begun_s - start_s + shift_s[each.vantage]) % length_s, place, each)
        for place, each in enumerate(samples)
    ]
    for at_s, _, each in sorted(moved):
        yield replace(each, at_s=at_s)


def tiled(recordings: Sequence[Recording], seconds: float) -> Iterator[Sample]:
    """Tile after tile, the recordings in turn, for so long."""
    begin_s, number = 0.0, 0
    while begin_s < seconds:
        recording = recordings[number % len(recordings)]
        tiles = tile(recording, number // len(recordings), begin_s)
        yield from (sample for sample in tiles if sample.at_s <= seconds)
        begin_s, number = begin_s + recording.seconds + SEAM_S, number + 1


def judged(samples: Iterator[Sample] | Sequence[Sample], recording: Recording, step_s: float) -> Iterator[Decision]:
    """What would have been decided."""
    return replay(samples, recording.regions, rule_at(recording.canary_period_s), step_s)


def between(recording: Recording, begin_s: float, end_s: float) -> Sequence[Sample]:
    """What was recorded from `begin_s` on and before `end_s`, seconds of the recording."""
    at_s = lambda each: each.at_s - recording.begun_s  # noqa: E731
    samples = recording.samples
    return samples[bisect_left(samples, begin_s, key=at_s) : bisect_left(samples, end_s, key=at_s)]


def struck(recording: Recording, begin_s: float, region: str) -> list[Sample]:
    """The recording around `begin_s`, with a gray failure of one Region laid on it from then on."""
    laid: list[Sample] = []
    kept_s = float("-inf")
    for each in between(recording, max(0.0, begin_s - BEFORE_S), begin_s + AFTER_S):
        at_s = each.at_s - recording.begun_s
        since_s = at_s - begin_s if each.region == region else -1.0
        if each.vantage in QUICK and since_s >= 0:
            late_s = at_s if each.bad else at_s + WAIT_S
            if each.vantage == "probe-pooled" and late_s - kept_s < WAIT_S:
                continue
            kept_s = late_s if each.vantage == "probe-pooled" else kept_s
            laid.append(replace(each, at_s=late_s, bad=True))
        elif each.vantage.endswith("canary") and since_s >= PATIENCE_S:
            laid.append(replace(each, at_s=at_s if each.bad else at_s + CANARY_S, bad=True))
        elif each.vantage == "endpoint-metrics" and since_s >= PATIENCE_S + 1:
            laid.append(replace(each, at_s=at_s, bad=True))
        else:
            laid.append(replace(each, at_s=at_s))
    return sorted(laid, key=lambda each: each.at_s)


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one failure. `noise`: the share of bad probes around it, as recorded. `after_s` None: not found.

    `tellable`: the other Region served all who asked in twelve seconds of the first 27, as recorded: else nothing was
    to be told apart.
    """

    noise: float
    after_s: float | None
    wrong: bool
    tellable: bool


def measure(recording: Recording, moments: int, seed: int, step_s: float = 0.25) -> list[Found]:
    """A gray failure of each Region at so many random moments."""
    chooser = random.Random(seed)
    begins = [chooser.uniform(BEFORE_S, recording.seconds - AFTER_S) for _ in range(moments)]
    return [_measured(recording, begin_s, region, step_s) for begin_s in begins for region in recording.regions]


def _measured(recording: Recording, begin_s: float, region: str, step_s: float) -> Found:
    around = [each for each in between(recording, begin_s - 15, begin_s + 45) if each.vantage in QUICK]
    noise = sum(each.bad for each in around) / max(1, len(around))
    tellable = any(_serves(recording, begin_s, other) for other in recording.regions if other != region)
    for decision in judged(struck(recording, begin_s, region), recording, step_s):
        if decision.action == "evacuate":
            after_s = decision.at_s - begin_s
            return Found(noise, after_s, decision.region != region or after_s < 0, tellable)
    return Found(noise, None, False, tellable)


def _serves(recording: Recording, begin_s: float, region: str) -> bool:
    looks = [each for each in between(recording, begin_s, begin_s + 27) if each.vantage in QUICK]
    good, bad = (
        {int(each.at_s) for each in looks if each.region == region and each.bad == word} for word in (False, True)
    )
    return len(good - bad) >= rule_at(recording.canary_period_s).apart


def in_time(found: Sequence[Found]) -> float:
    """The share that was found within the bar."""
    return sum(each.after_s is not None and each.after_s < BAR_S and not each.wrong for each in found) / len(found)


def row(name: str, found: Sequence[Found]) -> str:
    """One line of the table."""
    after = sorted(each.after_s for each in found if each.after_s is not None)
    wrong = sum(each.wrong for each in found)
    told = [each for each in found if each.tellable]
    middle, most = (f"{after[int(share * (len(after) - 1))]:.1f} s" if after else "-" for share in (0.5, 0.99))
    could = f"{in_time(told):.0%} of {len(told)}" if told else "-"
    missed = len(found) - len(after)
    return f"| {name} | {len(found)} | {middle} | {most} | {in_time(found):.0%} | {could} | {missed} | {wrong} |"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.detection")
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("--moments", type=int, default=100, help="failures of each Region")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print("| bad probes around it | failures | p50 | p99 | < 30 s | where it could be told | never in 90 s | wrong |")
    print("|---|---|---|---|---|---|---|---|")
    for path in asked.recordings:
        recording = load(path)
        found = measure(recording, asked.moments, asked.seed)
        for least, most in zip((0.0, *NOISE), NOISE, strict=False):
            some = [each for each in found if least <= each.noise < most]
            if some:
                print(row(f"{path.name.split('.')[0]}, {least:.0%} to {min(1.0, most):.0%}", some))
        print(row(f"{path.name.split('.')[0]}, all", found))
    for path in asked.recordings:
        recording = load(path)
        decided = list(judged(tiled([recording], HOURS_S), recording, 0.25))
        moved = sum(each.action == "evacuate" for each in decided)
        impaired = sum(any(finding.state == "impaired" for finding in each.findings) for each in decided)
        print(
            f"{path.name}, healthy, tiled to eight hours: {moved} evacuations, {impaired} verdicts with one impaired."
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
