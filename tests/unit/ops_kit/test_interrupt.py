"""A signal to end: what must be whole is whole, the rest ends at once, and what is ignored stays ignored."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import nullcontext

import pytest
import typer

from outlast.cli.ops_interrupt import heard_of, run, stops
from outlast.cli.ops_target import one_line
from outlast.ops.outcome import Stopped


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_work_on_a_loop_is_cancelled_and_can_write_down_how_far_it_came(number: signal.Signals) -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), number)
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("interrupted")
            raise

    before = signal.signal(number, signal.default_int_handler)  # it may be ignored where the tests run
    try:
        with pytest.raises(Stopped) as stopped:
            run(work())
    finally:
        signal.signal(number, before)
    assert (stopped.value.number, seen) == (number, ["interrupted"])


def ended(seen: list[str], *, whole: bool) -> None:
    with stops() as held:
        with held.whole() if whole else nullcontext():
            os.kill(os.getpid(), signal.SIGTERM)
            seen += ["changed", "written down"]
        seen.append("went on")


@pytest.mark.parametrize(("whole", "done"), [(True, ["changed", "written down"]), (False, [])])
def test_a_change_and_the_line_that_tells_of_it_are_not_torn(whole: bool, done: list[str]) -> None:
    seen, before = list[str](), signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped):
        ended(seen, whole=whole)
    assert seen == done
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert signal.SIGHUP not in heard_of()
        with stops():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_exit_status_is_the_signal_s(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, one_line():
        raise Stopped(signal.SIGTERM)
    assert ended.value.exit_code == 143
    assert capsys.readouterr().err == "outlast: ended by SIGTERM.\n"
