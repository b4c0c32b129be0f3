"""Detection on recorded signals: hours of a busy machine's own noise move nobody, a gray failure is found in time.

The recordings are of real worlds on a loaded machine, canaries every three seconds:

* `healthy` is 216 s of a watch over a world without faults, cut from nothing else; noise is laid on it from a seed.
* `stall` is 42 s around a time when the machine stood still for twenty seconds and both Regions with it.
* `gray-failure` is the part of a drill's signals from healthy traffic to the evacuation, while three requests in ten
  failed and the others were two seconds late in us-east-1.

The stall of one Region is not a recording of its own: it is laid on `healthy`, as a very busy machine showed it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from outlast.cli import ops_replay
from outlast.ops.decide.replay import replay
from outlast.ops.decide.rules import Decision
from outlast.ops.observe.recording import load, save
from outlast.ops.outcome import UsageError
from outlast.ops.sightings import SIDES, Sample
from outlast.ops.watch import rule_at
from tests.unit.ops.test_decide import A, B, Chance, gray, signals

RECORDINGS = Path(__file__).parent / "recordings"
HOURS_S = 8 * 3600.0


def decisions(samples: Any, canary_period_s: float = 10.0, step_s: float = 1.0) -> list[Decision]:
    return list(replay(samples, (A, B), rule_at(canary_period_s), step_s))


def generated(seconds: float, chance: Chance, seed: int) -> Iterator[Sample]:
    """Signals with canaries every ten seconds, in the order of their time."""
    pending: list[Sample] = []
    for each in signals(seconds, chance, seed):
        if isinstance(each, Sample):
            pending.append(each)
            continue
        yield from sorted(pending, key=lambda sample: sample.at_s)
        pending.clear()


def again_and_again(name: str, seconds: float) -> Iterator[Sample]:
    """A recording played over and over, for so long."""
    recording = load(RECORDINGS / f"{name}.jsonl.gz")
    shift_s = 0.0
    while shift_s < seconds:
        for sample in recording.samples:
            yield replace(sample, at_s=sample.at_s + shift_s)
        shift_s += recording.seconds + 0.5


def noisy(samples: Iterator[Sample], seed: int) -> Iterator[Sample]:
    """One look in fifty is bad; and now and then one vantage point is half blind for eight seconds."""
    chooser = random.Random(seed)
    until_s, blind = 0.0, ("", "")
    for sample in samples:
        if chooser.random() < 1 / 2000:
            until_s, blind = sample.at_s + 8, (sample.vantage, sample.region)
        chance = 0.5 if sample.at_s < until_s and (sample.vantage, sample.region) == blind else 0.02
        yield replace(sample, bad=True) if chooser.random() < chance else sample


@pytest.mark.slow
def test_eight_hours_of_recorded_noise_move_nobody() -> None:
    recording = load(RECORDINGS / "healthy.jsonl.gz")
    assert recording.seconds > 200
    assert {sample.vantage for sample in recording.samples} == set(SIDES)
    found = decisions(noisy(again_and_again("healthy", HOURS_S), seed=7), recording.canary_period_s)
    assert {each.action for each in found} == {"none"}


def test_a_stall_that_hurts_both_regions_moves_nobody() -> None:
    """Shares outlast the stall by their window; by then the latest looks are good, so neither counts as impaired."""
    recording = load(RECORDINGS / "stall.jsonl.gz")
    found = decisions(recording.samples, recording.canary_period_s, 0.25)
    states = [{finding.region: finding.state for finding in each.findings} for each in found]
    assert any(set(each.values()) == {"suspect"} for each in states), "both were hurt"
    assert any(sorted(each.values()) == ["healthy", "suspect"] for each in states), "one was first to be well"
    assert {each.action for each in found} == {"none"}


STALLED = ("probe-fresh", "probe-pooled", "heartbeat", "endpoint-metrics", "component-metrics")
CANARIES = ("observer-canary", "region-canary")


@pytest.mark.parametrize("seconds", [8.0, 10.0])
@pytest.mark.parametrize("hit", [STALLED[:3], STALLED, STALLED + CANARIES])
def test_a_stall_of_one_region_moves_nobody(hit: tuple[str, ...], seconds: float) -> None:
    """Six looks in ten are bad in one Region for 8 to 10 s, from the 100th second of `healthy` on, by ten seeds."""
    recording = load(RECORDINGS / "healthy.jsonl.gz")
    begin_s = recording.samples[0].at_s + 100
    for seed in range(10):
        chooser = random.Random(seed)
        stalled = [
            replace(each, bad=True)
            if each.region == A
            and begin_s <= each.at_s < begin_s + seconds
            and each.vantage in hit
            and chooser.random() < 0.6
            else each
            for each in recording.samples
        ]
        found = decisions(stalled, recording.canary_period_s, 0.25)
        assert {each.action for each in found} == {"none"}, seed
        assert "suspect" in {each.finding(A).state for each in found}, "it was seen"


def test_the_same_stall_that_does_not_end_is_left() -> None:
    recording = load(RECORDINGS / "healthy.jsonl.gz")
    begin_s = recording.samples[0].at_s + 100
    chooser = random.Random(1)
    lasting = [
        replace(each, bad=True)
        if each.region == A and each.at_s >= begin_s and each.vantage in STALLED and chooser.random() < 0.6
        else each
        for each in recording.samples
    ]
    left = [each for each in decisions(lasting, recording.canary_period_s, 0.25) if each.action == "evacuate"]
    assert left[0].region == A
    assert 10 < left[0].at_s - begin_s < 20


def test_a_recorded_gray_failure_is_found_in_time_and_blamed_on_the_right_region() -> None:
    recording = load(RECORDINGS / "gray-failure.jsonl.gz")
    hurt = [sample.at_s for sample in recording.samples if sample.bad and sample.vantage.startswith("probe")]
    found = [each for each in decisions(recording.samples, recording.canary_period_s) if each.action == "evacuate"]
    assert found
    assert found[0].region == A
    assert found[0].at_s - hurt[0] < 30
    assert found[0].dissent, "not everybody saw it"


@pytest.mark.parametrize("seed", range(10))
def test_canaries_every_ten_seconds_find_a_gray_failure_of_thirty_per_cent_and_two_seconds(seed: int) -> None:
    """Two seconds more are over what a probe waits for: every look is bad, and canaries fail three times in ten."""

    def chance(at_s: float, vantage: str, region: str) -> float:
        slow = region == A and at_s >= 60 and vantage.startswith("probe")
        return 1.0 if slow else gray(60)(at_s, vantage, region)

    found = [each for each in decisions(generated(120, chance, seed)) if each.action == "evacuate"]
    assert found
    assert 60 < found[0].at_s < 90


def test_a_region_that_fails_and_heals_by_turns_is_judged_once() -> None:
    """Four seconds bad, six good, for two minutes: the verdict holds, and nobody is moved to and fro."""

    def chance(at_s: float, vantage: str, region: str) -> float:
        turns = 60 <= at_s < 180 and at_s % 10 < 4
        return float(region == A and turns and vantage != "health-events")

    found = decisions(generated(260, chance, 3))
    states = [each.finding(A).state for each in found]
    turns = [(before, after) for before, after in pairwise(states) if before != after]
    assert turns.count(("impaired", "healthy")) <= 1
    assert states[-1] == "healthy"


def test_the_last_healthy_region_is_never_left_whatever_the_noise() -> None:
    for seed in range(5):
        chooser = random.Random(seed)
        loud = {vantage: chooser.random() for vantage in SIDES}
        chance = lambda at, vantage, region, loud=loud: loud[vantage] if at > 30 else 0.0  # type: ignore[misc]  # noqa: E731
        for decision in decisions(generated(200, chance, seed)):
            if decision.action == "evacuate":
                (other,) = {A, B} - {decision.region}
                assert decision.finding(other).fit, "only to a Region that serves its customers"


def test_a_recording_comes_back_as_it_was(tmp_path: Path) -> None:
    samples = [
        Sample(1000.25, "probe-fresh", A, False),
        Sample(1000.5, "heartbeat", B, True, "12.0 s old in us-east-1"),
        Sample(1003.0, "probe-fresh", "eu-west-1", True),
    ]
    save(tmp_path / "a" / "s.gz", samples, (A, B), 10.0)
    recording = load(tmp_path / "a" / "s.gz")
    assert list(recording.samples) == samples[:2]
    assert (recording.regions, recording.canary_period_s, recording.seconds) == ((A, B), 10.0, 0.25)
    save(tmp_path / "empty.gz", [], (A, B), 10.0)
    assert load(tmp_path / "empty.gz").samples == ()


@pytest.mark.parametrize("content", [b"", b"not gzip", b'{"schema": "other"}'])
def test_what_is_no_recording_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(content)
    with pytest.raises(UsageError):
        load(path)
    with pytest.raises(UsageError):
        load(tmp_path / "none.gz")


def test_the_command_tells_what_would_have_been_decided(tmp_path: Path) -> None:
    app = typer.Typer()
    ops_replay.register(app)
    path = tmp_path / "s.gz"
    save(path, generated(120, gray(60), 1), (A, B), 10.0)
    done = CliRunner().invoke(app, [str(path)])
    assert done.exit_code == 3
    assert "evacuate" in done.stdout
    stricter = CliRunner().invoke(app, [str(path), "--quorum", "9", "--output", "table"])
    assert stricter.exit_code == 0
    save(path, generated(120, lambda at, vantage, region: float(at > 60), 1), (A, B), 10.0)
    assert CliRunner().invoke(app, [str(path), "--output", "json"]).exit_code == 5
    assert CliRunner().invoke(app, [str(tmp_path / "none")]).exit_code == 2
