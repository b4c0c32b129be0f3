"""Asynchronous events: kept durably until they have run, retried as AWS retries them.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html: a handler that fails is tried twice
more, after one and after two minutes; throttles and the service's own errors are retried with growing pauses until the
event is too old.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any, Final

import orjson

from outlast.cloud.contract import Region
from outlast.cloud.services.lambda_.errors import TooManyRequestsException

MAX_EVENTS: Final = 10_000
MAX_BYTES: Final = 256 * 1024 * 1024
AT_ONCE: Final = 32
ERROR_PAUSES_S: Final = (60.0, 120.0)
FIRST_PAUSE_S: Final = 1.0
LAST_PAUSE_S: Final = 300.0


class Ran(Enum):
    """What became of one attempt."""

    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Event:
    """One event that was accepted. `attempts` counts runs of the handler, `refusals` throttles since the last one."""

    id: str
    name: str
    qualifier: str | None
    request_id: str
    accepted_ms: int
    due_ms: int
    client_context: str = ""
    attempts: int = 0
    refusals: int = 0

    def after(self, ran: Ran, now_ms: int, retries: int, max_age_s: int) -> Event | None:
        """The event as it goes on, or None when it is over."""
        if ran is Ran.DONE:
            return None
        if ran is Ran.FAILED:
            if self.attempts >= retries:
                return None
            pause_s = ERROR_PAUSES_S[min(self.attempts, len(ERROR_PAUSES_S) - 1)]
            later = replace(self, attempts=self.attempts + 1, refusals=0)
        else:
            pause_s = min(LAST_PAUSE_S, FIRST_PAUSE_S * 2**self.refusals)
            later = replace(self, refusals=self.refusals + 1)
        due_ms = now_ms + int(pause_s * 1000)
        if due_ms - self.accepted_ms > max_age_s * 1000:
            return None
        return replace(later, due_ms=due_ms)


Run = Callable[[Event, bytes], Awaitable[Event | None]]


class EventQueue:
    """The events of one Region that wait or run; bounded."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._space = region.engine.space("lambda/events")
        self._due: list[tuple[int, str]] = []
        self._events: dict[str, Event] = {}
        self._bytes = 0
        self._changed = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        for key, value in self._space.range():
            event = Event(**orjson.loads(value[: value.index(b"\n")]))
            self._note(event, len(value))
            assert event.id == key.decode()

    def __len__(self) -> int:
        return len(self._events)

    def _note(self, event: Event, size: int) -> None:
        self._events[event.id] = event
        self._bytes += size
        heapq.heappush(self._due, (event.due_ms, event.id))

    def put(self, event: Event, payload: bytes) -> None:
        """Keep an event; raises TooManyRequestsException when the queue is full."""
        if len(self._events) >= MAX_EVENTS or self._bytes + len(payload) > MAX_BYTES:
            raise TooManyRequestsException("Rate Exceeded.", Reason="CallerRateLimitExceeded", Type="User")
        stored = orjson.dumps(asdict(event)) + b"\n" + payload
        with self._region.engine.begin() as tx:
            tx.put(self._space, event.id.encode(), stored)
        self._note(event, len(stored))
        self._changed.set()

    async def run(self, run: Run) -> None:
        """Run events when they are due, for ever, `AT_ONCE` at a time."""
        while True:
            self._changed.clear()
            self._start_due(run)
            await self._something()

    def _start_due(self, run: Run) -> None:
        now_ms = self._region.clock.now_ms()
        while self._due and self._due[0][0] <= now_ms and len(self._running) < AT_ONCE:
            _, ident = heapq.heappop(self._due)
            task = asyncio.get_running_loop().create_task(self._attempt(self._events[ident], run))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._changed.set()

    async def _something(self) -> None:
        """Return when an event is due, came or ended."""
        changed = asyncio.ensure_future(self._changed.wait())
        waits: set[asyncio.Future[Any]] = {changed}
        if self._due and len(self._running) < AT_ONCE:
            pause_s = max(0.0, (self._due[0][0] - self._region.clock.now_ms()) / 1000)
            waits.add(asyncio.ensure_future(self._region.clock.sleep(pause_s)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    async def _attempt(self, event: Event, run: Run) -> None:
        stored = self._space.get(event.id.encode()) or b"\n"
        payload = stored[stored.index(b"\n") + 1 :]
        later = await run(event, payload)
        self._events.pop(event.id, None)
        self._bytes -= len(stored)
        with self._region.engine.begin() as tx:
            if later is None:
                tx.delete(self._space, event.id.encode())
            else:
                changed = orjson.dumps(asdict(later)) + b"\n" + payload
                tx.put(self._space, event.id.encode(), changed)
                self._note(later, len(changed))
