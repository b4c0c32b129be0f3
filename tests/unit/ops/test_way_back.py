"""The way back of an evacuation that worsens the survivors: never to a Region that is in no state to serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from outlast.ops.decide.rules import Decision, Finding
from outlast.ops.decide.survivors import nowhere
from outlast.ops.outcome import Exit, RefusedError
from outlast.ops.plan.failback import plan_failback
from tests.unit.ops.test_act import PLAN, A, B, Board, Pair, Time, actions, evacuator, failback
from tests.unit.ops.test_plan import WELL


@pytest.mark.parametrize(("well_s", "ending", "on"), [(1020, "rolled back", True), (2000, "no way back", False)])
async def test_nobody_is_sent_back_to_a_region_before_it_is_well(
    tmp_path: Path, well_s: float, ending: str, on: bool
) -> None:
    """Both are bad: customers stay where they are, until the Region that was left is seen to serve again."""
    board, time, asked, told = Board(), Time(), [], []
    worse = lambda: "us-west-2 is impaired" if time.now > 1005 else ""  # noqa: E731

    def unready(regions: Sequence[str]) -> str:
        asked.append(list(regions))
        return "us-east-1 is impaired itself" if time.now < well_s else ""

    run = evacuator(tmp_path, board, time, worse=worse)
    run.unready, run.tell = unready, told.append
    result = await run.run(PLAN, watch_s=30)
    assert (result.ending, board.on) == (ending, {A: on, B: True})
    assert all(each == [A] for each in asked)
    assert [text for text in told if "nobody is sent back now, for us-east-1 is impaired itself" in text]
    if on:
        assert time.now == pytest.approx(well_s, abs=1)
        assert (result.exit, result.choices) == (Exit.MISSED, ())
        assert actions(tmp_path) == ["evacuate", "switched", "not rolled back", "rolled back"]
        return
    assert result.exit == Exit.UNDECIDED
    assert "us-east-1 is impaired itself: customers stay where they are" in result.text
    stay, later, back = result.choices
    assert stay.startswith("stay: us-west-2")
    assert "`outlast failback us-east-1`" in later
    assert "`outlast evacuate us-west-2 --break-glass REASON`" in back
    assert actions(tmp_path) == ["evacuate", "switched", "not rolled back", "no way back"]


async def test_survivors_that_recover_are_left_in_peace(tmp_path: Path) -> None:
    board, time = Board(), Time()
    run = evacuator(tmp_path, board, time, worse=lambda: "us-west-2 is impaired" if 1005 < time.now < 1015 else "")
    run.unready = lambda _: "us-east-1 is impaired itself"
    assert (await run.run(PLAN, watch_s=30)).ending == "left"
    assert board.on == {A: False, B: True}


async def test_who_worsens_while_the_way_back_is_held_up_gets_nobody(tmp_path: Path) -> None:
    """A wait period refuses the way back for a while; meanwhile the Region fails again."""
    time = Time()

    class Held(Board):
        def set(self, wanted: Mapping[str, bool], override: Sequence[str] = ()) -> None:
            if wanted[A]:
                raise RefusedError("its wait period of 5000 ms is not over.")
            super().set(wanted, override)

    board = Held()
    run = evacuator(tmp_path, board, time, worse=lambda: "us-west-2 is impaired")
    run.unready = lambda _: "us-east-1 is impaired itself" if time.now > 1005 else ""
    result = await run.run(PLAN, watch_s=30)
    assert (result.ending, board.on) == ("no way back", {A: False, B: True})


async def test_a_region_that_was_off_before_is_not_gone_back_to(tmp_path: Path) -> None:
    board, time = Board(), Time()
    board.on = {A: False, B: True}
    run = evacuator(tmp_path, board, time, worse=lambda: "us-west-2 is impaired")
    result = await run.run(replace(PLAN, before={A: False, B: True}), watch_s=5)
    assert (result.ending, board.on) == ("no way back", {A: False, B: True})
    assert "was off before" in result.text


async def test_survivors_that_are_not_to_be_watched_take_nothing_back(tmp_path: Path) -> None:
    board = Board()
    result = await evacuator(tmp_path, board, Time(), worse=lambda: "us-west-2 is impaired").run(PLAN, watch_s=0)
    assert (result.ending, board.on) == ("left", {A: False, B: True})


async def test_a_step_that_goes_badly_is_not_taken_back_to_others_that_are_bad(tmp_path: Path) -> None:
    board, time, pair = Board(), Time(), Pair()
    board.on = {A: True, B: True}
    run = failback(tmp_path, board, pair, time, lambda: "us-east-1 fails" if pair.history[-1:] == [25] else "")
    run.elsewhere = lambda: "us-west-2 is impaired: 5 of 10 vantage points say bad"
    result = await run.run(plan_failback(A, (A, B), WELL, watch_s=1, unreviewed=0))
    assert (result.ending, result.exit, pair.history[-1]) == ("no way back", Exit.UNDECIDED, 25)
    assert "nobody is sent back, for us-west-2 is impaired" in result.text
    assert actions(tmp_path)[-1] == "no way back"


async def test_who_was_switched_off_by_somebody_else_is_followed(tmp_path: Path) -> None:
    board, pair = Board(), Pair()
    run = failback(tmp_path, board, pair, Time(), lambda: board.on.update({A: False}) or "us-east-1 fails")
    run.elsewhere = lambda: "us-west-2 is impaired"
    result = await run.run(plan_failback(A, (A, B), WELL, watch_s=1, unreviewed=0))
    assert (result.ending, pair.history[-1]) == ("backed off", 0)


def test_others_are_bad_only_when_all_are() -> None:
    def decided(**states: Any) -> Decision:
        findings = tuple(Finding(name.replace("_", "-"), state, 0.0, ()) for name, state in states.items())
        return Decision(0.0, "none", "", "", (), findings)

    assert nowhere(decided(b="impaired"), ["b"]) == "b is impaired: no vantage point could look"
    assert nowhere(decided(b="unknown", c="impaired"), ["b", "c"]).startswith("b is unknown")
    assert nowhere(decided(b="impaired", c="suspect"), ["b", "c"]) == ""
