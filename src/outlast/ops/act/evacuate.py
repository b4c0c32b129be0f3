"""Carrying out an evacuation: switch, then look whether it is so. What worsens the survivors is taken back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from outlast.ops.act.audit import AuditLog
from outlast.ops.load.client import aimed_at
from outlast.ops.names import Names, NoAnswer
from outlast.ops.outcome import OpsError, RefusedError
from outlast.ops.plan.evacuation import EvacuationPlan

Ending = Literal["left", "rolled back", "not seen"]
LOOK_S: Final = 0.5
SPARE_S: Final = 10.0
"""Beyond the TTL, how long DNS may take to show the switch."""
BACK_TRIES: Final = 30
BACK_TRY_S: Final = 1.0


class Board(Protocol):
    """The routing controls; see ops.act.arc."""

    def states(self) -> dict[str, bool]: ...

    def set(self, wanted: Mapping[str, bool], override: Sequence[str] = ()) -> None: ...


def set_back(
    board: Board,
    wanted: Mapping[str, bool],
    sleep: Callable[[float], None] = time.sleep,
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Set the controls soon after a switch: a safety rule refuses every change until its wait period is over, so it is
    asked again for half a minute; `tell` hears why, once. Raises what `set` raises.

    https://docs.aws.amazon.com/r53recovery/latest/dg/routing-control.safety-rules.html
    """
    for number in range(BACK_TRIES):
        try:
            board.set(wanted)
        except RefusedError as refused:
            if not number:
                tell(f"{refused}; it is asked again for {BACK_TRIES * BACK_TRY_S:.0f} s, until its wait period is over")
            sleep(BACK_TRY_S)
        else:
            return
    board.set(wanted)


@dataclass(frozen=True, slots=True)
class Evacuated:
    """What came of it, in epoch seconds. `seen_s`: when no place was sent to the Region any more, None if never."""

    ending: Ending
    begun_s: float
    switched_s: float
    seen_s: float | None
    text: str


@dataclass(slots=True)
class Evacuator:
    """Carries out plans. `worse` says why the survivors are worse off, empty while they are not."""

    board: Board
    names: Mapping[str, Names]
    service_name: str
    audit: AuditLog
    worse: Callable[[], str] = lambda: ""
    now_s: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    tell: Callable[[str], None] = lambda _: None
    """Hears what is waited for."""
    on_switched: Callable[[float], Awaitable[None]] | None = None
    """Called with the moment at which the controls were set: what must be seen at the cut."""

    async def run(
        self,
        plan: EvacuationPlan,
        *,
        break_glass: str = "",
        rule: str = "",
        watch_s: float = 0.0,
        second_person: str = "",
    ) -> Evacuated:
        """Switch, verify by looking, watch the survivors for `watch_s`, roll back if they worsen.

        Raises RefusedError when the plan holds a refusal, unless `break_glass` gives the reason to go on all the same;
        then the safety rule `rule` is overridden too.
        """
        if plan.refused and not break_glass:
            raise RefusedError("; ".join(check.text for check in plan.refused))
        begun_s = self.now_s()
        self.audit.add(
            "evacuate",
            region=plan.region,
            reason=plan.reason,
            break_glass=break_glass,
            second_person=second_person,
            plan=plan.document(),
        )
        override = [rule] if break_glass and rule else []
        try:
            await asyncio.to_thread(self.board.set, plan.controls, override)
        except OpsError as error:
            self.audit.add("not switched", region=plan.region, error=str(error))
            raise
        switched_s = self.now_s()
        self.audit.add("switched", controls=plan.controls)
        if self.on_switched is not None:
            await self.on_switched(switched_s)
        self.tell(f"switched; until no place is sent to {plan.region}, at most {plan.expected_s + SPARE_S:.0f} s")
        seen_s = await self._until_left(plan)
        if watch_s:
            self.tell(f"the survivors are watched for {watch_s:.0f} s; what worsens them is taken back")
        problem = await self._watch(watch_s)
        if problem:
            return await self._roll_back(
                plan.before, problem, Evacuated("rolled back", begun_s, switched_s, seen_s, problem)
            )
        if seen_s is None:
            self.audit.add("not seen", region=plan.region)
            return Evacuated("not seen", begun_s, switched_s, None, f"DNS still sends customers to {plan.region}")
        self.audit.add("left", region=plan.region, after_s=round(seen_s - switched_s, 3))
        return Evacuated("left", begun_s, switched_s, seen_s, f"no place is sent to {plan.region} any more")

    async def _roll_back(self, before: Mapping[str, bool], problem: str, result: Evacuated) -> Evacuated:
        if not before:
            self.audit.add("not rolled back", why=f"{problem}; the states before are not known")
            raise OpsError(f"{problem}, and the states before are not known: decide by hand.")
        await asyncio.to_thread(set_back, self.board, before, time.sleep, self.tell)
        self.audit.add("rolled back", controls=before, why=problem)
        return result

    async def _until_left(self, plan: EvacuationPlan) -> float | None:
        """When every place that asks got an answer that is not the Region."""
        until_s = self.now_s() + plan.expected_s + SPARE_S
        while True:
            told = [await self._told(names) for names in self.names.values()]
            if all(region and region != plan.region for region in told):
                return self.now_s()
            if self.now_s() >= until_s:
                return None
            await self.sleep(LOOK_S)

    async def _told(self, names: Names) -> str:
        try:
            resolved = await names.resolve(self.service_name)
        except NoAnswer:
            return ""
        return aimed_at(resolved.names) if resolved.addresses else ""

    async def _watch(self, watch_s: float) -> str:
        until_s = self.now_s() + watch_s
        while self.now_s() < until_s:
            problem = self.worse()
            if problem:
                return problem
            await self.sleep(LOOK_S)
        return self.worse()
