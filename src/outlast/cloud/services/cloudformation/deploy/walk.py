"""Work over a graph: each node once what it needs is done, independent nodes at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

MAX_AT_ONCE = 32


async def walk(
    needs: Mapping[str, frozenset[str]], work: Callable[[str], Awaitable[bool]], *, go_on: bool = False
) -> frozenset[str]:
    """Run `work` for every node after those it needs; return the nodes for which it answered False.

    After a failure no further node begins and those under way are awaited; with `go_on`, nodes that do not depend on
    the failed one still run. Needs that are no nodes of the graph count as done. At most MAX_AT_ONCE run at once.
    """
    waiting = {name: set(others) & set(needs) for name, others in needs.items()}
    failed: set[str] = set()
    running: dict[asyncio.Task[bool], str] = {}
    try:
        while True:
            if go_on or not failed:
                ready = sorted(name for name, others in waiting.items() if not others)
                for name in ready[: MAX_AT_ONCE - len(running)]:
                    del waiting[name]
                    running[asyncio.ensure_future(work(name))] = name
            if not running:
                return frozenset(failed)
            finished, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in finished:
                name = running.pop(task)
                if not task.result():
                    failed.add(name)
                    continue
                for others in waiting.values():
                    others.discard(name)
    finally:
        for task in running:
            task.cancel()
