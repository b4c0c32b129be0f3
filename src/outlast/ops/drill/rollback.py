"""The way back of a drill that did not come to its end: faults ended, weights home, both Regions on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.act.patience import UNKNOWN_S, patiently
from outlast.ops.act.weights import Weights
from outlast.ops.drill.changes import EVACUATION
from outlast.ops.drill.file import DrillFile
from outlast.ops.drill.injection import Injection
from outlast.ops.drill.stage import Stage
from outlast.ops.drill.story import Story
from outlast.ops.outcome import OpsError


@dataclass(slots=True)
class Rollback:
    """What the drill's file says is to be put back, in its order."""

    stage: Stage
    file: DrillFile
    story: Story
    injection: Injection

    def do(self, *, buried: bool) -> None:
        """Roll back unless the story came to its end; trouble here is told, too."""
        returned = self.story.returned is not None and self.story.returned.ending == "returned"
        if not self.injection.active and returned:
            self.stage.journal.drop(EVACUATION)
            return
        decided = self.story.marks.get("decided_s") is not None  # it is switched, or was just being switched
        switched = decided and not buried
        steps: Mapping[str, Callable[[], None]] = {
            "end-faults": self.injection.end,
            "weights-home": self._weights_home if switched else lambda: None,
            "controls-on": self._controls_on if switched else lambda: None,
        }
        troubles = []
        for name in self.file.rollback:
            try:
                steps[name]()
            except (OpsError, ClientError, BotoCoreError) as error:
                troubles.append(f"{name}: {error}")
        if troubles:
            told = f"not rolled back: {'; '.join(troubles)}; once the world answers, `outlast drill --clean-up` does it"
            self.story.note("trouble", told)
            self.story.trouble = f"{self.story.trouble or self.story.failed} {told[0].upper()}{told[1:]}.".lstrip()
            return
        self.stage.journal.drop(EVACUATION)
        if switched:
            self.stage.audit.add("tidied", region=self.story.region)
            self.story.note("rolled back", "faults have ended; both Regions have their traffic")

    def _weights_home(self) -> None:
        Weights(self.stage.clients, self.stage.deployment).set(self.story.region, 100)

    def _controls_on(self) -> None:
        board, on = self.stage.board(), dict.fromkeys(self.stage.deployment.region_names, True)
        asyncio.run(patiently(lambda: board.set(on), UNKNOWN_S))
