"""Readiness is judged anew every minute, and soon after a definition changed; in virtual time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from outlast.cloud.services.arc_readiness.timers import audit
from outlast.cloud.simulation.clock import SimulatedClock
from outlast.cloud.simulation.loop import simulate


async def audits(changes_s: tuple[float, ...], until_s: float) -> list[float]:
    """When audits began, with definitions changing at these times."""
    clock = SimulatedClock()
    began: list[float] = []
    changed = asyncio.Event()

    async def look() -> None:
        began.append(clock.monotonic_s())

    state: Any = SimpleNamespace(region=SimpleNamespace(clock=clock), changed=changed, audit_all=look)
    task = asyncio.ensure_future(audit(state))
    for at_s in changes_s:
        await clock.sleep(at_s - clock.monotonic_s())
        changed.set()
    await clock.sleep(until_s - clock.monotonic_s())
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return began


def test_every_minute() -> None:
    began = simulate(audits((), 600.0))
    gaps = [after - before for before, after in pairwise(began)]
    assert len(began) >= 9
    assert all(59.0 <= gap <= 61.0 for gap in gaps)


def test_soon_after_a_change() -> None:
    began = simulate(audits((20.0, 20.1, 20.2), 30.0))
    assert len(began) == 2, "changes that come together are judged together"
    assert 20.0 < began[1] <= 21.0
