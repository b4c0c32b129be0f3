"""Hours of a healthy world on an overloaded machine, recorded whole, tiled to eight; and gray failures laid on them.

`python -m bench.signals` recorded them: the order service, canaries every ten seconds, customers on both coasts, and
nothing injected; each header says when, with which command, and how busy the machine was (17 runnable processes for 2
processors on average in the first, 20 in the others: both Regions stood still for tens of seconds, again and again).
The rules were made on the first; the second and the third, unseen until then, each moved somebody once, and the rules
were mended: they are made on these three. The fourth, of a machine half as busy, was judged once, by the rules as they
were before it was made, and moved nobody. No noise is made up; `bench.detection` says how it is tiled.
"""

from __future__ import annotations

import heapq
import re
from pathlib import Path

import pytest
from bench.detection import BAR_S, HOURS_S, Found, between, in_time, judged, measure, struck, tile, tiled

from outlast.ops.observe.recording import Recording, load
from outlast.ops.sightings import SIDES

NAMES = ("healthy-78-minutes", "healthy-36-minutes", "healthy-41-minutes", "healthy-70-minutes")
CALM = 0.1


def recorded(name: str) -> Recording:
    return load(Path(__file__).parent / "recordings" / f"{name}.jsonl.gz")


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_is_what_it_says(name: str) -> None:
    recording = recorded(name)
    assert recording.seconds > int(name.split("-")[1]) * 60 - 1
    assert recording.canary_period_s == 10.0
    assert recording.origin["command"].startswith("python -m bench.signals --minutes ")
    assert {"begun", "load", "requests", "load_average", "processors"} <= set(recording.origin)
    assert {each.vantage for each in recording.samples} == set(SIDES)
    assert 0.001 < sum(each.bad for each in recording.samples) / len(recording.samples) < 0.5, "noisy, and healthy"


@pytest.mark.slow
def test_eight_hours_move_nobody() -> None:
    """Both Regions count as impaired many times, as they were; there is nowhere better to go, and nobody is moved."""
    recordings = [recorded(name) for name in NAMES]
    found = list(judged(tiled(recordings, HOURS_S), recordings[0], 0.5))
    assert found[-1].at_s > HOURS_S - 600
    assert [each for each in found if each.action == "evacuate"] == []
    assert any(finding.state == "impaired" for each in found for finding in each.findings), "it was no easy noise"


@pytest.mark.parametrize("name", NAMES)
def test_a_watch_that_begins_in_the_midst_of_it_moves_nobody(name: str) -> None:
    """It has seen nothing yet of what it meets the end of."""
    recording = recorded(name)
    for begin_s in range(0, int(recording.seconds) - 60, 15):
        found = judged(between(recording, begin_s, begin_s + 60), recording, 0.5)
        assert "evacuate" not in {each.action for each in found}, begin_s


@pytest.fixture(scope="module", params=NAMES)
def found(request: pytest.FixtureRequest) -> list[Found]:
    """Gray failures of each Region at ten moments."""
    return measure(recorded(request.param), 10, seed=8, step_s=0.5)


def test_a_gray_failure_in_noise_is_found_in_time(found: list[Found]) -> None:
    """Below one bad probe in ten, each within thirty seconds."""
    calm = [each for each in found if each.noise < CALM]
    assert len(calm) > 4
    assert [each for each in calm if each.after_s is None or each.after_s >= BAR_S] == []


def test_a_gray_failure_where_all_stand_still_is_found_once_another_region_serves(found: list[Found]) -> None:
    """Nearly each within thirty seconds, where the other served all who asked in twelve; and the sick one is blamed."""
    assert [each for each in found if each.wrong] == []
    assert in_time([each for each in found if each.tellable]) >= 0.9


def test_why_one_was_told_apart_is_said_and_who_doubts_the_other() -> None:
    """In the midst of a stall, near the end of the recording's fourth minute."""
    recording = recorded("healthy-78-minutes")
    decided = judged(struck(recording, 220.0, "us-east-1"), recording, 0.25)
    first = next(each for each in decided if each.action == "evacuate")
    assert first.region == "us-east-1"
    assert re.search(
        r"it served nobody for \d+ s, and us-west-2 served all who asked in \d+ of the last 30 s", first.why
    )
    assert any(each.startswith("us-west-2 was impaired of late: ") for each in first.dissent)
    assert first.finding("us-west-2").state == "suspect", "an operator may move there, and is warned"


def test_tiles_keep_the_order_of_time_and_every_sample() -> None:
    recording = recorded(NAMES[0])
    one = list(tile(recording, 3, 1000.0))
    assert len(one) == len(recording.samples)
    assert [each.at_s for each in one] == heapq.nsmallest(len(one), (each.at_s for each in one))
    assert sum(each.bad for each in one) == sum(each.bad for each in recording.samples)
