"""The decision: gray failures are found, noise is not taken for one, and nobody is sent where nothing works."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from outlast.ops.decide.rules import Decision, Judge, Rule
from outlast.ops.decide.survivors import unready
from outlast.ops.decide.window import Sight, Window
from outlast.ops.sightings import LAGGING, SIDES, Sample

A, B = "us-east-1", "us-west-2"
EVERY_S = {
    "observer-canary": 10.0,
    "region-canary": 10.0,
    "observer-alarm": 2.0,
    "region-alarm": 2.0,
    "endpoint-metrics": 2.0,
    "component-metrics": 2.0,
    "probe-fresh": 0.5,
    "probe-pooled": 0.5,
    "heartbeat": 1.0,
    "health-events": 10.0,
}
Chance = Callable[[float, str, str], float]


def signals(seconds: float, chance: Chance, seed: int = 1) -> Iterator[Sample | float]:
    """Samples of every vantage point, each bad with a chance of its own; a float says that a second has passed."""
    chooser = random.Random(seed)
    next_s = {(vantage, region): chooser.random() * every for vantage, every in EVERY_S.items() for region in (A, B)}
    tick = 0.0
    while tick < seconds:
        due = sorted((at, key) for key, at in next_s.items() if at < tick + 1)
        for at, (vantage, region) in due:
            while at < tick + 1:
                yield Sample(at, vantage, region, chooser.random() < chance(at, vantage, region))
                at += EVERY_S[vantage]
            next_s[vantage, region] = at
        tick += 1
        yield tick


def play(seconds: float, chance: Chance, rule: Rule | None = None, seed: int = 1) -> Iterator[Decision]:
    judge = Judge((A, B), rule)
    pending: list[Sample] = []
    for each in signals(seconds, chance, seed):
        if isinstance(each, Sample):
            pending.append(each)
            continue
        for sample in sorted(pending, key=lambda sample: sample.at_s):
            judge.add(sample)
        pending.clear()
        yield judge.assess(each)


def gray(begins_s: float) -> Chance:
    """Three requests in ten fail in A; alarms and metrics follow a little later; AWS says nothing yet."""

    def chance(at_s: float, vantage: str, region: str) -> float:
        if region != A or at_s < begins_s or vantage in ("heartbeat", "health-events", "component-metrics"):
            return 0.0
        if vantage in ("observer-alarm", "region-alarm", "endpoint-metrics"):
            return 1.0 if at_s > begins_s + 12 else 0.0
        return 0.3

    return chance


@pytest.mark.parametrize("seed", range(20))
def test_a_gray_failure_is_found_within_thirty_seconds(seed: int) -> None:
    decided = [decision for decision in play(120, gray(60), seed=seed) if decision.action == "evacuate"]
    assert decided, "never found"
    assert decided[0].region == A
    assert 60 < decided[0].at_s <= 90
    assert "impaired" in decided[0].why
    assert any("heartbeat says good" in dissent for dissent in decided[0].dissent)


def test_a_region_that_was_left_is_ready_again_only_once_it_is_seen_to_serve() -> None:
    """It fails from the first minute to the second; then it must have served for ten seconds, and not be judged ill."""

    def chance(at_s: float, vantage: str, region: str) -> float:
        return gray(60)(at_s, vantage, region) if at_s < 120 else 0.0

    told = {decision.at_s: (decision.finding(A), unready(decision, [A])) for decision in play(240, chance)}
    assert told[55][1] == "", "it was well for a minute"
    assert "us-east-1 has served its customers for 4 s only" in told[5][1]
    for at_s in range(75, 131):
        assert told[at_s][1], at_s
    assert "us-east-1 is impaired itself: " in told[100][1]
    ready_s = min(at_s for at_s, (_, why) in told.items() if at_s > 120 and not why)
    assert told[ready_s][0].state == "healthy"
    assert ready_s < 200


def test_a_region_that_nobody_sees_is_not_ready() -> None:
    (*_, decision) = play(60, lambda *_: 0.0)
    blind = Judge((A, B)).assess(60.0)
    assert unready(decision, [A, B]) == ""
    assert unready(blind, [A]) == "how us-east-1 is nobody can see"


@pytest.mark.slow
def test_eight_noisy_hours_move_nobody() -> None:
    bursts = random.Random(3)
    starts = [bursts.random() * 8 * 3600 for _ in range(40)]

    def noise(at_s: float, vantage: str, region: str) -> float:
        if vantage == "probe-fresh" and any(0 <= at_s - start < 8 for start in starts):
            return 0.5
        return 0.02 if vantage.startswith("probe") else 0.01

    for decision in play(8 * 3600, noise, seed=5):
        assert decision.action == "none", decision.why


def test_one_loud_vantage_point_is_not_enough() -> None:
    for decision in play(120, lambda at, vantage, region: float(vantage == "probe-fresh" and region == A)):
        assert decision.action == "none"
    assert decision.finding(A).state == "suspect"


def test_a_region_that_only_blames_itself_is_not_left() -> None:
    inside = {vantage for vantage, side in SIDES.items() if side == "region"}
    for decision in play(120, lambda at, vantage, region: float(vantage in inside and region == A)):
        assert decision.action == "none"
    assert len(decision.finding(A).with_verdict("bad")) == 4


def test_the_last_healthy_region_is_never_left() -> None:
    decisions = list(play(120, lambda at, vantage, region: float(at > 30)))
    assert {decision.action for decision in decisions} == {"none", "undecided"}
    assert "nowhere to go" in decisions[-1].why
    assert not decisions[-1].waits


def test_a_region_that_serves_and_was_seen_to_shortly_is_not_said_to_be_nowhere() -> None:
    undecided = [each for each in play(60, lambda at, vantage, region: float(region == A)) if each.action != "none"]
    first = undecided[0]
    assert (first.action, first.waits) == ("undecided", True)
    assert "us-west-2 serves its customers, but was seen to for" in first.why
    assert "nowhere" not in first.why
    assert (undecided[-1].action, undecided[-1].waits) == ("evacuate", False)


def test_an_unseen_region_is_no_refuge() -> None:
    judge = Judge((A, B))
    for second in range(40):
        for vantage in SIDES:
            judge.add(Sample(float(second), vantage, A, True))
        decision = judge.assess(float(second))
    assert decision.action == "undecided"
    assert decision.finding(B).state == "unknown"
    assert decision.finding(B).why == "no vantage point could look"


def test_recovery_needs_calm_and_a_verdict_does_not_flap() -> None:
    def chance(at_s: float, vantage: str, region: str) -> float:
        return float(region == A and 20 <= at_s < 50)

    states = [(decision.at_s, decision.finding(A).state) for decision in play(120, chance)]
    impaired = [at_s for at_s, state in states if state == "impaired"]
    assert impaired == [float(at_s) for at_s in range(int(impaired[0]), int(impaired[-1]) + 1)]
    assert impaired[-1] >= 60
    assert states[-1][1] == "healthy"


def test_a_window_keeps_its_verdict_between_the_two_thresholds() -> None:
    window = Window(Sight(window_s=10, enter=0.5, leave=0.1, min_samples=4, min_bad=2))
    for at_s, bad in enumerate([True, True, False, False]):
        window.add(Sample(at_s, "probe-fresh", A, bad))
    assert window.look(4) == "bad"
    for at_s in range(4, 10):
        window.add(Sample(at_s, "probe-fresh", A, False))
    assert window.share == 0.2
    assert window.look(10) == "bad"
    for at_s in range(10, 14):
        window.add(Sample(at_s, "probe-fresh", A, False))
    assert window.look(14) == "good"
    assert window.look(40) == "unknown"


def test_a_survivor_that_only_its_alarms_or_its_heartbeat_doubt_is_a_refuge() -> None:
    doubtful = {"region-alarm", "heartbeat", "health-events"}
    for decision in play(60, lambda at, vantage, region: float(at > 20 and (region == A or vantage in doubtful))):
        last = decision
    assert (last.action, last.region) == ("evacuate", A)


def test_alarms_that_lag_do_not_hold_a_recovery_up() -> None:
    def chance(at_s: float, vantage: str, region: str) -> float:
        over_s = 110 if vantage in LAGGING else 50
        return float(region == A and 20 <= at_s < over_s)

    states = {decision.at_s: decision.finding(A).state for decision in play(120, chance)}
    assert states[60.0] == "impaired"
    assert states[105.0] == "healthy"


def test_one_lone_look_does_not_stop_a_failback_and_two_do() -> None:
    for decision in play(60, lambda at, vantage, region: float(region == A and vantage == "probe-fresh")):
        lone = decision.finding(A)
    assert (lone.state, lone.worsened) == ("suspect", "")
    for decision in play(60, lambda at, vantage, region: float(region == A and vantage.startswith("probe"))):
        pair = decision.finding(A)
    assert "probe-pooled" in pair.worsened
