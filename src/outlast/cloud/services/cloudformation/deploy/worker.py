"""The worker of a Region: takes up every stored operation, one at a time for each stack."""

from __future__ import annotations

import asyncio

from outlast.cloud.services.cloudformation.deploy.run import Runner
from outlast.cloud.services.cloudformation.state import Stacks


async def work(state: Stacks) -> None:
    """Carry out operations until cancelled; those that a crash interrupted come first."""
    running: dict[str, asyncio.Task[None]] = {}
    try:
        while True:
            key = await state.work.get()
            running[key] = asyncio.ensure_future(_after(running.get(key), state, key))
            for done in [name for name, task in running.items() if task.done()]:
                del running[done]
    finally:
        for task in running.values():
            task.cancel()


async def _after(earlier: asyncio.Task[None] | None, state: Stacks, key: str) -> None:
    if earlier is not None:
        await asyncio.wait((earlier,))
    await Runner(state, key).run()
