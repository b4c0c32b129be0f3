"""SuccessfulRequestLatency, measured up to the moment when the answer may leave: after the sync that it rests on.

An operation is a plain function that ends before its writes are durable. So it notes its start; once the loop turns,
one callback for all requests of that turn waits for the engine and adds what each took.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from outlast.cloud.contract.meter import Series
from outlast.cloud.engine import StorageUnavailable

if TYPE_CHECKING:
    from outlast.cloud.contract import Region

MAX_PENDING = 10_000


class Latencies:
    """Requests whose answer waits for the engine."""

    __slots__ = ("_pending", "_region", "now_s")

    def __init__(self, region: Region) -> None:
        self._region = region
        self._pending: list[tuple[Series, float]] = []
        self.now_s = region.clock.monotonic_s

    def note(self, series: Series, began_s: float) -> None:
        """Count a request that began at `began_s` (monotonic) as answered when the engine has settled."""
        pending = self._pending
        if self._region.engine.is_settled:
            series.add(round((self.now_s() - began_s) * 1000, 2))
            return
        if not pending:
            asyncio.get_running_loop().call_soon(self._await_commit)
        if len(pending) < MAX_PENDING:
            pending.append((series, began_s))

    def _await_commit(self) -> None:
        """The loop has turned: those noted wait together for what was applied so far."""
        taken, self._pending = self._pending, []
        engine = self._region.engine
        if engine.is_settled:
            self._add(taken, None)
        else:
            engine.when_settled(partial(self._add, taken))

    def _add(self, taken: list[tuple[Series, float]], failure: StorageUnavailable | None) -> None:
        """Count the latencies; those of writes that were lost were no successes."""
        if failure is None:
            now_s = self.now_s()
            for series, began_s in taken:
                series.add(round((now_s - began_s) * 1000, 2))
