"""The decision under attack: liars, broken observers, clocks, silence, flapping, two sick Regions, random worlds."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from outlast.ops.decide.apart import LOOK_BACK_S, Apart
from outlast.ops.decide.rules import Decision, Judge, Rule
from outlast.ops.sightings import LAGGING, PLACES, SIDES, Sample
from outlast.ops.watch import rule_at
from tests.unit.ops.test_decide import A, B, Chance, signals

Change = Callable[[Sample], Sample | None]
ENDPOINT = {"probe-fresh", "probe-pooled", "observer-canary", "region-canary", "endpoint-metrics"}
"""What a gray failure of a Region's endpoint shows in: each of them waits 1.5 s, and two seconds are too late."""


def judged(
    seconds: float, chance: Chance, seed: int = 1, change: Change = lambda sample: sample, skew: Chance | None = None
) -> Iterator[tuple[float, Decision]]:
    """The time that it really is, and the decision; `change` alters or withholds a sample, `skew` sets the clock."""
    judge = Judge((A, B), rule_at(10.0))
    clock = skew or (lambda at_s, vantage, region: 0.0)
    pending: list[Sample] = []
    for each in signals(seconds, chance, seed):
        if isinstance(each, Sample):
            pending.append(each)
            continue
        for sample in sorted(pending, key=lambda sample: sample.at_s):
            if (kept := change(sample)) is not None:
                judge.add(replace(kept, at_s=kept.at_s + clock(kept.at_s, "", "")))
        pending.clear()
        yield each, judge.assess(each + clock(each, "", ""))


def gray(begin_s: float, end_s: float = 1e9, region: str = A, noise: float = 0.02) -> Chance:
    """Every look at the endpoint is late; all else is noise."""

    def chance(at_s: float, vantage: str, where: str) -> float:
        if vantage in LAGGING:
            return 0.0
        return 1.0 if where == region and vantage in ENDPOINT and begin_s <= at_s < end_s else noise

    return chance


def left(found: Iterator[tuple[float, Decision]]) -> list[tuple[float, str]]:
    """When which Region was to be left."""
    return [(at_s, decision.region) for at_s, decision in found if decision.action == "evacuate"]


@pytest.mark.parametrize("place", sorted(set(PLACES.values())))
@pytest.mark.parametrize("seed", range(3))
def test_one_place_that_lies_moves_nobody(place: str, seed: int) -> None:
    def chance(at_s: float, vantage: str, region: str) -> float:
        return 1.0 if PLACES[vantage] == place and region == A else 0.02

    assert left(judged(300, chance, seed)) == []


def test_an_alarm_that_was_made_of_a_lying_canary_is_no_second_witness() -> None:
    """Nor is a Region's alarm that tells of trouble nobody there sees any more; beside one who sees it, it is."""
    liars = {"observer-canary", "observer-alarm", "region-alarm"}
    lie = lambda at, vantage, region: float(region == A and vantage in liars)  # noqa: E731
    assert left(judged(120, lie)) == []
    told = liars | {"endpoint-metrics"}
    assert left(judged(120, lambda at, vantage, region: float(region == A and vantage in told)))


def test_an_alarm_stands_in_where_nobody_looks() -> None:
    bad = {"probe-fresh", "probe-pooled", "observer-alarm"}
    unseen = lambda sample: None if sample.vantage == "observer-canary" else sample  # noqa: E731
    assert left(judged(120, lambda at, vantage, region: float(region == A and vantage in bad), change=unseen))
    assert not left(judged(120, lambda at, vantage, region: float(region == A and vantage in bad)))


def test_a_quorum_of_one_asks_for_one_place() -> None:
    judge = Judge((A, B), Rule(quorum=1))
    for each in signals(60, lambda at, vantage, region: float(region == A and vantage == "probe-fresh")):
        if isinstance(each, Sample):
            judge.add(each)
        else:
            decision = judge.assess(each)
    assert decision.finding(A).state == "impaired"


def test_a_rule_that_holds_for_no_time_still_ends() -> None:
    judge = Judge((A, B), rule_at(10.0, hold_s=0.0))
    states = set()
    for each in signals(120, gray(40, 60, noise=0.0)):
        if isinstance(each, Sample):
            judge.add(each)
        else:
            decision = judge.assess(each)
            states.add(decision.finding(A).state)
    assert {"impaired", "healthy"} <= states
    assert decision.finding(A).state == "healthy"


def after_a_stall(at_s: float, vantage: str, region: str) -> float:
    """All stands still from 60 to 90 s; A's canaries fail for longer than B's, as they were recorded to do."""
    if vantage in ("observer-canary", "region-canary", "region-alarm"):
        return float(60 <= at_s < (134 if region == A else 90))
    return float(60 <= at_s < 90 and vantage.startswith("probe"))


def test_canaries_that_still_tell_of_a_stall_that_probes_saw_end_convict_nobody() -> None:
    for seed in range(8):
        assert left(judged(200, after_a_stall, seed)) == [], seed

    def alone(at_s: float, vantage: str, region: str) -> float:
        return float(region == A and at_s > 60 and vantage in ("observer-canary", "region-canary", "region-alarm"))

    def lasting(at_s: float, vantage: str, region: str) -> float:
        return max(alone(at_s, vantage, region), after_a_stall(at_s, vantage, region))

    assert left(judged(200, lasting, 1))[0][0] > 145, "once what they saw is newer than that, they count"
    assert left(judged(200, alone, 1))[0][0] < 100, "and where nothing ended, at once"


@pytest.mark.parametrize("seed", range(8))
def test_an_observer_whose_own_network_breaks_moves_nobody(seed: int) -> None:
    """Its probes fail and it gets no metrics, again and again; the Regions come back to it up to five seconds apart."""
    chooser = random.Random(seed)
    breaks = [(start, start + chooser.uniform(5, 60)) for start in range(40, 400, 80)]
    late = {region: chooser.uniform(0, 5) for region in (A, B)}

    def broken(at_s: float, region: str) -> bool:
        return any(start <= at_s < end + late[region] for start, end in breaks)

    def chance(at_s: float, vantage: str, region: str) -> float:
        return 1.0 if broken(at_s, region) and vantage.startswith("probe") else 0.01

    def hidden(sample: Sample) -> Sample | None:
        return sample if sample.vantage.startswith("probe") or not broken(sample.at_s, sample.region) else None

    assert left(judged(440, chance, seed, hidden)) == []


@pytest.mark.parametrize("seed", range(8))
def test_all_regions_degraded_at_once_move_nobody(seed: int) -> None:
    """Each look fails three times in five, in stretches that begin and end within three seconds of one another."""
    chooser = random.Random(seed)
    lag_s = {region: chooser.uniform(0, 3) for region in (A, B)}
    share = chooser.uniform(0.3, 0.8)

    def chance(at_s: float, vantage: str, region: str) -> float:
        return share if (at_s - lag_s[region]) % 60 > 25 and vantage != "health-events" else 0.01

    assert left(judged(400, chance, seed)) == []


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("without", [{"endpoint-metrics", "component-metrics"}, {"observer-canary"}, {"region-canary"}])
def test_a_region_without_traffic_or_without_a_canary_is_found_sick_in_time(without: set[str], seed: int) -> None:
    """And three samples in ten are missing."""
    chooser = random.Random(seed)

    def some(sample: Sample) -> Sample | None:
        lost = sample.vantage in without or ("canary" not in sample.vantage and chooser.random() < 0.3)
        return None if lost else sample

    found = left(judged(140, gray(60 + seed), seed, some))
    assert found
    assert {region for _, region in found} == {A}
    assert 0 < found[0][0] - 60 - seed <= 30


@pytest.mark.parametrize("step_s", [-3600.0, -20.0, 3600.0])
@pytest.mark.parametrize("at_s", [50.0, 64.0, 69.0])
def test_a_clock_that_is_set_neither_finds_a_failure_nor_hides_it(step_s: float, at_s: float) -> None:
    skew: Chance = lambda now_s, vantage, region: step_s if now_s >= at_s else 0.0  # noqa: E731
    assert left(judged(200, lambda at, vantage, region: 0.02, 2, skew=skew)) == []
    found = left(judged(200, gray(60), 2, skew=skew))
    assert {region for _, region in found} == {A}
    assert max(at_s, 60) + 9 <= found[0][0] <= max(at_s, 60) + 30
    over = left(judged(200, gray(60, 68), 2, skew=skew))
    assert over == [], "eight bad seconds are no more than eight, however long the clock says they were"


@pytest.mark.parametrize("asleep_s", [12.0, 40.0, 3600.0])
def test_a_machine_that_slept_does_not_go_by_what_it_saw_before(asleep_s: float) -> None:
    """Bad looks before it slept, and three more when it wakes: its network is not up yet."""
    judge = Judge((A, B), rule_at(10.0))
    actions = set()
    for tick in range(400):
        at_s = tick / 2 + (asleep_s if tick >= 120 else 0.0)
        for region in (A, B):
            bad = region == A and 104 <= tick < 123
            for vantage in SIDES:
                if vantage not in LAGGING:
                    judge.add(Sample(at_s, vantage, region, bad))
        actions.add(judge.assess(at_s).action)
    assert actions == {"none"}


def test_a_region_that_is_sick_for_twenty_seconds_in_forty_is_left_only_while_it_is() -> None:
    flapping: Chance = lambda at, vantage, region: gray(60)(at, vantage, region) if at % 40 < 20 else 0.0  # noqa: E731
    found = left(judged(400, flapping, 3))
    assert {region for _, region in found} == {A}
    assert all(at_s % 40 <= 25 for at_s, _ in found), "customers were let down within a few seconds"


@pytest.mark.parametrize("seed", range(4))
def test_two_regions_sick_in_turn_are_left_in_turn_and_never_for_a_sick_one(seed: int) -> None:
    def chance(at_s: float, vantage: str, region: str) -> float:
        return max(gray(60, 140)(at_s, vantage, region), gray(120, 240, B)(at_s, vantage, region))

    found = left(judged(300, chance, seed))
    assert {region for at_s, region in found if at_s < 118} == {A}
    assert {region for at_s, region in found if 125 < at_s < 140} == set(), "both are sick"
    assert {region for at_s, region in found if at_s > 150} == {B}


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_a_region_that_serves_is_not_left_for_one_that_does_not(seed: int) -> None:
    """Random worlds: each vantage point fails in each Region at rates of their own that change every few seconds."""
    chooser = random.Random(seed)
    rates = {
        (vantage, region, stretch): chooser.choice((0.0, 0.0, 0.02, 0.3, 0.7, 1.0))
        for vantage in SIDES
        for region in (A, B)
        for stretch in range(12)
    }
    served: dict[str, list[float]] = {A: [], B: []}

    def note(sample: Sample) -> Sample:
        if sample.vantage.startswith("probe") and not sample.bad:
            served[sample.region].append(sample.at_s)
        return sample

    length_s = chooser.choice((7, 15, 40))
    chance: Chance = lambda at, vantage, region: rates[vantage, region, int(at / length_s) % 12]  # noqa: E731
    for at_s, decision in judged(300, chance, seed, note):
        if decision.action == "evacuate":
            (other,) = {A, B} - {decision.region}
            assert decision.finding(other).state != "impaired"
            assert any(at_s - 15 <= each <= at_s for each in served[other]), "somebody was served there just now"
            votes = [vote for vote in decision.finding(decision.region).votes if vote.verdict == "bad"]
            assert len({PLACES[vote.vantage] for vote in votes}) >= 2


def seconds(
    apart: Apart, region: str, *, good: range | tuple[int, ...] = (), bad: range | tuple[int, ...] = ()
) -> None:
    for second in sorted({*good, *bad}):
        for vantage in ("probe-fresh", "probe-pooled"):
            apart.add(Sample(second + 0.5, vantage, region, second in bad))


def test_seconds_in_which_one_served_all_and_the_other_nobody_are_counted() -> None:
    apart = Apart((A, B))
    seconds(apart, A, good=(0,), bad=range(1, 21))
    seconds(apart, B, good=(5, 6, 10, 12, 13, 14, 19), bad=(10, 15, 16, 17, 18))
    contrast = apart.contrast(A, B, 20.0)
    assert contrast.served == 6, "in the tenth second not all who asked were served"
    assert contrast.silent_s == 19.5
    assert contrast.steady == pytest.approx(4 / 8)
    assert apart.contrast(B, A, 20.0).served == 0
    apart.add(Sample(20.5, "observer-canary", A, False))
    assert apart.contrast(A, B, 21.0).served == 0, "it has served somebody"


def test_seconds_in_which_nobody_asked_tell_nothing() -> None:
    apart = Apart((A, B))
    seconds(apart, B, good=range(20))
    assert apart.contrast(A, B, 20.0).served == 0
    seconds(apart, A, bad=(0, 9))
    assert apart.contrast(A, B, 20.0).served == 3, "a look that failed by then began up to two seconds earlier"


def test_what_is_long_ago_is_forgotten() -> None:
    apart = Apart((A, B))
    seconds(apart, A, bad=range(2000))
    seconds(apart, B, good=range(2000))
    assert apart.contrast(A, B, 2000.0).served == LOOK_BACK_S - 1
    assert sum(len(each.good) + len(each.bad) for each in apart._answers.values()) < 100
