"""The canaries of one Region, their runs, and who runs next."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict, replace
from typing import Any, Final

from outlast.cloud.contract import Fault, Principal, Region, Shelf
from outlast.cloud.services.synthetics import running
from outlast.cloud.services.synthetics.errors import ResourceNotFoundException
from outlast.cloud.services.synthetics.model import Canary, Run
from outlast.cloud.services.synthetics.schedule import Schedule, parse

log = logging.getLogger("outlast.synthetics")
KEPT_RUNS: Final = 500
READY_POLL_S: Final = 0.1
MAX_SESSIONS: Final = 1000


class CanaryState:
    """Everything of Synthetics in one Region."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self._shelf = Shelf(region, "synthetics/canaries")
        self._runs = Shelf(region, "synthetics/runs")
        self.canaries = {name: Canary.read(document) for name, document in self._shelf.items()}
        self.sessions: dict[str, tuple[Principal, float]] = {}
        self.lost_artifacts = 0
        self._due: dict[str, float] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    @property
    def shortest_s(self) -> float:
        """The shortest rate that is accepted here."""
        return float(self.region.settings.get("shortest_rate_s", 60.0))

    def arn(self, name: str) -> str:
        """A canary's ARN."""
        return self.region.arn("synthetics", f"canary:{name}")

    def canary(self, name: str) -> Canary:
        """The canary; raises ResourceNotFoundException."""
        found = self.canaries.get(name)
        if found is None:
            raise ResourceNotFoundException.canary(name)
        return found

    def put(self, canary: Canary) -> None:
        """Store a canary, new or changed, and look at its schedule again."""
        self._shelf.put(canary.name, canary.document())
        self.canaries[canary.name] = canary
        if not canary.scheduled:
            self._due.pop(canary.name, None)
        self._changed.set()

    def remove(self, name: str) -> None:
        """Forget a canary and its runs."""
        self._shelf.delete(name)
        self.canaries.pop(name, None)
        self._due.pop(name, None)
        for key in self._runs.keys(f"{name}/"):
            self._runs.delete(key)

    # runs

    def note(self, run: Run) -> None:
        """Keep a run; the oldest of the canary go."""
        if run.name not in self.canaries:
            return
        self._runs.put(run.key, asdict(run))
        keys = self._runs.keys(f"{run.name}/")
        for key in keys[: max(0, len(keys) - KEPT_RUNS)]:
            self._runs.delete(key)

    def runs(self, name: str) -> list[Run]:
        """A canary's runs, newest first."""
        return [Run(**document) for _, document in self._runs.items(f"{name}/")][::-1]

    def last_run(self, name: str) -> Run | None:
        """The newest run."""
        keys = self._runs.keys(f"{name}/")
        document = self._runs.get(keys[-1]) if keys else None
        return None if document is None else Run(**document)

    # the schedule

    def reschedule(self, name: str) -> None:
        """Forget when a canary was to run next: its schedule or its state has changed."""
        self._due.pop(name, None)
        self._changed.set()

    def is_running(self, name: str) -> bool:
        """Whether a run is under way."""
        return name in self._running

    def _schedule(self, canary: Canary) -> Schedule:
        return parse(canary.expression, 0.0)

    async def run(self) -> None:
        """Run canaries when they are due, for ever; costs nothing while none is started."""
        while True:
            self._changed.clear()
            now_s = self.region.clock.now_s()
            for canary in list(self.canaries.values()):
                self._look_at(canary, now_s)
            await self._something()

    def _look_at(self, canary: Canary, now_s: float) -> None:
        if canary.state == "CREATING" and canary.name not in self._running:
            self._start(canary.name, self._make_ready(canary))
            return
        if not canary.scheduled:
            return
        if canary.duration_s and now_s >= canary.started_s + canary.duration_s:
            self.stop(canary)
            return
        due = self._due.get(canary.name)
        if due is None:
            due = self._schedule(canary).first_from(now_s)
        if due is None:
            self.stop(canary)
            return
        self._due[canary.name] = due
        if due <= now_s and canary.name not in self._running:
            following = self._schedule(canary).next_after(due)
            if following is not None:
                while following <= now_s and (later := self._schedule(canary).next_after(following)) is not None:
                    following = later
                self._due[canary.name] = following
            self._start(canary.name, self._run_once(canary, last=following is None))

    def _start(self, name: str, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running[name] = task
        task.add_done_callback(lambda ended: self._ended(name, ended))

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        self._running.pop(name, None)
        if not task.cancelled() and task.exception() is not None:
            log.error("the canary %s could not be run", name, exc_info=task.exception())
        canary = self.canaries.get(name)
        if canary is not None and canary.state == "STOPPING":
            self.put(replace(canary.in_state("STOPPED"), stopped_s=self.region.clock.now_s()))
        self._changed.set()

    async def _run_once(self, canary: Canary, *, last: bool) -> None:
        await running.run(self, canary)
        if last and canary.name in self.canaries:
            self.stop(self.canaries[canary.name])

    async def _make_ready(self, canary: Canary) -> None:
        """Wait until the canary's function is active."""
        while canary.name in self.canaries:
            try:
                found = await self.region.aws(
                    "lambda",
                    "GetFunctionConfiguration",
                    {"FunctionName": canary.function},
                    principal=self.region.linked("synthetics"),
                )
            except Fault as fault:
                self.put(self.canary(canary.name).in_state("ERROR", fault.message, "CREATE_FAILED"))
                return
            if found["State"] == "Failed":
                self.put(self.canary(canary.name).in_state("ERROR", found.get("StateReason", ""), "CREATE_FAILED"))
                return
            if found["State"] == "Active":
                self.put(self.canary(canary.name).in_state("READY"))
                return
            await self.region.clock.sleep(READY_POLL_S)

    def stop(self, canary: Canary) -> None:
        """Let a canary run no more; a run under way ends first."""
        if canary.name in self._running:
            self.put(canary.in_state("STOPPING"))
        else:
            self.put(replace(canary.in_state("STOPPED"), stopped_s=self.region.clock.now_s()))

    async def _something(self) -> None:
        """Return when a canary is due, or something has changed."""
        changed = asyncio.ensure_future(self._changed.wait())
        waits: set[asyncio.Future[Any]] = {changed}
        times = [due for name, due in self._due.items() if name not in self._running]
        times += [
            canary.started_s + canary.duration_s
            for canary in self.canaries.values()
            if canary.scheduled and canary.duration_s
        ]
        if times:
            pause_s = max(0.0, min(times) - self.region.clock.now_s())
            waits.add(asyncio.ensure_future(self.region.clock.sleep(pause_s)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    async def close(self) -> None:
        """Let runs under way go."""
        for task in list(self._running.values()):
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
