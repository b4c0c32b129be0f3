"""Those who wait for a commit to be durable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from outlast.cloud.engine.errors import StorageUnavailable

Waiter = Callable[[StorageUnavailable | None], None]


class Waiters:
    """Callbacks in the order of the commits that they wait for."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[tuple[int, Waiter]] = []

    def add(self, number: int, callback: Waiter) -> None:
        """Let `callback` wait for commit `number`, no smaller than any waited for so far."""
        self._waiting.append((number, callback))

    def future(self, number: int) -> asyncio.Future[None]:
        """A future that ends with commit `number`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settle(failure: StorageUnavailable | None) -> None:
            if future.done():
                return
            if failure is None:
                future.set_result(None)
            else:
                future.set_exception(failure)

        self.add(number, settle)
        return future

    def take(self, last: int | None) -> list[Waiter]:
        """Remove and return those who wait for commits up to `last`, or all."""
        waiting = self._waiting
        ready = len(waiting) if last is None or (waiting and waiting[-1][0] <= last) else 0
        while ready < len(waiting) and last is not None and waiting[ready][0] <= last:
            ready += 1
        taken = [callback for _, callback in waiting[:ready]]
        del waiting[:ready]
        return taken


def tell(waiters: list[Waiter], failure: StorageUnavailable | None) -> None:
    """Call each; one that raises is told to the loop and keeps no other waiting."""
    for callback in waiters:
        try:
            callback(failure)
        except Exception as error:
            said = {"message": "what waited for a commit failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(said)
