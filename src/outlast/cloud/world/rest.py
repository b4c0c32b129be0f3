"""A process that was busy and has become idle: it gives back what it holds only to be fast.

Nothing wakes an idle process for that. Who wakes now and then anyway asks `Rest.due`.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

from outlast.cloud.world.loops import return_memory

IDLE_SHARE = 0.02
"""Less than this share of one core between two looks is idleness: heartbeats and timers take a fraction of it."""
QUIET_LOOKS = 3
STILL_QUIET_LOOKS = 9
"""Then what the engine holds of the last writes has gone to the disk as well, and its memory is free."""


class Rest:
    """Tells from the CPU that the process took between looks when it has gone quiet; twice after each busy time."""

    __slots__ = ("_cpu_s", "_looked_s", "_now_s", "_quiet", "_used_s")

    def __init__(
        self, cpu_s: Callable[[], float] = time.process_time, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._cpu_s = cpu_s
        self._now_s = now_s
        self._used_s = cpu_s()
        self._looked_s = now_s()
        self._quiet = 0

    def due(self) -> bool:
        """Whether the process has just been quiet for QUIET_LOOKS looks in a row, or for STILL_QUIET_LOOKS: now is the
        time to give back.
        """
        used_s, now_s = self._cpu_s(), self._now_s()
        is_quiet = used_s - self._used_s < IDLE_SHARE * (now_s - self._looked_s)
        self._used_s, self._looked_s = used_s, now_s
        self._quiet = self._quiet + 1 if is_quiet else 0
        return self._quiet in (QUIET_LOOKS, STILL_QUIET_LOOKS)


def give_back() -> None:
    """Let go of garbage in cycles, and return what is free to the system; some milliseconds, for a thread."""
    gc.collect()
    return_memory()
