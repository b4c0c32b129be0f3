"""Seventy-eight minutes of a healthy world, recorded whole on an overloaded machine, and tiled to eight hours.

`python -m bench.signals` recorded them: the order service, canaries every ten seconds, customers on both coasts, and
nothing injected; the header says when, with which command, and how busy the machine was (17 runnable processes
for 2 processors on average, 37 at worst: both Regions stood still for tens of seconds, again and again). Each tile
begins elsewhere in the recording, and moves each vantage point by a part of its own period: the stalls stay, what
coincides with them differs. No noise is made up.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from outlast.ops.decide.replay import replay
from outlast.ops.decide.rules import Decision
from outlast.ops.observe.recording import Recording, load
from outlast.ops.sightings import SIDES, Sample
from outlast.ops.watch import rule_at

A, B = "us-east-1", "us-west-2"
HOURS_S = 8 * 3600.0
PERIODS_S = {"observer-canary": 10.0, "region-canary": 10.0, "probe-fresh": 0.5, "probe-pooled": 0.5, "heartbeat": 1.0}
POLLED_S = 2.0
SEAM_S = 0.5
FOUND_S = 30.0


@pytest.fixture(scope="module")
def recording() -> Recording:
    return load(Path(__file__).parent / "recordings" / "healthy-78-minutes.jsonl.gz")


def tile(recording: Recording, number: int, begin_s: float) -> Iterator[Sample]:
    """The recording once, from another starting point on, beginning at `begin_s`; the first tile is as recorded."""
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


def tiled(recording: Recording, seconds: float) -> Iterator[Sample]:
    """Tile after tile, for so long."""
    length_s = recording.seconds + SEAM_S
    count = int(seconds / length_s) + 1
    for sample in chain.from_iterable(tile(recording, number, number * length_s) for number in range(count)):
        if sample.at_s > seconds:
            return
        yield sample


def decisions(samples: Iterator[Sample], step_s: float = 0.5) -> Iterator[Decision]:
    return replay(samples, (A, B), rule_at(10.0), step_s)


def test_the_recording_is_what_it_says(recording: Recording) -> None:
    assert recording.seconds > 78 * 60 - 1
    assert recording.canary_period_s == 10.0
    assert recording.origin["command"].startswith("python -m bench.signals --minutes 78")
    assert {"begun", "load", "requests", "load_average", "processors"} <= set(recording.origin)
    assert {each.vantage for each in recording.samples} == set(SIDES)
    assert 0.02 < sum(each.bad for each in recording.samples) / len(recording.samples) < 0.5, "noisy, and healthy"


@pytest.mark.slow
def test_eight_hours_move_nobody(recording: Recording) -> None:
    """Both Regions count as impaired many times, as they were; there is nowhere better to go, and nobody is moved."""
    found = list(decisions(tiled(recording, HOURS_S)))
    assert found[-1].at_s > HOURS_S - 600
    assert [each for each in found if each.action == "evacuate"] == []
    assert any(finding.state == "impaired" for each in found for finding in each.findings), "it was no easy noise"


def struck(recording: Recording, begin_s: float, region: str) -> Iterator[Sample]:
    """The recording with a gray failure laid on it: from then on 30 % errors and two seconds more in one Region.

    Every probe and each canary that the two seconds make late is bad, by what is recorded of a drill's gray failure:
    probes wait 1.5 s; canaries fail three times in ten; the endpoint's own p90 is over its limit. All else stays.
    """
    chooser = random.Random(begin_s)
    for each in recording.samples:
        at_s = each.at_s - recording.begun_s
        if at_s < begin_s or each.region != region:
            hit = False
        elif each.vantage.startswith("probe") or each.vantage == "endpoint-metrics":
            hit = True
        else:
            hit = each.vantage.endswith("canary") and chooser.random() < 0.3
        yield replace(each, at_s=at_s, bad=each.bad or hit)
        if at_s > begin_s + 120:
            return


@pytest.mark.parametrize("region", [A, B])
@pytest.mark.parametrize("begin_s", range(2400, 4001, 400))
def test_a_gray_failure_in_the_same_signals_is_found_in_time(recording: Recording, begin_s: int, region: str) -> None:
    """In the calmer half of the recording: where both Regions stand still, there is nothing to tell apart."""
    found = [each for each in decisions(struck(recording, begin_s, region), 0.25) if each.action == "evacuate"]
    assert found, "never found"
    assert {each.region for each in found} == {region}
    assert 0 < found[0].at_s - begin_s < FOUND_S


def test_tiles_keep_the_order_of_time_and_every_sample(recording: Recording) -> None:
    one = list(tile(recording, 3, 1000.0))
    assert len(one) == len(recording.samples)
    assert [each.at_s for each in one] == heapq.nsmallest(len(one), (each.at_s for each in one))
    assert sum(each.bad for each in one) == sum(each.bad for each in recording.samples)
