"""An asyncio event loop in virtual time: it never waits, it moves its clock to the next timer.

Everything that runs on it is ordered by the program alone, so the same seed gives the same trace. Nothing on it may
wait for a real socket or thread.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Stuck(Exception):
    """Every task waits and no timer is set: nothing can happen any more."""


class _VirtualSelector(selectors.SelectSelector):
    """Instead of waiting for files, moves the time on."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck("every task waits and no timer is set")
        self.now_s += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; `time()` is virtual seconds since its start."""

    def __init__(self) -> None:
        self._virtual = _VirtualSelector()
        super().__init__(self._virtual)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._virtual.now_s


def simulate(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end in virtual time; raises Stuck when nothing can happen any more."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
