"""The disk's twin: jobs run in virtual time, on the loop."""

from __future__ import annotations

import asyncio

from outlast.cloud.effects import RealDisk
from outlast.cloud.effects.disk import Done, Job


class SimulatedWorker:
    """Runs jobs one after another, each some virtual time after it was handed in; a dead worker runs none."""

    def __init__(self, delay_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._delay_s = delay_s
        self._free_at_s = 0.0
        self.dead = False

    def run(self, job: Job, done: Done) -> None:
        self._free_at_s = max(self._free_at_s, self._loop.time()) + self._delay_s
        self._loop.call_at(self._free_at_s, self._work, job, done)

    def close(self) -> None:
        self.dead = True

    def _work(self, job: Job, done: Done) -> None:
        if self.dead:
            return
        error: Exception | None = None
        try:
            job()
        except Exception as caught:
            error = caught
        done(error)


class SimulatedDisk(RealDisk):
    """Files in a temporary folder of the machine, written in virtual time."""

    __slots__ = ("delay_s",)

    def __init__(self, delay_s: float = 0.0003) -> None:
        self.delay_s = delay_s

    def worker(self, name: str) -> SimulatedWorker:
        return SimulatedWorker(self.delay_s)
