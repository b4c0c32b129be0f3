"""The way back of an evacuation that worsens the survivors: never to a Region that is in no state to serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from outlast.ops.outcome import Exit, RefusedError
from tests.unit.ops.test_act import PLAN, A, B, Board, Time, actions, evacuator


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
