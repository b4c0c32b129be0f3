"""How time passes in a drill: whoever waits follows the customers meanwhile, and stops when it hurts too much."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from outlast.ops.decide.rules import Decision
from outlast.ops.drill.aftermath import track
from outlast.ops.drill.customers import Crowd
from outlast.ops.drill.file import DrillFile
from outlast.ops.drill.injection import Injection
from outlast.ops.drill.stage import Stage
from outlast.ops.drill.story import Story
from outlast.ops.watch import Watch

LOOK_S: Final = 0.25


class Broken(Exception):
    """The story did not go on as it should: the drill has failed, though nothing is wrong with the drill."""


@dataclass(slots=True)
class Pace:
    """Waits, for a drill."""

    stage: Stage
    file: DrillFile
    story: Story
    crowd: Crowd
    watch: Watch
    injection: Injection
    _stopped: bool = False

    async def pause(self, seconds: float) -> None:
        """Let time pass, following the customers' log and the writes at risk."""
        await self.wait(lambda _: False, seconds)

    async def wait(self, wanted: Callable[[Decision], bool], limit_s: float) -> bool:
        """Wait until the decision is as wanted; False when it was not within `limit_s`. Raises Broken."""
        until_s = self.stage.now_s() + limit_s
        tracked_s = 0.0
        while not wanted(self.watch.decision):
            self.look()
            now_s = self.stage.now_s()
            if self.story.on_their_way() and now_s - tracked_s >= 1.0:
                tracked_s = now_s
                await asyncio.to_thread(track, self.story, self.stage.clients)
            if now_s >= until_s:
                return False
            await asyncio.sleep(min(LOOK_S, max(0.0, until_s - now_s)))
        return True

    async def breathe(self, seconds: float) -> None:
        """Sleep, as acting does between two looks, and stop when a stop condition has come true."""
        await asyncio.sleep(seconds)
        self.look()

    def look(self) -> None:
        """Follow the customers' log. Raises Broken when a stop condition has come true."""
        self.watch.check()
        self.injection.check()
        self.story.records += self.crowd.fresh()
        impact_s = self.story.marks.get("impact_s")
        if impact_s is None or self._stopped:
            return
        why = self.file.stop.tripped(self.story.records, self.story.region, impact_s, self.stage.now_s())
        if why:
            self._stopped = True
            self.stage.audit.add("stopped", why=why)
            raise Broken(f"Stopped: {why}.")
