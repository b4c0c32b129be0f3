"""Being ended in the middle: Ctrl-C, a closed terminal, `kill`. A verb first writes down how far it came.

A signal that is ignored already (`nohup`) stays ignored.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from outlast.ops.outcome import Stopped

Result = TypeVar("Result")
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run`, in which such a signal cancels the work; raises Stopped when it has ended for that reason."""
    heard: list[int] = []

    async def main() -> Result:
        loop, this = asyncio.get_running_loop(), asyncio.current_task()
        assert this is not None

        def stop(number: int) -> None:
            heard.append(number)
            this.cancel()

        for number in heard_of():
            loop.add_signal_handler(number, stop, number)
        return await work

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        if not heard:
            raise
        raise Stopped(heard[0]) from None


class Stops:
    """Such signals in a verb without an event loop: Stopped is raised at once, or at the end of what must be whole."""

    def __init__(self) -> None:
        self._held = False
        self._heard = 0

    def hear(self, number: int, _: object) -> None:
        """The handler. Raises Stopped unless something is under way that must be whole."""
        self._heard = self._heard or number
        if not self._held:
            raise Stopped(number)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """What is done within is not torn: a change and the line that tells of it. Raises Stopped afterwards."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._heard:
            raise Stopped(self._heard)


@contextmanager
def stops() -> Iterator[Stops]:
    """Have such signals raise Stopped in the main thread meanwhile."""
    held = Stops()
    before = {number: signal.signal(number, held.hear) for number in heard_of()}
    try:
        yield held
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def heard_of() -> list[signal.Signals]:
    """The signals that end a command here."""
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
