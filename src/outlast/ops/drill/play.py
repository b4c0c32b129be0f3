"""The drill itself: the twelve steps, played on what is running, with the kit's own verbs.

Nothing here pretends. A step counts as seen when something outside of the drill shows it: a replica's item, a DNS
answer, a line of the customers' log. Whatever happens, the fault is ended and both Regions get their traffic back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.act import audit as audits
from outlast.ops.act.arc import Try
from outlast.ops.act.audit import AuditLog
from outlast.ops.act.boards import board_of
from outlast.ops.act.evacuate import Board, Evacuator, set_back
from outlast.ops.act.failback import Failback, Step
from outlast.ops.act.weights import Weights
from outlast.ops.clients import Clients, error_code
from outlast.ops.decide.rules import Decision
from outlast.ops.decide.survivors import Survivors
from outlast.ops.deployment import Deployment
from outlast.ops.drill import evidence
from outlast.ops.drill.aftermath import bury, compare, read_cut, track
from outlast.ops.drill.customers import Crowd
from outlast.ops.drill.faults import Faults
from outlast.ops.drill.file import DrillFile
from outlast.ops.drill.injection import Injection
from outlast.ops.drill.story import AlarmChange, Story
from outlast.ops.observe import ledger
from outlast.ops.observe.facts import capacities, gather
from outlast.ops.observe.survey import COASTS, names_for
from outlast.ops.outcome import OpsError, RefusedError
from outlast.ops.plan.evacuation import plan_evacuation
from outlast.ops.plan.facts import Capacity, Facts
from outlast.ops.plan.failback import plan_failback
from outlast.ops.signing import Credentials
from outlast.ops.watch import Watch

LOOK_S: Final = 0.25
WRITE_SHARE: Final = 0.6
SPARE_S: Final = 600.0
"""The fault ends by itself this long after the phases should be over, should the drill die."""


class Broken(Exception):
    """The story did not go on as it should: the drill has failed, though nothing is wrong with the drill."""


@dataclass(slots=True)
class Stage:
    """What a drill plays on: the target, and where its traces go."""

    clients: Clients
    deployment: Deployment
    keys: Callable[[], Credentials]
    faults: Faults
    folder: Path
    variables: Mapping[str, str]
    who: str
    now_s: Callable[[], float] = time.time


@dataclass(slots=True)
class Drill:
    """One drill, played once."""

    stage: Stage
    file: DrillFile
    story: Story
    crowd: Crowd
    _watch: Watch = field(init=False)
    _audit: AuditLog = field(init=False)
    _injection: Injection = field(init=False)
    _capacity: Mapping[str, Capacity] = field(default_factory=dict)
    _stopped: bool = False
    _buried: bool = False

    def __post_init__(self) -> None:
        stage, story = self.stage, self.story
        self._audit = AuditLog(stage.folder / "audit.jsonl", stage.who, stage.now_s)
        story.audit_path = str(self._audit.path)
        phases = self.file.phases
        limit_s = phases.patience_s * 2 + phases.live_s + SPARE_S
        self._injection = Injection(
            stage.faults, self._audit, self._named, lambda text: story.note("fault", text), limit_s
        )
        self._watch = Watch(
            stage.clients,
            stage.deployment,
            stage.keys,
            on_sample=story.samples.append,
            on_alarm=self._note_alarm,
            now_s=stage.now_s,
        )

    @property
    def region(self) -> str:
        """The Region that is hit."""
        return self.story.region

    async def play(self) -> Story:
        """Play it; the story is complete as far as it came, and says why it went no further.

        Raises RefusedError, with nothing touched, where an evacuation is under way.
        """
        story = self.story
        await asyncio.to_thread(self._check_switches)
        story.mark("begin_s")
        try:
            await self.crowd.fill(self.stage.keys)
            self.crowd.start()
            async with self._watch:
                await self._scenes()
        except Broken as broken:
            story.failed = str(broken)
            story.note("failed", story.failed)
        except (OpsError, ClientError, BotoCoreError) as error:
            story.trouble = str(error) if isinstance(error, OpsError) else f"{error_code(error)}: {error}"
            story.note("trouble", story.trouble)
        finally:
            self._injection.hush()
            story.records += await asyncio.to_thread(self.crowd.stop)
            await asyncio.to_thread(self._tidy)
            story.records.sort(key=lambda record: record.at_s)
            story.mark("end_s")
            story.audit = audits.read(self._audit.path)
        return story

    async def _scenes(self) -> None:
        await self._healthy()
        await self._impact()
        if self.file.ending == "stayed":
            await self._stay()
        else:
            decision = await self._detect()
            await self._evacuate(decision)
        if self.file.ending in ("left", "gone"):
            await self._live()
        if self.file.ending == "gone":
            await asyncio.to_thread(self._bury)
            return
        await self._heal()
        if self.file.ending == "left":
            await self._fail_back()
        await self._end()

    def _check_switches(self) -> None:
        """Refuse to begin where an evacuation is under way."""
        off = [region for region, on in self._board().states().items() if not on]
        if off:
            raise RefusedError(f"{', '.join(off)} is evacuated already: `outlast failback {off[0]}` first.")
        self._capacity = capacities(self.stage.clients, self.stage.deployment)

    async def _healthy(self) -> None:
        story, phases = self.story, self.file.phases
        story.note("phase", "healthy traffic")
        await self._wait(lambda _: evidence.all_coasts_buy(story.records), phases.patience_s)
        begun_s = self.stage.now_s()
        await self._pause(phases.healthy_s)
        left_s = phases.patience_s - (self.stage.now_s() - begun_s)
        await self._wait(evidence.everybody_looks, left_s)
        well = evidence.all_healthy(self._watch.decision)
        evidence.healthy(story, self._watch.decision, self._watch.latest)
        evidence.routed(story, self._watch.latest)
        evidence.served(story)
        await asyncio.to_thread(evidence.replicated, story, self.stage.clients, self.stage.now_s)
        if not well:
            raise OpsError(f"Not everything is well before the drill: {self._watch.decision.why}.")

    async def _impact(self) -> None:
        await self._injection.begin((*self.file.also, self.file.fault), self.region)
        self.story.mark("impact_s")

    def _named(self, region: str) -> str:
        """A Region of a fault, by its name or its place in the deployment."""
        parts = self.stage.deployment.regions
        return {"first": parts[0].name, "second": parts[-1].name}.get(region, region)

    async def _detect(self) -> Decision:
        story = self.story
        if self.file.phases.act_after_s:
            await self._pause(self.file.phases.act_after_s)
            story.decision = self._watch.decision
            return self._watch.decision

        def found(decision: Decision) -> bool:
            return decision.action == "evacuate" and decision.region == self.region

        seen = await self._wait(found, self.file.phases.patience_s)
        story.decision = decision = self._watch.decision
        evidence.struck(story)
        if not seen:
            evidence.detected(story, decision)
            raise Broken(f"The failure was not detected: {decision.why}.")
        story.mark("detected_s", decision.finding(self.region).since_s)
        story.note("detected", decision.why)
        return decision

    async def _stay(self) -> None:
        """Watch for as long as the drill's patience: nobody may conclude that the Region is to be left."""
        story, phases = self.story, self.file.phases
        left = await self._wait(lambda decision: decision.action == "evacuate", phases.patience_s)
        story.decision = decision = self._watch.decision
        evidence.struck(story)
        evidence.stayed(story, decision)
        if left:
            raise Broken(f"The kit would leave {decision.region}, and was meant to stay: {decision.why}.")
        story.note("decided", f"nobody is moved: {decision.why}")

    async def _evacuate(self, decision: Decision) -> None:
        stage, story, phases = self.stage, self.story, self.file.phases
        facts = await asyncio.to_thread(self._facts)
        reason = "the drill says so" if phases.act_after_s else decision.why
        story.plan = plan = plan_evacuation(self.region, reason, stage.deployment.region_names, facts)
        story.mark("decided_s")
        story.note(
            "decided", f"evacuate {self.region}: {len(plan.refused)} of {len(plan.checks)} checks stand against it"
        )
        survivors = Survivors.of(plan.survivors, self._watch.latest.refused)
        names = {coast: names_for(stage.deployment, subnet) for coast, subnet in COASTS.items()}
        evacuator = Evacuator(
            self._board(), names, stage.deployment.service_name, self._audit,
            lambda: survivors.worse(self._watch.decision, self._watch.latest.refused), stage.now_s,
            self._breathe,
        )  # fmt: skip
        evacuator.on_switched = self._at_cut
        result = await evacuator.run(plan, watch_s=phases.watch_s)
        if result.seen_s is not None:
            story.mark("left_s", result.seen_s)
        story.note("evacuated", result.text)
        evidence.evacuated(story, result)
        if result.ending != ("left" if self.file.ending == "gone" else self.file.ending):
            raise Broken(f"The evacuation ended as: {result.ending}. {result.text}.")

    async def _at_cut(self, switched_s: float) -> None:
        self.story.mark("switched_s", switched_s)
        self.story.note("switched", f"routing control of {self.region} is off")
        self.story.records += self.crowd.fresh()
        await asyncio.to_thread(read_cut, self.story, self.stage.clients)

    async def _live(self) -> None:
        story = self.story
        story.note("phase", "life in the other Region")
        await self._pause(self.file.phases.live_s)
        evidence.landed(story)

    async def _heal(self) -> None:
        story = self.story
        self._injection.hush()
        await asyncio.to_thread(self._injection.end)
        story.mark("healed_s")
        await self._wait(evidence.all_healthy, self.file.phases.patience_s)
        assert story.decision is not None
        evidence.detected(story, story.decision)

    async def _fail_back(self) -> None:
        stage, story, phases = self.stage, self.story, self.file.phases
        begun_s = story.mark("begin_s")
        story.conflicts = await asyncio.to_thread(ledger.conflicts, stage.clients, stage.deployment, begun_s)
        facts = await asyncio.to_thread(self._facts)
        plan = plan_failback(
            self.region, stage.deployment.region_names, facts, steps=phases.steps, watch_s=phases.watch_s, reviewed=True
        )
        story.mark("failback_s")
        story.note("failback", f"begins: {', '.join(f'{step} %' for step in plan.steps)}")
        weights = Weights(stage.clients, stage.deployment)
        failback = Failback(
            self._board(), weights, self._audit, self._home_worse, stage.now_s, self._breathe, self._note_step
        )
        story.returned = await failback.run(plan)
        story.mark("returned_s")
        story.note("failback", story.returned.text)
        evidence.returned(story)
        if story.returned.ending != "returned":
            story.failed = story.returned.text

    async def _end(self) -> None:
        story, patience_s = self.story, self.file.phases.patience_s
        await self._pause(self.file.phases.after_s)
        story.records += await asyncio.to_thread(self.crowd.stop)
        story.note("phase", "customers gone; replicas are compared")
        lag_ms = dict((await asyncio.to_thread(self._facts)).lag_ms)
        await asyncio.to_thread(compare, story, self.stage.clients, self.crowd.stock.prefix, lag_ms, patience_s)
        story.conflicts = await asyncio.to_thread(
            ledger.conflicts, self.stage.clients, self.stage.deployment, story.mark("begin_s")
        )
        evidence.performs(story, self._watch.decision)

    def _bury(self) -> None:
        """The Region does not come back: the last word on every write that was on its way. It stays switched off."""
        self.story.records += self.crowd.stop()
        self.story.note("phase", f"{self.region} is gone: nobody returns")
        bury(self.story, self.stage.clients, self.crowd.stock.prefix)
        self._buried = True

    async def _pause(self, seconds: float) -> None:
        """Let time pass, following the customers' log and the writes at risk."""
        await self._wait(lambda _: False, seconds)

    async def _wait(self, wanted: Callable[[Decision], bool], limit_s: float) -> bool:
        until_s = self.stage.now_s() + limit_s
        tracked_s = 0.0
        while not wanted(self._watch.decision):
            self._look()
            now_s = self.stage.now_s()
            if self.story.risks and now_s - tracked_s >= 1.0:
                tracked_s = now_s
                await asyncio.to_thread(track, self.story, self.stage.clients)
            if now_s >= until_s:
                return False
            await asyncio.sleep(min(LOOK_S, max(0.0, until_s - now_s)))
        return True

    async def _breathe(self, seconds: float) -> None:
        """Sleep, as acting does between two looks, and stop when a stop condition has come true."""
        await asyncio.sleep(seconds)
        self._look()

    def _look(self) -> None:
        """Follow the customers' log. Raises Broken when a stop condition has come true."""
        self._watch.check()
        self._injection.check()
        self.story.records += self.crowd.fresh()
        impact_s = self.story.marks.get("impact_s")
        if impact_s is None or self._stopped:
            return
        why = self.file.stop.tripped(self.story.records, self.region, impact_s, self.stage.now_s())
        if why:
            self._stopped = True
            self._audit.add("stopped", why=why)
            raise Broken(f"Stopped: {why}.")

    def _facts(self) -> Facts:
        stage = self.stage
        return gather(
            stage.clients,
            stage.deployment,
            self._watch.latest,
            self._watch.decision,
            stage.now_s(),
            capacity=self._capacity,
            write_share=WRITE_SHARE,
        )

    def _board(self) -> Board:
        return board_of(None, self.stage.clients, self.stage.deployment, self._note_try)

    def _home_worse(self) -> str:
        return self._watch.decision.finding(self.region).worsened

    def _note_try(self, tried: Try) -> None:
        if tried.operation != "GetRoutingControlState" or tried.error:
            self._audit.add("tried", operation=tried.operation, endpoint=tried.endpoint, error=tried.error)

    def _note_alarm(self, region: str, name: str, state: str) -> None:
        self.story.alarms.append(AlarmChange(self.stage.now_s(), region, name, state))
        if state == "ALARM":
            self.story.note("alarm", f"{name} in {region} is in alarm")

    def _note_step(self, step: Step) -> None:
        problem = f": {step.problem}" if step.problem else ""
        self.story.note("failback", f"{step.percent} % of {self.region}'s side comes home{problem}")

    def _tidy(self) -> None:
        """Roll back unless the story came to its end; trouble here is told, too."""
        returned = self.story.returned is not None and self.story.returned.ending == "returned"
        if not self._injection.active and returned:
            return
        decided = self.story.marks.get("decided_s") is not None  # it is switched, or was just being switched
        switched = decided and not self._buried
        steps: Mapping[str, Callable[[], None]] = {
            "end-faults": self._injection.end,
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
            self.story.note("trouble", f"not rolled back: {'; '.join(troubles)}; `outlast failback {self.region}`")
        elif switched:
            self._audit.add("tidied", region=self.region)
            self.story.note("rolled back", "faults have ended; both Regions have their traffic")

    def _weights_home(self) -> None:
        Weights(self.stage.clients, self.stage.deployment).set(self.region, 100)

    def _controls_on(self) -> None:
        set_back(self._board(), dict.fromkeys(self.stage.deployment.region_names, True))
