"""The provider looks at its Regions and, after a while, tells."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from outlast.cloud.engine import StorageUnavailable
from outlast.cloud.services.health.model import events_of
from outlast.cloud.services.health.state import Events

EVERY_S: Final = 2.0


async def tell_for_ever(state: Events) -> None:
    """Look every two seconds until cancelled; a Region without the API has nothing to do."""
    while True:
        await state.region.clock.sleep(EVERY_S if state.is_endpoint else 3_600.0)
        if state.is_endpoint:
            with suppress(StorageUnavailable):  # the engine has told that writes are refused
                await tell(state)


async def tell(state: Events) -> None:
    """Tell of every fault that has lasted long enough, and close what has ended."""
    now_ms = state.region.clock.now_ms()
    for fault in await state.region.board.list():
        for event in events_of(fault, now_ms, state.delay_ms):
            state.put(event)
