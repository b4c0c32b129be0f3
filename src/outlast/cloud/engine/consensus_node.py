"""A member of a consensus group: the pure rules of `consensus` with a disk, links and a clock.

Every register lives in a space of the engine; a reply leaves only after the engine has settled. Any member may
propose. A member whose disk was lost comes back without memory of its promises; consensus_rejoin keeps it
silent until it cannot break any.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from outlast.cloud.effects import LinkDown
from outlast.cloud.engine.consensus import (
    NEVER,
    Accept,
    Ask,
    Attempt,
    Ballot,
    Change,
    Learn,
    Prepare,
    Register,
    Reply,
    State,
    Survey,
    answer,
    report,
)
from outlast.cloud.engine.consensus_codec import (
    Garbled,
    pack_message,
    pack_register,
    pack_reply,
    unpack_message,
    unpack_register,
    unpack_reply,
)
from outlast.cloud.engine.consensus_rejoin import Rejoin
from outlast.cloud.engine.engine import Engine
from outlast.cloud.engine.errors import StorageUnavailable

ASK_TIMEOUT_S = 1.0
ROUND_LIFETIME_S = 4.0
"""No attempt sends anything later than this after it began."""
MAX_BACKOFF_S = 0.2
SILENT = b""


class NoMajority(Exception):
    """No majority of the members could be reached in time. A change may still take effect later."""


@dataclass(frozen=True, slots=True)
class Known:
    """A value known to have been chosen."""

    ballot: Ballot
    value: bytes | None


Listener = Callable[[bytes, bytes | None], None]


class ConsensusNode:
    """One Region's member of a group that agrees on registers by key.

    `members` are the Regions of the group, this one among them. Messages go over the network's `channel`.
    """

    def __init__(self, engine: Engine, channel: str, members: Iterable[str]) -> None:
        self._engine = engine
        self._channel = channel
        self.members = tuple(members)
        self.region = engine.region
        if self.region not in self.members:
            raise ValueError(f"{self.region} is no member of the group {self.members}")
        self._space = engine.space(f"consensus/{channel}")
        self._clock = engine.effects.clock
        self._network = engine.effects.network
        self._others = tuple(member for member in self.members if member != self.region)
        self._known: dict[bytes, Known] = {}
        self._confirmed_s: dict[bytes, float] = {}
        self._listeners: list[Listener] = []
        self._turns: dict[bytes, asyncio.Lock] = {}
        self._reads: dict[bytes, asyncio.Task[bytes | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._highest = 0
        self._rejoin = Rejoin(engine, self._space, channel, self.members)
        for key, stored in self._space.range(b"l", b"m"):
            register = unpack_register(stored)
            self._known[key[1:]] = Known(register.accepted, register.value)
        self._network.serve(channel, self._serve)

    # ---- what is known here

    def known(self, key: bytes) -> Known | None:
        """The newest value of `key` that this member knows to have been chosen; it may be old. Costs nothing."""
        return self._known.get(key)

    def age_s(self, key: bytes) -> float | None:
        """Seconds since a majority last confirmed what is known here; None when it never did in this life."""
        confirmed = self._confirmed_s.get(key)
        return None if confirmed is None else self._clock.monotonic_s() - confirmed

    def on_learn(self, listener: Listener) -> None:
        """Call `listener(key, value)` whenever a newer value becomes known here."""
        self._listeners.append(listener)

    def _learn(self, key: bytes, ballot: Ballot, value: bytes | None) -> None:
        known = self._known.get(key)
        self._highest = max(self._highest, ballot.counter)
        if ballot == NEVER or (known is not None and known.ballot >= ballot):
            return
        self._known[key] = Known(ballot, value)
        # When the disk refuses writes the value is known in memory, and learnt anew after a restart.
        with suppress(StorageUnavailable), self._engine.begin() as tx:
            tx.put(self._space, b"l" + key, pack_register(Register(ballot, ballot, value)))
        for listener in self._listeners:
            listener(key, value)

    # ---- the acceptor

    async def _serve(self, peer: str, data: bytes) -> bytes:
        """Answer another member; nothing is said when it cannot be made durable."""
        try:
            key, message = unpack_message(data)
        except (Garbled, UnicodeDecodeError):
            return SILENT
        if isinstance(message, Learn):
            self._learn(key, message.ballot, message.value)
            return SILENT
        reply = await self._reply(key, message)
        return SILENT if reply is None else pack_reply(reply)

    async def _reply(self, key: bytes, message: Prepare | Accept | Ask) -> Reply | None:
        if not self._rejoin.may_vote:
            return None
        if isinstance(message, Ask):
            known = self._known.get(key)
            reply: Reply = report(self._register(key), known.ballot if known else NEVER, message.known)
        else:
            before = self._register(key)
            reply, after = answer(before, message)
            if after is not before:
                try:
                    with self._engine.begin() as tx:
                        tx.put(self._space, b"a" + key, pack_register(after))
                except StorageUnavailable:
                    return None
        try:
            await self._engine.settled()
        except StorageUnavailable:
            return None
        return reply

    def _register(self, key: bytes) -> Register:
        return unpack_register(self._space.get(b"a" + key))

    # ---- the proposer

    async def change(self, key: bytes, change: Change, timeout_s: float = ROUND_LIFETIME_S) -> Any:
        """Read, modify and write the register of `key`, linearizably; returns what `change` gave as result.

        `change` may be called again after a lost attempt, then perhaps on its own effect. Raises NoMajority.
        """
        deadline = self._clock.monotonic_s() + timeout_s
        async with self._turns.setdefault(key, asyncio.Lock()):
            tries = 0
            while True:
                attempt = await self._attempt(key, change, deadline)
                if attempt.state is State.CHOSEN:
                    self._chosen(key, attempt)
                    return attempt.result
                if attempt.state is not State.LOST or self._clock.monotonic_s() >= deadline:
                    raise NoMajority("no majority of the endpoints answered in time")
                self._highest = max(self._highest, attempt.rival.counter)
                tries += 1
                await self._clock.sleep(min(MAX_BACKOFF_S, 0.01 * 2**tries) * self._engine.effects.entropy.uniform())

    def _chosen(self, key: bytes, attempt: Attempt) -> None:
        self._learn(key, attempt.ballot, attempt.value)
        self._confirmed_s[key] = self._clock.monotonic_s()
        message = pack_message(key, Learn(attempt.ballot, attempt.value))
        for member in self._others:
            self._spawn(self._tell(member, message))

    async def _tell(self, member: str, message: bytes) -> None:
        try:
            await self._network.ask(member, self._channel, message, ASK_TIMEOUT_S)
        except LinkDown:
            return  # it will ask for itself

    async def _attempt(self, key: bytes, change: Change, deadline: float) -> Attempt:
        self._highest = max(self._highest, self._register(key).promised.counter) + 1
        attempt = Attempt(self.members, Ballot(self._highest, self.region), change)
        own = await self._reply(key, attempt.begin())
        if own is None:
            attempt.state = State.UNREACHABLE
            return attempt
        replies: asyncio.Queue[tuple[str, Prepare | Accept, Reply | None]] = asyncio.Queue()
        accept = attempt.hear(self.region, own)
        if accept is None:
            self._send(key, attempt.begin(), replies, self._others)
        while attempt.is_open:
            if accept is not None:
                self._send(key, accept, replies, self.members)
                accept = None
            left_s = deadline - self._clock.monotonic_s()
            try:
                member, message, reply = await asyncio.wait_for(replies.get(), max(0.0, left_s))
            except TimeoutError:
                attempt.state = State.UNREACHABLE
                break
            if reply is None:
                attempt.miss(member, message)
            else:
                accept = attempt.hear(member, reply)
        return attempt

    def _send(
        self,
        key: bytes,
        message: Any,
        replies: asyncio.Queue[tuple[str, Any, Reply | None]],
        members: Iterable[str],
    ) -> None:
        packed = pack_message(key, message)
        for member in members:
            self._spawn(self._ask(member, key, message, packed, replies))

    async def _ask(
        self,
        member: str,
        key: bytes,
        message: Prepare | Accept | Ask,
        packed: bytes,
        replies: asyncio.Queue[tuple[str, Any, Reply | None]],
    ) -> None:
        reply: Reply | None = None
        if member == self.region:
            reply = await self._reply(key, message)
        else:
            try:
                data = await self._network.ask(member, self._channel, packed, ASK_TIMEOUT_S)
                reply = unpack_reply(data) if data != SILENT else None
            except (LinkDown, Garbled, UnicodeDecodeError):
                reply = None
        replies.put_nowait((member, message, reply))

    # ---- reading

    async def read(self, key: bytes) -> bytes | None:
        """The value of `key`, linearizably; reads that come together share one round. Raises NoMajority."""
        running = self._reads.get(key)
        if running is not None:
            await asyncio.wait((running,))  # it may have begun before a write that this caller has seen end
        task = self._reads.get(key)
        if task is None or task is running:
            task = asyncio.get_running_loop().create_task(self._read(key))
            self._reads[key] = task
            task.add_done_callback(lambda done: self._reads.pop(key, None) if self._reads.get(key) is done else None)
        return await asyncio.shield(task)

    async def _read(self, key: bytes) -> bytes | None:
        survey = await self._survey(key)
        if survey.chosen is not None:
            return survey.chosen[1]
        if not survey.has_majority:
            raise NoMajority("no majority of the endpoints answered in time")
        value: bytes | None = await self.change(key, lambda present: (present, present))
        return value

    async def refresh(self, key: bytes) -> bool:
        """Ask the others and learn what is newer; False when no majority answered."""
        survey = await self._survey(key)
        if survey.chosen is None and survey.learnt is not None:
            self._learn(key, *survey.learnt)
        return survey.has_majority

    async def _survey(self, key: bytes) -> Survey:
        known = self._known.get(key)
        survey = Survey(self.members, known.ballot, known.value) if known else Survey(self.members)
        replies: asyncio.Queue[tuple[str, Ask, Reply | None]] = asyncio.Queue()
        self._send(key, survey.begin(), replies, self.members)
        while survey.chosen is None and not survey.is_over:
            member, _, reply = await replies.get()
            if reply is None:
                survey.miss(member)
            else:
                survey.hear(member, reply)
        if survey.chosen is not None:
            self._learn(key, *survey.chosen)
            self._confirmed_s[key] = self._clock.monotonic_s()
        return survey

    # ---- life

    async def join(self) -> None:
        """Wait until this member may vote; returns at once when its disk remembers an earlier life."""
        await self._rejoin.run()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Drop what is under way."""
        pending = (*self._tasks, *self._reads.values())
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
