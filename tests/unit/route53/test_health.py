"""The health state machine with a clock that the test moves."""

from __future__ import annotations

from typing import Any

import pytest

from outlast.cloud.services.route53.health import Board, Outcome, View, checkers, steady, step
from outlast.cloud.services.route53.model import Check

WORLD = ("us-east-1", "us-west-2", "us-east-2", "eu-west-1", "ap-northeast-1")
ENDPOINT = {"Type": "HTTPS", "FullyQualifiedDomainName": "x.example.com", "FailureThreshold": 3, "RequestInterval": 10}


def check(check_id: str = "c", version: int = 1, **config: Any) -> Check:
    return Check(check_id, "reference", version, {**ENDPOINT, **config})


def outcome(ok: bool, at_ms: int = 0) -> Outcome:
    return Outcome(ok, "Success: HTTP Status Code 200, OK" if ok else "Failure: refused", at_ms)


def run(pattern: str, of: Check) -> list[bool]:
    """A checker's view after each probe; `+` passes, `-` fails."""
    view: View | None = None
    seen = []
    for mark in pattern:
        view = step(view, outcome(mark == "+"), of)
        seen.append(view.healthy)
    return seen


@pytest.mark.parametrize(
    ("pattern", "threshold", "expected"),
    [
        ("---", 3, "++-"),
        ("-", 1, "-"),
        ("--+--+", 3, "++++++"),
        ("---+++", 3, "++---+"),
        ("---++-+++", 3, "++------+"),
        ("+++---", 2, "++++--"),
        ("-+-+", 1, "-+-+"),
        ("----------", 10, "+++++++++-"),
    ],
)
def test_a_checker_needs_the_threshold_in_a_row(pattern: str, threshold: int, expected: str) -> None:
    assert run(pattern, check(FailureThreshold=threshold)) == [mark == "+" for mark in expected]


def test_a_checker_keeps_its_last_failure() -> None:
    of = check()
    view = step(step(None, Outcome(False, "Failure: refused", 5), of), outcome(True, 9), of)
    assert view.last.at_ms == 9
    assert view.failure == Outcome(False, "Failure: refused", 5)


def test_a_changed_health_check_is_checked_anew() -> None:
    view = step(None, outcome(False), check(FailureThreshold=1))
    assert not view.healthy
    assert step(view, outcome(False), check(version=2, FailureThreshold=2)).healthy


class Judge:
    """A board in us-east-1, with words for what checkers say."""

    def __init__(self, *checks: Check) -> None:
        self.board = Board("us-east-1", WORLD)
        self.now_s = 100.0
        self.put(*checks)

    def put(self, *checks: Check) -> None:
        for each in checks:
            self.board.put(each)
        self.board.expiry_s = {each.id: 40.0 for each in self.board.checks.values() if each.is_endpoint}

    def say(self, check_id: str, **healthy: bool) -> None:
        version = self.board.checks[check_id].version
        for region, good in healthy.items():
            view = View(version, good, outcome(good))
            self.board.hear(check_id, region.replace("_", "-"), view, self.now_s)

    def read(self, check_id: str, region: str, state: str) -> None:
        version = self.board.checks[check_id].version
        view = steady(None, state in ("OK", "On"), state, state, 0, version)
        self.board.hear(check_id, region, view, self.now_s)

    def healthy(self, check_id: str = "c") -> bool:
        self.board.conclude(self.now_s)
        return self.board.healthy(check_id)


REGIONS = ("us_east_1", "us_west_2", "eu_west_1", "ap_northeast_1", "sa_east_1", "us_west_1")


@pytest.mark.parametrize(
    ("good", "bad", "expected"), [(0, 4, False), (1, 3, True), (1, 4, True), (1, 5, False), (2, 4, True), (4, 0, True)]
)
def test_more_than_18_percent_make_it_healthy(good: int, bad: int, expected: bool) -> None:
    judge = Judge(check())
    judge.say("c", **{region: index < good for index, region in enumerate(REGIONS[: good + bad])})
    assert judge.healthy() is expected
    assert judge.board.share("c", judge.now_s) == pytest.approx(100 * good / (good + bad))


def test_a_new_endpoint_counts_as_healthy_until_something_is_known() -> None:
    assert Judge(check()).healthy()
    assert not Judge(check(Inverted=True)).healthy()


def test_views_that_ran_out_do_not_count_and_the_last_conclusion_holds() -> None:
    judge = Judge(check())
    judge.say("c", us_west_2=True, us_east_1=False, eu_west_1=False, ap_northeast_1=False)
    assert judge.healthy()
    judge.now_s += 30
    judge.say("c", us_east_1=False, eu_west_1=False, ap_northeast_1=False)
    judge.now_s += 15
    assert not judge.healthy()
    judge.now_s += 1_000
    assert not judge.healthy()
    assert judge.board.share("c", judge.now_s) is None


def test_inverted_and_disabled() -> None:
    judge = Judge(
        check(), check("i", Inverted=True), check("d", Disabled=True), check("x", Disabled=True, Inverted=True)
    )
    for each in "cidx":
        judge.say(each, us_east_1=False, us_west_2=False)
    assert [judge.healthy(each) for each in "cidx"] == [False, True, True, False]


@pytest.mark.parametrize(
    ("threshold", "sick", "expected"),
    [(2, "", True), (2, "a", True), (2, "ab", False), (3, "a", False), (0, "abe", True), (4, "", False)],
)
def test_calculated(threshold: int, sick: str, expected: bool) -> None:
    parent = Check("p", "r", 1, {"Type": "CALCULATED", "HealthThreshold": threshold, "ChildHealthChecks": list("abe")})
    judge = Judge(*(check(letter) for letter in "abe"), parent)
    for letter in sick:
        judge.say(letter, us_east_1=False)
    assert judge.healthy("p") is expected


def test_calculated_of_calculated_and_a_circle() -> None:
    def parent(name: str, *children: str) -> Check:
        return Check(name, "r", 1, {"Type": "CALCULATED", "HealthThreshold": 1, "ChildHealthChecks": list(children)})

    judge = Judge(check("a"), parent("p", "a"), parent("q", "p"), parent("x", "y"), parent("y", "x"))
    assert judge.healthy("q")
    judge.say("a", us_east_1=False)
    assert not judge.healthy("q")
    assert not judge.healthy("x")


def alarm(policy: str) -> Check:
    identifier = {"Region": "us-west-2", "Name": "alarm"}
    config = {"Type": "CLOUDWATCH_METRIC", "AlarmIdentifier": identifier, "InsufficientDataHealthStatus": policy}
    return Check("m", "r", 1, config)


@pytest.mark.parametrize(
    ("policy", "states", "expected"),
    [
        ("Healthy", ["OK"], True),
        ("Healthy", ["ALARM"], False),
        ("Healthy", ["ALARM", "INSUFFICIENT_DATA"], True),
        ("Unhealthy", ["OK", "INSUFFICIENT_DATA"], False),
        ("LastKnownStatus", ["ALARM", "INSUFFICIENT_DATA"], False),
        ("LastKnownStatus", ["OK", "INSUFFICIENT_DATA"], True),
        ("LastKnownStatus", ["INSUFFICIENT_DATA"], True),
    ],
)
def test_an_alarm(policy: str, states: list[str], expected: bool) -> None:
    judge = Judge(alarm(policy))
    for state in states:
        judge.read("m", "us-west-2", state)
        judge.healthy("m")
    assert judge.healthy("m") is expected


@pytest.mark.parametrize(("policy", "expected"), [("Healthy", True), ("Unhealthy", False), ("LastKnownStatus", False)])
def test_an_alarm_of_a_lost_region_has_no_data(policy: str, expected: bool) -> None:
    judge = Judge(alarm(policy))
    judge.read("m", "us-west-2", "ALARM")
    assert not judge.healthy("m")
    judge.now_s += 60
    assert judge.healthy("m") is expected


CONTROL = Check("r", "r", 1, {"Type": "RECOVERY_CONTROL", "RoutingControlArn": "arn:x"})


def test_a_routing_control_is_off_until_it_is_read() -> None:
    judge = Judge(CONTROL)
    assert not judge.healthy("r")
    judge.read("r", "us-east-1", "On")
    assert judge.healthy("r")


def test_a_regions_own_reading_of_a_routing_control_wins_while_it_is_fresh() -> None:
    judge = Judge(CONTROL)
    judge.read("r", "us-east-1", "On")
    judge.now_s += 10
    judge.read("r", "us-west-2", "Off")
    assert judge.healthy("r")
    judge.now_s += 6
    assert not judge.healthy("r")
    judge.now_s += 100
    assert not judge.healthy("r")


def test_the_last_known_state_of_a_routing_control_outlives_a_restart() -> None:
    before = Judge(CONTROL)
    before.read("r", "us-east-1", "On")
    assert before.healthy("r")
    after = Judge()
    after.board.remember(before.board.plain())
    after.put(CONTROL)
    assert after.healthy("r")


def test_only_what_changed_is_reported() -> None:
    judge = Judge(check(), check("d"))
    assert judge.board.conclude(judge.now_s) == {"c": True, "d": True}
    assert judge.board.conclude(judge.now_s) == {}
    judge.say("c", us_east_1=False)
    assert judge.board.conclude(judge.now_s) == {"c": False}
    judge.board.drop("c")
    assert judge.board.healthy("c")
    assert judge.board.conclude(judge.now_s) == {}


def test_views_of_an_older_version_are_forgotten() -> None:
    judge = Judge(check())
    judge.say("c", us_east_1=False)
    judge.put(check(version=2))
    assert judge.board.views("c") == {}
    judge.board.hear("c", "us-east-1", View(1, False, outcome(False)), judge.now_s)
    assert judge.board.views("c") == {}


def test_which_regions_check() -> None:
    assert checkers(check(), WORLD) == ("us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1")
    assert checkers(check(), ("us-east-1", "us-east-2")) == ("us-east-1", "us-east-2")
    assert checkers(check(), ("us-east-2",)) == ("us-east-2",)
    named = check(Regions=["us-east-1", "us-west-1", "sa-east-1"])
    assert checkers(named, WORLD) == ("us-east-1",)
    assert checkers(check(Regions=["sa-east-1", "us-west-1", "ap-southeast-1"]), WORLD) == WORLD
