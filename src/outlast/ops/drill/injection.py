"""A drill's faults over time: some at the impact, some later, some for a while; whatever happens, all are ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.act.audit import AuditLog
from outlast.ops.drill.faults import Faults, Running
from outlast.ops.drill.file import FaultPlan
from outlast.ops.outcome import OpsError


@dataclass(slots=True)
class Injection:
    """Begins and ends faults. `named` turns a drill's word for a Region into its name; `note` hears of each."""

    faults: Faults
    audit: AuditLog
    named: Callable[[str], str]
    note: Callable[[str], object]
    limit_s: float
    """Every fault ends by itself after this, should the drill die."""
    _running: list[Running] = field(default_factory=list)
    _later: list[asyncio.Task[None]] = field(default_factory=list)
    _over: bool = False
    _trouble: Exception | None = None

    @property
    def active(self) -> bool:
        """Whether something was begun that has not been ended."""
        return bool(self._running or self._later)

    async def begin(self, plans: Sequence[FaultPlan], region: str) -> None:
        """Begin those that come at once, in order; the others come by themselves, `after_s` later."""
        for plan in plans:
            if plan.after_s <= 0:
                await self._begin(plan, region)
        loop = asyncio.get_running_loop()
        self._later = [loop.create_task(self._begin_later(plan, region)) for plan in plans if plan.after_s > 0]

    def check(self) -> None:
        """Raise what went wrong with a fault that was to begin later."""
        if self._trouble is not None:
            raise self._trouble

    def hush(self) -> None:
        """Begin nothing more; called on the loop, before `end` is."""
        self._over = True
        for task in self._later:
            task.cancel()

    def end(self) -> None:
        """End what was begun, the last first. One that cannot be ended, or told, keeps none of the others; it is raised
        afterwards."""
        trouble: Exception | None = None
        left: list[Running] = []
        for running in reversed(self._running):
            try:
                self.faults.end(running)
            except (OpsError, ClientError, BotoCoreError) as error:
                left.insert(0, running)
                trouble = trouble or error
                continue
            self.note(f"{running.what} has ended")
            try:
                self.audit.add("fault ended", what=running.what)
            except OpsError as error:
                trouble = trouble or error
        self._running, self._later = left, []
        if trouble is not None:
            raise trouble

    async def _begin_later(self, plan: FaultPlan, region: str) -> None:
        """Nobody awaits this: what goes wrong is kept for whoever checks."""
        await asyncio.sleep(plan.after_s)
        try:
            await self._begin(plan, region)
        except (OpsError, ClientError, BotoCoreError) as error:
            self._trouble = self._trouble or error
            self.note(f"{plan.kind} did not begin: {error}")

    async def _begin(self, plan: FaultPlan, region: str) -> None:
        """Begin it whole, also when the drill is stopped meanwhile: what has begun is known, and so it is ended."""
        whole = asyncio.ensure_future(self._begin_whole(plan, region))
        try:
            await asyncio.shield(whole)
        except asyncio.CancelledError:
            await whole
            raise

    async def _begin_whole(self, plan: FaultPlan, region: str) -> None:
        regions = [self.named(each) for each in plan.regions] or [region]
        lasts_s = min(plan.for_s or self.limit_s, self.limit_s)
        self.audit.add("fault", kind=plan.kind, regions=regions, parameters=dict(plan.parameters))
        running = await asyncio.to_thread(self.faults.begin, plan, regions, lasts_s)
        self._running.append(running)
        self.note(f"{plan.kind} begins in {', '.join(regions)}" + (f" for {plan.for_s:.0f} s" if plan.for_s else ""))
        if self._over:
            await asyncio.to_thread(self.end)
