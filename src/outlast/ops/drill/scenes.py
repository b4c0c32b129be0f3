"""The scenes of a drill, from healthy traffic to the last look at the data; each leaves its evidence in the story."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from outlast.ops.act.evacuate import Evacuator
from outlast.ops.act.failback import Failback, Step
from outlast.ops.act.weights import Weights
from outlast.ops.decide.rules import Decision
from outlast.ops.decide.survivors import Survivors, nowhere, unready
from outlast.ops.drill import evidence
from outlast.ops.drill.aftermath import bury, compare, read_cut
from outlast.ops.drill.changes import EVACUATION
from outlast.ops.drill.customers import Crowd
from outlast.ops.drill.file import DrillFile
from outlast.ops.drill.injection import Injection
from outlast.ops.drill.pace import Broken, Pace
from outlast.ops.drill.stage import Stage
from outlast.ops.drill.story import Story
from outlast.ops.load.log import Record
from outlast.ops.observe import ledger
from outlast.ops.observe.survey import COASTS, names_for
from outlast.ops.outcome import OpsError
from outlast.ops.plan.evacuation import plan_evacuation
from outlast.ops.plan.failback import plan_failback
from outlast.ops.watch import Watch


@dataclass(slots=True)
class Scenes:
    """The scenes, in the order that the drill's ending asks for. `buried`: the Region is gone, nobody returns."""

    stage: Stage
    file: DrillFile
    story: Story
    crowd: Crowd
    watch: Watch
    injection: Injection
    pace: Pace
    buried: bool = False
    _waits: str = ""

    async def play(self) -> None:
        """One scene after the other. Raises Broken when the story does not go on as it should, and OpsError."""
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

    async def _healthy(self) -> None:
        story, phases = self.story, self.file.phases
        story.note("phase", "healthy traffic")
        await self.pace.wait(lambda _: evidence.all_coasts_buy(story.records), phases.patience_s)
        begun_s = self.stage.now_s()
        await self.pace.pause(phases.healthy_s)
        left_s = phases.patience_s - (self.stage.now_s() - begun_s)
        await self.pace.wait(evidence.everybody_looks, left_s)
        well = evidence.all_healthy(self.watch.decision)
        evidence.healthy(story, self.watch.decision, self.watch.latest)
        evidence.routed(story, self.watch.latest)
        evidence.served(story)
        await asyncio.to_thread(evidence.replicated, story, self.stage.clients, self.stage.now_s)
        if not well:
            raise OpsError(f"Not everything is well before the drill: {self.watch.decision.why}.")

    async def _impact(self) -> None:
        await self.injection.begin((*self.file.also, self.file.fault), self.story.region)
        self.story.mark("impact_s")

    async def _detect(self) -> Decision:
        story = self.story
        if self.file.phases.act_after_s:
            await self.pace.pause(self.file.phases.act_after_s)
            story.decision = self.watch.decision
            return self.watch.decision

        def found(decision: Decision) -> bool:
            return decision.action == "evacuate" and decision.region == self.story.region

        seen = await self.pace.wait(found, self.file.phases.patience_s)
        story.decision = decision = self.watch.decision
        evidence.struck(story)
        if not seen:
            evidence.detected(story, decision)
            raise Broken(f"The failure was not detected: {decision.why}.")
        story.mark("detected_s", decision.finding(self.story.region).since_s)
        story.note("detected", decision.why)
        return decision

    async def _stay(self) -> None:
        """Watch for as long as the drill's patience: nobody may conclude that the Region is to be left."""
        story, phases = self.story, self.file.phases
        left = await self.pace.wait(lambda decision: decision.action == "evacuate", phases.patience_s)
        story.decision = decision = self.watch.decision
        evidence.struck(story)
        evidence.stayed(story, decision)
        if left:
            raise Broken(f"The kit would leave {decision.region}, and was meant to stay: {decision.why}.")
        story.note("decided", f"nobody is moved: {decision.why}")

    async def _evacuate(self, decision: Decision) -> None:
        stage, story, phases = self.stage, self.story, self.file.phases
        facts = await asyncio.to_thread(self.stage.facts, self.watch)
        reason = "the drill says so" if phases.act_after_s else decision.why
        story.plan = plan = plan_evacuation(self.story.region, reason, stage.deployment.region_names, facts)
        story.mark("decided_s")
        story.note(
            "decided",
            f"evacuate {self.story.region}: {len(plan.refused)} of {len(plan.checks)} checks stand against it",
        )
        survivors = Survivors.of(plan.survivors, self.watch.latest.refused)
        names = {coast: names_for(stage.deployment, subnet) for coast, subnet in COASTS.items()}
        evacuator = Evacuator(
            self.stage.board(), names, stage.deployment.service_name, self.stage.audit,
            lambda: survivors.worse(self.watch.decision, self.watch.latest.refused), stage.now_s,
            self.pace.breathe,
        )  # fmt: skip
        evacuator.unready = lambda regions: unready(self.watch.decision, regions)
        evacuator.on_switched = self._at_cut
        stage.journal.put(EVACUATION, EVACUATION, story.region, {})
        result = await evacuator.run(plan, watch_s=phases.watch_s)
        if result.seen_s is not None:
            story.mark("left_s", result.seen_s)
        story.note("evacuated", result.text)
        wanted = "left" if self.file.ending == "gone" else self.file.ending
        evidence.evacuated(story, result, wanted)
        if result.ending != wanted:
            raise Broken(f"The evacuation ended as: {result.ending}. {result.text}.")

    async def _at_cut(self, switched_s: float) -> None:
        self.story.mark("switched_s", switched_s)
        self.story.note("switched", f"routing control of {self.story.region} is off")
        self.story.records += self.crowd.fresh()
        await asyncio.to_thread(read_cut, self.story, self.stage.clients)

    async def _live(self) -> None:
        story = self.story
        story.note("phase", "life in the other Region")
        await self.pace.pause(self.file.phases.live_s)
        evidence.landed(story)

    async def _heal(self) -> None:
        story = self.story
        self.injection.hush()
        await asyncio.to_thread(self.injection.end)
        story.mark("healed_s")
        story.note("waits", f"until everybody sees {story.region} well, {self.file.phases.patience_s:.0f} s at most")
        await self.pace.wait(self._well_again, self.file.phases.patience_s)
        if self.file.ending != "stayed":
            assert story.decision is not None
            evidence.detected(story, story.decision)

    def say_what_was_seen(self) -> None:
        """Step 8, where the drill broke off between what was concluded and what its alarms say in the end."""
        story = self.story
        if (
            story.decision is not None
            and story.marks.get("detected_s")
            and all(each.number != 8 for each in story.steps)
        ):
            evidence.detected(story, story.decision)

    def _well_again(self, decision: Decision) -> bool:
        """Whether every Region is healthy; says whom it is waited for whenever that is somebody else."""
        finding = decision.finding(self.story.region)
        still = ", ".join(vote.vantage for vote in finding.with_verdict("bad"))
        told = f"{finding.region} is {finding.state}" + (f"; still bad: {still}" if still else "")
        if told != self._waits:
            self._waits = told
            self.story.note("waits", told)
        return evidence.all_healthy(decision)

    async def _fail_back(self) -> None:
        stage, story, phases = self.stage, self.story, self.file.phases
        begun_s = story.mark("begin_s")
        story.conflicts = await asyncio.to_thread(ledger.conflicts, stage.clients, stage.deployment, begun_s)
        facts = await asyncio.to_thread(self.stage.facts, self.watch)
        plan = plan_failback(
            self.story.region,
            stage.deployment.region_names,
            facts,
            steps=phases.steps,
            watch_s=phases.watch_s,
            reviewed=True,
        )
        story.mark("failback_s")
        story.note("failback", f"begins: {', '.join(f'{step} %' for step in plan.steps)}")
        weights = Weights(stage.clients, stage.deployment)
        failback = Failback(
            self.stage.board(),
            weights,
            self.stage.audit,
            self._home_worse,
            stage.now_s,
            self.pace.breathe,
            self._note_step,
        )
        others = [part.name for part in stage.deployment.others(story.region)]
        failback.elsewhere = lambda: nowhere(self.watch.decision, others)
        story.returned = await failback.run(plan)
        story.mark("returned_s")
        story.note("failback", story.returned.text)
        evidence.returned(story)
        if story.returned.ending != "returned":
            story.failed = story.returned.text

    async def _end(self) -> None:
        story, patience_s = self.story, self.file.phases.patience_s
        await self.pace.pause(self.file.phases.after_s)
        story.records += await asyncio.to_thread(self._send_home)
        story.note("phase", "customers gone; replicas are compared")
        lag_ms = dict((await asyncio.to_thread(self.stage.facts, self.watch)).lag_ms)
        await asyncio.to_thread(compare, story, self.stage.clients, self.crowd.stock.prefix, lag_ms, patience_s)
        story.conflicts = await asyncio.to_thread(
            ledger.conflicts, self.stage.clients, self.stage.deployment, story.mark("begin_s")
        )
        evidence.performs(story, self.watch.decision)

    def _bury(self) -> None:
        """The Region does not come back: the last word on every write that was on its way. It stays switched off."""
        assert self.story.decision is not None
        evidence.detected(self.story, self.story.decision)
        self.story.records += self._send_home()
        self.story.note("phase", f"{self.story.region} is gone: nobody returns")
        bury(self.story, self.stage.clients, self.crowd.stock.prefix)
        self.buried = True

    def _send_home(self) -> list[Record]:
        """The customers' last requests. Raises OpsError when their log is not whole."""
        last = self.crowd.stop()
        if self.crowd.trouble:
            raise OpsError(self.crowd.trouble)
        return last

    def _home_worse(self) -> str:
        return self.watch.decision.finding(self.story.region).worsened

    def _note_step(self, step: Step) -> None:
        problem = f": {step.problem}" if step.problem else ""
        self.story.note("failback", f"{step.percent} % of {self.story.region}'s side comes home{problem}")
