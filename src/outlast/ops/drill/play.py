"""The drill itself: the twelve steps, played on what is running, with the kit's own verbs.

Nothing here pretends. A step counts as seen when something outside of the drill shows it: a replica's item, a DNS
answer, a line of the customers' log. Whatever happens, the fault is ended and both Regions get their traffic back.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.act import audit as audits
from outlast.ops.clients import error_code
from outlast.ops.drill.customers import Crowd
from outlast.ops.drill.file import DrillFile
from outlast.ops.drill.injection import Injection
from outlast.ops.drill.pace import Broken, Pace
from outlast.ops.drill.rollback import Rollback
from outlast.ops.drill.scenes import Scenes
from outlast.ops.drill.stage import Stage
from outlast.ops.drill.story import AlarmChange, Story
from outlast.ops.outcome import OpsError
from outlast.ops.watch import Watch

SPARE_S: Final = 600.0
"""The fault ends by itself this long after the phases should be over, should the drill die."""


@dataclass(slots=True)
class Drill:
    """One drill, played once."""

    stage: Stage
    file: DrillFile
    story: Story
    crowd: Crowd
    _watch: Watch = field(init=False)
    _injection: Injection = field(init=False)

    def __post_init__(self) -> None:
        stage, story, phases = self.stage, self.story, self.file.phases
        story.audit_path = str(stage.audit.path)
        limit_s = phases.patience_s * 2 + phases.live_s + SPARE_S
        self._injection = Injection(
            stage.faults, stage.audit, stage.named, lambda text: story.note("fault", text), limit_s
        )
        self._watch = Watch(
            stage.clients,
            stage.deployment,
            stage.keys,
            on_sample=story.samples.append,
            on_alarm=self._note_alarm,
            now_s=stage.now_s,
        )

    async def play(self) -> Story:
        """Play it; the story is complete as far as it came, and says why it went no further.

        Raises RefusedError, with nothing touched, where an evacuation is under way.
        """
        story, stage = self.story, self.stage
        await asyncio.to_thread(stage.check_switches)
        pace = Pace(stage, self.file, story, self.crowd, self._watch, self._injection)
        scenes = Scenes(stage, self.file, story, self.crowd, self._watch, self._injection, pace)
        rollback = Rollback(stage, self.file, story, self._injection)
        story.mark("begin_s")
        try:
            await self.crowd.fill(stage.keys)
            self.crowd.start()
            async with self._watch:
                await scenes.play()
        except Broken as broken:
            story.failed = str(broken)
            story.note("failed", story.failed)
        except (OpsError, ClientError, BotoCoreError, OSError) as error:
            known = isinstance(error, (ClientError, BotoCoreError))
            story.trouble = f"{error_code(error)}: {error}" if known else str(error)
            story.note("trouble", story.trouble)
        except asyncio.CancelledError:
            stage.audit.add("interrupted", what="drill", region=story.region)
            raise
        finally:
            self._injection.hush()
            story.records += await asyncio.to_thread(self.crowd.stop)
            await asyncio.to_thread(rollback.do, buried=scenes.buried)
            story.records.sort(key=lambda record: record.at_s)
            scenes.say_what_was_seen()
            story.mark("end_s")
            story.audit = audits.read(stage.audit.path)
        return story

    def _note_alarm(self, region: str, name: str, state: str) -> None:
        self.story.alarms.append(AlarmChange(self.stage.now_s(), region, name, state))
        if state == "ALARM":
            self.story.note("alarm", f"{name} in {region} is in alarm")
