"""Watching and judging together: the survey runs, the judge listens, and whoever waits for a state is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final

from outlast.ops.clients import DENIED, STRANGER, Clients, difference
from outlast.ops.decide.rules import HOLD_S, Decision, Judge, Rule
from outlast.ops.decide.window import sights
from outlast.ops.deployment import Deployment
from outlast.ops.http import tls_context
from outlast.ops.observe.survey import Latest, Rates, Survey
from outlast.ops.outcome import OpsError
from outlast.ops.sightings import Sample
from outlast.ops.signing import Credentials

ASSESS_S: Final = 0.25
UNTRUSTED: Final = frozenset({"SSLError"})
"""What says that nobody's certificate is believed, when everybody's is not."""
SOURCES: Final = 4
"""So many must refuse, some of them in each Region, before the credentials are blamed: a Region that refuses alone has
a clock that is wrong, or does not know yet whose keys these are, and must be left for it."""


def rule_for(deployment: Deployment) -> Rule:
    """The rule, at the pace of the deployment's canaries."""
    return rule_at(deployment.canary_period_s)


def rule_at(canary_period_s: float, *, quorum: int = 3, hold_s: float = HOLD_S) -> Rule:
    """The rule at a pace of canaries."""
    calm_s = max(5.0, canary_period_s)
    return Rule(sights(canary_period_s), quorum=quorum, hold_s=hold_s, calm_s=calm_s, damp_s=2 * calm_s)


class Watch:
    """An open watch over a deployment: `async with Watch(...) as watch`.

    `on_sample` gets every sample, `on_alarm` (Region, name, state) every change of an alarm. `may_be_denied`: whoever
    watches can do without looking, by credentials that may switch and nothing else.
    """

    def __init__(
        self,
        clients: Clients,
        deployment: Deployment,
        keys: Callable[[], Credentials],
        *,
        rule: Rule | None = None,
        rates: Rates | None = None,
        on_sample: Callable[[Sample], None] = lambda _: None,
        on_alarm: Callable[[str, str, str], None] = lambda *_: None,
        now_s: Callable[[], float] = time.time,
        may_be_denied: bool = False,
    ) -> None:
        self._clients, self._regions = clients, deployment.region_names
        self._unwelcome = STRANGER if may_be_denied else STRANGER | DENIED | UNTRUSTED
        self._judge = Judge(deployment.region_names, rule or rule_for(deployment))
        self._hear = on_sample
        self._on_alarm = on_alarm
        self._now_s = now_s
        self._survey = Survey(
            clients, deployment, keys, tls_context(deployment.ca_path), self._take, rates, now_s=now_s
        )
        self._alarms: dict[tuple[str, str], str] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.decision: Decision = self._judge.assess(now_s())

    @property
    def latest(self) -> Latest:
        """The newest of everything that was seen."""
        return self._survey.latest

    async def __aenter__(self) -> Watch:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._survey.run()), loop.create_task(self._assess())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def until(self, wanted: Callable[[Decision], bool], limit_s: float) -> bool:
        """Wait until the decision is as wanted; False when it was not within `limit_s`."""
        until_s = self._now_s() + limit_s
        while not wanted(self.decision):
            self.check()
            if self._now_s() >= until_s:
                return False
            await asyncio.sleep(ASSESS_S)
        return True

    def check(self) -> None:
        """Raise what has ended the watch, if something has; OpsError when every source refuses our credentials."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                _raise_first(task)
                raise RuntimeError("the watch has ended")
        errors = self.latest.errors
        everywhere = all(any(source.endswith(region) for source in errors) for region in self._regions)
        if len(errors) >= SOURCES and everywhere and (code := self.latest.unwelcome(self._unwelcome)):
            raise OpsError(self._why_unwelcome(code))

    def _why_unwelcome(self, code: str) -> str:
        if code in UNTRUSTED:
            return (
                f"No certificate of all that was asked is believed ({code}): this machine's clock, or its authorities' "
                "file, may be wrong."
            )
        clock = difference(self._clients.ahead_s(self._regions[0]))
        told = f": this machine's clock is {clock} theirs" if clock else ""
        return f"These credentials are refused by everything that was asked ({code}){told}."

    def _take(self, sample: Sample) -> None:
        self._judge.add(sample)
        self._hear(sample)

    async def _assess(self) -> None:
        while True:
            self.decision = self._judge.assess(self._now_s())
            for key, state in self.latest.alarms.items():
                if self._alarms.get(key) != state:
                    self._alarms[key] = state
                    self._on_alarm(*key, state)
            await asyncio.sleep(ASSESS_S)


def _raise_first(task: asyncio.Task[None]) -> None:
    """Raise what ended a task: of a group, the first."""
    try:
        task.result()
    except BaseExceptionGroup as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from group
