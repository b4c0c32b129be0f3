"""Carrying out an evacuation: switch, then look whether it is so. What worsens the survivors is taken back, unless the
Region that was left is in no state to take anybody back: then customers stay, and the operator has the choice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from outlast.ops.act.audit import AuditLog
from outlast.ops.act.patience import UNKNOWN_S, patiently
from outlast.ops.load.client import aimed_at
from outlast.ops.names import Names, NoAnswer
from outlast.ops.outcome import Exit, OpsError, OverruledError, RefusedError, UncertainError, UnwrittenError
from outlast.ops.plan.evacuation import EvacuationPlan

Ending = Literal["left", "rolled back", "not seen", "no way back"]
LOOK_S: Final = 0.5
SPARE_S: Final = 10.0
"""Beyond the TTL, how long DNS may take to show the switch."""
STAGES: Final = {
    "plan": "nothing was switched",
    "switch": "whether it was switched is not certain: `outlast status` tells",
    "look": "it is switched off; the same command again looks whether it was left",
    "watch": "it is switched off and was left; the survivors are not watched any more",
    "back": "it was being switched back: `outlast status` tells",
}
"""How far an evacuation came, and what that means to whoever interrupted it."""


class Board(Protocol):
    """The routing controls; see ops.act.arc."""

    def states(self) -> dict[str, bool]: ...

    def set(self, wanted: Mapping[str, bool], override: Sequence[str] = ()) -> None: ...


def check_unchanged(board: Board, plan: EvacuationPlan) -> None:
    """Raise OverruledError when somebody else has switched since the plan was made; states that nobody tells are left
    out."""
    try:
        states = board.states()
    except OpsError:
        return
    changed = [region for region, on in plan.before.items() if states.get(region, on) != on]
    if changed and any(states.get(region) != on for region, on in plan.controls.items()):
        told = ", ".join(f"{region} is {'on' if states[region] else 'off'} now" for region in changed)
        raise OverruledError(f"Somebody else has switched since this plan was made: {told}. Look, and plan again.")


@dataclass(frozen=True, slots=True)
class Evacuated:
    """What came of it, in epoch seconds. `seen_s`: when no place was sent to the Region any more, None if never.

    `choices`: what the operator can do now, and what each would mean, where nothing more is done unasked. `landed`:
    each Region's requests a second before and after, as far as they were counted; see ops.act.landing.
    """

    ending: Ending
    begun_s: float
    switched_s: float
    seen_s: float | None
    text: str
    choices: tuple[str, ...] = ()
    landed: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)

    @property
    def exit(self) -> Exit:
        """The exit code that it stands for."""
        if self.ending == "no way back":
            return Exit.UNDECIDED
        return Exit.GOOD if self.ending == "left" else Exit.MISSED


def choices(plan: EvacuationPlan) -> tuple[str, ...]:
    """What can be done when the survivors are bad and so is the Region that was left."""
    region, others = plan.region, ", ".join(plan.survivors)
    back = " and ".join(f"`outlast evacuate {each} --break-glass REASON`" for each in plan.survivors)
    return (
        f"stay: {others} serves whom it can; more room there, or less load, is what helps",
        f"return in steps: `outlast failback {region}`, which refuses until {region} is healthy and its data converged",
        f"go back at once: {back} sends everybody to {region} as it is now; who is served by {others} may not be then",
    )


@dataclass(slots=True)
class Evacuator:
    """Carries out plans. `worse` says why the survivors are worse off, empty while they are not; `unready` why nobody
    may be sent back to these Regions, empty when somebody may."""

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
    patience_s: float = UNKNOWN_S
    """How long a safety rule that refuses is asked again; `period` says in words what is known of its wait period."""
    period: str = ""
    unready: Callable[[Sequence[str]], str] = lambda _: ""
    unwritten: Callable[[str], None] | None = None
    """Hears what the audit log cannot take once something is being done; None: that is an error."""
    _stage: str = field(init=False, default="plan")
    _switched_s: float = field(init=False, default=0.0)

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
        then the safety rule `rule` is overridden too. Raises UnwrittenError, before anything is changed, when the audit
        log cannot be written and the glass was not broken. Cancelled, it writes down how far it came; run again, it
        goes on.
        """
        if plan.refused and not break_glass:
            raise RefusedError("; ".join(check.text for check in plan.refused))
        begun_s = self.now_s()
        self._begin(plan, break_glass, second_person)
        try:
            return await self._go(plan, [rule] if break_glass and rule else [], begun_s, watch_s)
        except asyncio.CancelledError:
            self.audit.add("interrupted", what="evacuate", region=plan.region, stage=self._stage)
            self.tell(f"interrupted; {plan.region}: {STAGES[self._stage]}")
            raise

    def _begin(self, plan: EvacuationPlan, break_glass: str, second_person: str) -> None:
        """Write down what will be done. From then on nothing stops for the log's sake."""
        detail = {"region": plan.region, "reason": plan.reason, "break_glass": break_glass}
        if break_glass:
            self.audit.spill = self.unwritten
        try:
            self.audit.add("evacuate", **detail, second_person=second_person, plan=plan.document())
        except OpsError as error:
            raise UnwrittenError(
                f"{error} Nothing was changed. `outlast evacuate {plan.region} --break-glass REASON` goes on without "
                "it, and prints what it cannot write."
            ) from error
        self.audit.spill = self.unwritten

    async def _go(self, plan: EvacuationPlan, override: Sequence[str], begun_s: float, watch_s: float) -> Evacuated:
        await self._switch(plan, override)
        switched_s, self._stage = self._switched_s, "look"
        if self.on_switched is not None:
            await self.on_switched(switched_s)
        self.tell(f"switched; until no place is sent to {plan.region}, at most {plan.expected_s + SPARE_S:.0f} s")
        seen_s = await self._until_left(plan)
        self._stage = "watch" if seen_s else "look"
        problem = barred = ""
        if watch_s:
            self.tell(f"the survivors are watched for {watch_s:.0f} s; what worsens them is taken back")
            problem, barred = await self._watch(plan, watch_s)
        if problem and not barred:
            self._stage = "back"
            barred = await self._roll_back(plan, problem)
            if not barred:
                return Evacuated("rolled back", begun_s, switched_s, seen_s, f"the switch was taken back: {problem}")
        if problem:
            told = f"{problem}; nobody is sent back, for {barred}: customers stay where they are"
            self.audit.add("no way back", region=plan.region, why=problem, barred=barred)
            return Evacuated("no way back", begun_s, switched_s, seen_s, told, choices(plan))
        if seen_s is None:
            self.audit.add("not seen", region=plan.region)
            return Evacuated("not seen", begun_s, switched_s, None, f"DNS still sends customers to {plan.region}")
        self.audit.add("left", region=plan.region, after_s=round(seen_s - switched_s, 3))
        return Evacuated("left", begun_s, switched_s, seen_s, f"no place is sent to {plan.region} any more")

    async def _switch(self, plan: EvacuationPlan, override: Sequence[str]) -> None:
        """Set the controls, and write down in the same breath that they were."""

        def switch() -> None:
            self._stage = "switch"
            try:
                self.board.set(plan.controls, override)
            except RefusedError:
                self._stage = "plan"
                check_unchanged(self.board, plan)
                raise
            except UncertainError:
                raise
            except OpsError:
                self._stage = "plan"
                raise
            self._stage, self._switched_s = "look", self.now_s()
            self.audit.add("switched", controls=plan.controls)

        try:
            await patiently(switch, self.patience_s, period=self.period, sleep=self.sleep, tell=self.tell)
        except OpsError as error:
            action = "perhaps switched" if isinstance(error, UncertainError) else "not switched"
            self.audit.add(action, region=plan.region, error=str(error))
            raise

    async def _roll_back(self, plan: EvacuationPlan, problem: str) -> str:
        """Set the controls as they were; or why not, when those who would be sent to worsened in the last moment."""
        if not plan.before:
            self.audit.add("not rolled back", why=f"{problem}; the states before are not known")
            raise OpsError(f"{problem}, and the states before are not known: decide by hand.")
        barred = ""

        def back() -> None:
            nonlocal barred
            barred = self._barred(plan)
            if not barred:
                self.board.set(plan.before)
                self.audit.add("rolled back", controls=plan.before, why=problem)

        await patiently(back, UNKNOWN_S, period=self.period, sleep=self.sleep, tell=self.tell)
        return barred

    def _barred(self, plan: EvacuationPlan) -> str:
        """Why the switch is not taken back; empty when it may be, and where nobody knows how it stood before."""
        returning = [region for region, on in plan.before.items() if on and not plan.controls.get(region)]
        if plan.before and not returning:
            return f"{plan.region} was off before: there is nothing to take back"
        return self.unready(returning)

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

    async def _watch(self, plan: EvacuationPlan, watch_s: float) -> tuple[str, str]:
        """What worsened the survivors, and why it is not taken back. A Region that was left may recover meanwhile."""
        until_s, told = self.now_s() + watch_s, False
        while True:
            problem = self.worse()
            barred = self._barred(plan) if problem else ""
            if problem and not barred:
                return problem, ""
            if barred and not told:
                told = True
                self.audit.add("not rolled back", why=problem, barred=barred)
                self.tell(problem)
                self.tell(f"nobody is sent back now, for {barred}; watching on")
            if self.now_s() >= until_s:
                return problem, barred
            await self.sleep(LOOK_S)
