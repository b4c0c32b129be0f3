"""What every process of a world does with its event loop and its memory."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
from typing import Any

M_ARENA_MAX = -8


def run(work: Any) -> None:
    """Run a coroutine on uvloop where there is one, else on asyncio's own loop."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


def share_memory() -> None:
    """Let all threads take memory from one heap (mallopt(3), glibc only); before there are any.

    A thread's own heap is never given back once it was used; threads here hardly ever run at the same time.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def settle_memory() -> None:
    """Leave what is there now to itself, and let the collector of cycles run seldom: its pauses are seen by clients."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def return_memory() -> None:
    """Give memory that is free back to the system; the C library keeps it else (malloc_trim(3), glibc only)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
