"""What the safety rules allow."""

from __future__ import annotations

import pytest

from outlast.cloud.services.arc_cluster.switches import FORGET_AFTER_MS, OFF, Rule, Switch, change, pack, parse

NOW = 1_700_000_000_000
LONG_AGO = NOW - 60_000


def rule(kind: str = "assertion", **fields: object) -> Rule:
    given: dict[str, object] = {
        "id": "r",
        "panel": "p",
        "name": "rule",
        "kind": kind,
        "judged": ("a", "b"),
        "targets": (),
        "type": "ATLEAST",
        "threshold": 1,
        "inverted": False,
        "wait_ms": 5000,
    }
    return Rule(**{**given, **fields})  # type: ignore[arg-type]


def states(**on: bool) -> bytes:
    return pack({key: Switch(value, LONG_AGO) for key, value in on.items()})


def outcome(value: bytes | None, wanted: dict[str, bool], *rules: Rule, now_ms: int = NOW) -> str:
    """Empty when the change was made, else why not."""
    after, violation = change(value, wanted, rules, now_ms, frozenset(wanted))
    if violation is not None:
        assert after == value
        return violation.why
    assert {key: parse(after).get(key, OFF).on for key in wanted} == wanted
    return ""


def test_a_control_that_was_never_set_is_off_and_can_be_set() -> None:
    assert parse(None) == {}
    assert outcome(None, {"a": True, "b": False}) == ""


@pytest.mark.parametrize(
    ("type", "threshold", "inverted", "on", "allowed"),
    [
        ("ATLEAST", 1, False, "", False),
        ("ATLEAST", 1, False, "a", True),
        ("ATLEAST", 2, False, "a", False),
        ("ATLEAST", 2, False, "ab", True),
        ("ATLEAST", 2, True, "a", True),
        ("ATLEAST", 2, True, "ab", False),
        ("AND", 0, False, "a", False),
        ("AND", 0, False, "ab", True),
        ("AND", 0, True, "ab", False),
        ("OR", 0, False, "", False),
        ("OR", 0, False, "b", True),
        ("OR", 0, True, "", True),
    ],
)
def test_assertions_judge_the_states_after_the_change(
    type: str, threshold: int, inverted: bool, on: str, allowed: bool
) -> None:
    guard = rule(type=type, threshold=threshold, inverted=inverted)
    wanted = {key: key in on for key in "ab"}
    opposite = states(**{key: not value for key, value in wanted.items()})

    assert (outcome(opposite, wanted, guard) == "") is allowed


def test_both_may_change_places_in_one_request_but_not_one_by_one() -> None:
    guard = rule()

    assert outcome(states(a=True, b=False), {"a": False, "b": True}, guard) == ""
    assert "assertion" in outcome(states(a=True, b=False), {"a": False}, guard)


def test_a_rule_does_not_judge_changes_of_other_controls() -> None:
    after, violation = change(states(a=False, b=False), {"c": True}, [rule()], NOW, frozenset("abc"))

    assert violation is None
    assert parse(after)["c"].on


def test_a_gate_judges_the_states_before_the_change() -> None:
    gate = rule("gating", judged=("g",), targets=("a",), type="OR", threshold=0)

    assert "gate" in outcome(states(g=False, a=False), {"a": True}, gate)
    assert "gate" in outcome(states(g=False, a=False), {"a": True, "g": True}, gate)
    assert outcome(states(g=True, a=False), {"a": True}, gate) == ""
    assert outcome(states(g=True, a=False), {"g": False}, gate) == ""


@pytest.mark.parametrize(
    ("passed_ms", "allowed"), [(0, False), (4999, False), (5000, True), (-4999, False), (-5000, True)]
)
def test_the_wait_period_ends_even_when_clocks_differ(passed_ms: int, allowed: bool) -> None:
    value = pack({"a": Switch(True, NOW - passed_ms), "b": Switch(True, LONG_AGO)})

    assert (outcome(value, {"b": False}, rule()) == "") is allowed


def test_setting_what_is_set_is_always_allowed_and_changes_nothing() -> None:
    value = pack({"a": Switch(False, NOW), "b": Switch(False, NOW)})

    after, violation = change(value, {"a": False}, [rule()], NOW, frozenset("ab"))

    assert (after, violation) == (value, None)


def test_states_of_deleted_controls_are_forgotten_in_time() -> None:
    value = pack({"gone": Switch(True, NOW - FORGET_AFTER_MS - 1), "just gone": Switch(True, NOW - 1)})

    after, _ = change(value, {"a": True}, [], NOW, frozenset("a"))

    assert set(parse(after)) == {"just gone", "a"}
