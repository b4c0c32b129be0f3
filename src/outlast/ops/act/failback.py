"""Carrying out a failback: home's weight from 0 upwards; a step that makes things worse is taken back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.act.audit import AuditLog
from outlast.ops.act.evacuate import Board
from outlast.ops.act.patience import UNKNOWN_S, patiently, whole
from outlast.ops.clients import error_code
from outlast.ops.outcome import Exit, OpsError, RefusedError
from outlast.ops.plan.failback import FailbackPlan

Ending = Literal["returned", "backed off", "no way back"]
LOOK_S: Final = 0.5


class Pair(Protocol):
    """The weighted pair; see ops.act.weights."""

    def percent(self, region: str) -> int: ...

    def set(self, region: str, percent: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Step:
    """One step: home's share, when it was set, when it was judged (epoch seconds), and what was wrong, if anything."""

    percent: int
    set_s: float
    judged_s: float
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Returned:
    """What came of it."""

    ending: Ending
    steps: tuple[Step, ...]
    text: str

    @property
    def exit(self) -> Exit:
        """The exit code that it stands for."""
        if self.ending == "no way back":
            return Exit.UNDECIDED
        return Exit.GOOD if self.ending == "returned" else Exit.MISSED


@dataclass(slots=True)
class Failback:
    """Carries out plans. `worse` says what is wrong with the Region, empty while nothing is; `elsewhere` why the others
    cannot take its part back, empty while one can."""

    board: Board
    weights: Pair
    audit: AuditLog
    worse: Callable[[], str]
    now_s: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    on_step: Callable[[Step], None] = field(default=lambda _: None)
    tell: Callable[[str], None] = field(default=lambda _: None)
    patience_s: float = UNKNOWN_S
    """How long a safety rule that refuses is asked again; `period` says in words what is known of its wait period."""
    period: str = ""
    elsewhere: Callable[[], str] = field(default=lambda: "")
    _percent: int | None = field(init=False, default=None)

    async def run(self, plan: FailbackPlan) -> Returned:
        """Step by step. Raises RefusedError when the plan holds a refusal.

        Cancelled, it writes down how far it came; planned and run again, it goes on from there.
        """
        if plan.refused:
            raise RefusedError("; ".join(check.text for check in plan.refused))
        self.audit.add("fail back", region=plan.region, plan=plan.document())
        try:
            return await self._go(plan)
        except asyncio.CancelledError:
            percent = plan.resumed_at if self._percent is None else self._percent
            self.audit.add("interrupted", what="failback", region=plan.region, percent=percent)
            self.tell(
                f"interrupted; {plan.region} has {percent} % of its side: `outlast failback {plan.region}` goes on "
                f"from there, `outlast evacuate {plan.region}` leaves again"
            )
            raise

    async def _go(self, plan: FailbackPlan) -> Returned:
        if not plan.resumed_at:
            await self._set(plan.region, 0)
            await self._switch(plan.region, on=True)
            if plan.switch_s:
                await self.sleep(plan.switch_s)
        steps: list[Step] = []
        for percent in plan.steps:
            step = await self._step(plan, percent)
            steps.append(step)
            self.on_step(step)
            if step.problem:
                barred = "" if await self._left(plan.region) else self.elsewhere()
                if barred:
                    self.audit.add("no way back", region=plan.region, percent=percent, why=step.problem, barred=barred)
                    told = f"at {percent} %: {step.problem}; nobody is sent back, for {barred}: it keeps {percent} %"
                    return Returned("no way back", tuple(steps), told)
                back = steps[-2].percent if len(steps) > 1 else plan.resumed_at
                told = await self._back_off(plan.region, back, step.problem)
                return Returned("backed off", tuple(steps), f"at {percent} %: {step.problem}; {told}")
        self.audit.add("returned", region=plan.region)
        return Returned("returned", tuple(steps), f"{plan.region} has its traffic again")

    async def _back_off(self, region: str, percent: int, problem: str) -> str:
        """To the step before; what was done, in words. Weights are moved by a control plane, which may be what fails:
        then the Region is switched off again, by the data plane that let it in."""
        try:
            await self._set(region, percent)
        except OpsError as stuck:
            if self._percent == percent:  # moved, and not written down
                raise
            try:
                await self._switch(region, on=False)
            except OpsError as error:
                raise OpsError(f"{problem}; {stuck} Nor could it be switched off: {error}") from error
            self.audit.add("backed off", region=region, percent=0, why=f"{problem}; {stuck}")
            return f"its weights could not be moved, so {region} was switched off again"
        self.audit.add("backed off", region=region, percent=percent, why=problem)
        return f"back to {percent} %"

    async def _switch(self, region: str, *, on: bool) -> None:
        def switch() -> None:
            self.board.set({region: on})
            self.audit.add("switched", controls={region: on})

        await patiently(switch, self.patience_s, period=self.period, sleep=self.sleep, tell=self.tell)

    async def _step(self, plan: FailbackPlan, percent: int) -> Step:
        await self._set(plan.region, percent)
        set_s = self.now_s()
        until_s = set_s + plan.settle_s + plan.watch_s
        problem = await self._left(plan.region) or self.worse()
        while not problem and self.now_s() < until_s:
            await self.sleep(LOOK_S)
            problem = self.worse()
        problem = problem or await self._left(plan.region)
        return Step(percent, set_s, self.now_s(), problem)

    async def _left(self, region: str) -> str:
        """Whether somebody evacuated the Region meanwhile, in words; a cluster that does not answer tells nothing."""
        try:
            states = await asyncio.to_thread(self.board.states)
        except OpsError:
            return ""
        return "" if states.get(region, True) else f"{region} was switched off by somebody else"

    async def _set(self, region: str, percent: int) -> None:
        def weigh() -> None:
            self.weights.set(region, percent)
            self._percent = percent
            self.audit.add("weighted", region=region, percent=percent)

        try:
            await whole(weigh)
        except (ClientError, BotoCoreError) as error:
            told = "stays as it was" if self._percent is None else f"stays at {self._percent} %"
            raise OpsError(
                f"The weights of {region} could not be changed to {percent} % ({error_code(error)}): it {told}; "
                f"`outlast failback {region}` goes on from there."
            ) from error
