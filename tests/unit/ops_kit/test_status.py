"""The status screen and the guard know what is switched off: a Region that was left is not to be left again."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from outlast.cli import ops_guard
from outlast.ops.observe.survey import Latest, Told
from outlast.ops.outcome import OpsError
from outlast.ops.report import status
from tests.unit.ops.fakes import sample_deployment
from tests.unit.ops_kit.test_boards import A, B, decided

HERE = replace(sample_deployment(), capacity={A: {"throttle_rps": 500.0, "concurrency": 1000}})
FAILING = replace(
    decided({A: "impaired", B: "healthy"}), action="evacuate", region=A, why="us-east-1 is impaired: it is"
)
WELL = replace(decided({A: "healthy", B: "healthy"}), why="every Region is healthy")


def shown(decision: Any, latest: Latest, controls: dict[str, bool] | None) -> str:
    out = io.StringIO()
    Console(file=out, width=160).print(status.screen(HERE, decision, latest, controls))
    return out.getvalue()


def test_a_region_that_fails_is_to_be_left_until_it_was() -> None:
    for controls in (None, {}, {A: True, B: True}):
        assert "Evacuate us-east-1: us-east-1 is impaired" in shown(FAILING, Latest(), controls)
    left = shown(FAILING, Latest(), {A: False, B: True})
    assert "Evacuate us-east-1" not in left
    assert "us-east-1 is evacuated, and not well yet: no vantage point could look." in left
    assert status.document(HERE, FAILING, Latest(), {A: False, B: True})["action"] == "none"


def test_who_waits_for_more_looks_is_told_how_to_act_meanwhile() -> None:
    looking = replace(FAILING, action="undecided", why="us-east-1 is impaired: us-west-2 serves", waits=True)
    told = " ".join(shown(looking, Latest(), {A: True, B: True}).split())
    assert "`outlast evacuate us-east-1` looks again, shows its plan and asks; `outlast watch` looks on." in told
    assert status.line(HERE, looking, {A: True, B: True}).endswith("us-east-1 is impaired: looking on")
    assert "evacuate us-east-1`" not in shown(replace(looking, waits=False), Latest(), {A: True, B: True})


def test_a_region_that_was_left_and_is_well_may_be_returned_to() -> None:
    assert "Every Region is healthy." in shown(WELL, Latest(), {A: True, B: True})
    assert "`outlast failback us-east-1`, once" in shown(WELL, Latest(), {A: False, B: True})


def test_a_region_that_is_well_and_sent_nobody_is_named() -> None:
    """As after an evacuation by weighted records: every switch is on, and everybody is well."""
    both, on = (
        {"east": Told("east", ("127.0.0.2",), B, 3.0), "west": Told("west", ("127.0.0.2",), B, 3.0)},
        {A: True, B: True},
    )
    away = (
        "us-east-1 is on and healthy, yet no coast is sent there: `outlast failback us-east-1` brings its weights home"
    )
    assert away in shown(WELL, Latest(told=both), on)
    assert status.document(HERE, WELL, Latest(told=both), on)["why"] == away
    told = {"east": Told("east", ("127.0.0.1",), A, 3.0), "west": Told("west", ("127.0.0.2",), B, 3.0)}
    for latest, controls in (
        (Latest(told=told), on),
        (Latest(told={**both, "east": Told("east", (), "", 0.0, "no answer")}), on),
        (Latest(told={"west": both["west"]}), on),
        (Latest(told=both), {A: False, B: True}),
        (Latest(told=both), None),
    ):
        assert "no coast is sent" not in shown(WELL, latest, controls)
    assert "no coast is sent" not in shown(FAILING, Latest(told=both), on)


def test_the_load_stands_beside_the_limits_and_alarms_are_named() -> None:
    latest = Latest(rates={A: 40.0, B: 3.0}, refused={A: 0.02}, durations_ms={A: 25.0})
    latest.alarms.update({(A, "orders-impaired"): "ALARM", (B, "orders-impaired"): "OK"})
    told = shown(WELL, latest, {A: True, B: True})
    assert (
        "us-east-1: 40.0 requests a second of 500 let in; 1.0 function runs at once of 1000; retry budget: 9 of each "
        "request, 360.0 a second; 2% turned away"
    ) in told
    assert "us-west-2: 3.0 requests a second\n" in told.replace(" " * 20, "").replace(" \n", "\n")
    assert "in alarm: orders-impaired in us-east-1" in told
    document = status.document(HERE, WELL, latest, {A: True, B: True})
    assert document["in_alarm"] == {A: ["orders-impaired"], B: []}
    assert document["regions"][A]["let_in_per_s"] == 500.0


def test_a_line_tells_the_judgement_alone() -> None:
    told = status.line(HERE, FAILING, {A: True, B: True})
    assert told == "us-east-1 impaired, on; us-west-2 healthy, on; evacuate us-east-1"
    later = replace(FAILING, why="us-east-1 is impaired: more so")
    assert status.line(HERE, later, {A: True, B: True}) == told
    assert status.line(HERE, FAILING, {A: False, B: True}) == "us-east-1 impaired, OFF; us-west-2 healthy, on"
    assert "not known" in status.line(HERE, WELL, None)


class Board:
    """Routing controls that are only told."""

    def __init__(self, states: dict[str, bool] | None) -> None:
        self.told = states

    def states(self) -> dict[str, bool]:
        if self.told is None:
            raise OpsError("nobody answers")
        return self.told


@pytest.mark.parametrize(
    ("states", "action"),
    [(None, "evacuate"), ({A: True, B: True}, "evacuate"), ({A: False, B: True}, "none")],
)
def test_a_guard_does_not_recommend_to_leave_what_was_left(states: dict[str, bool] | None, action: str) -> None:
    advised = asyncio.run(ops_guard.advised(HERE, FAILING, Board(states)))  # type: ignore[arg-type]
    assert advised.action == action
