"""The sender's wake-ups: none is lost, whatever happens while it gathers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest

from outlast.cloud.effects import LinkDown, RealClock
from outlast.cloud.engine.messages import DONE, HELLO, NOT_YET, Section, pack, unpack
from outlast.cloud.engine.sender import BATCH_ITEMS, BRIEFLY_S, Sender
from outlast.cloud.engine.streams import Span

PEER = "us-west-2"


class EarlyClock(RealClock):
    """Timers that are a little early, as those of uvloop, which counts whole milliseconds."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds - 0.02))


class Home:
    """What a sender needs of replication: no streams, a peer that answers greetings and loses batches."""

    def __init__(self) -> None:
        self.closing = False
        self.greetings = SimpleNamespace(
            hello=lambda _peer: pack([HELLO, b"ours"]), take=lambda _peer, _words: True, heard=lambda _peer, _said: True
        )
        self.lineage = SimpleNamespace(standing=lambda: b"ours")
        self.greeted = asyncio.Event()
        network = SimpleNamespace(ask=self.ask)
        self.heartbeats = SimpleNamespace(answered=lambda _peer: None)
        self.engine = SimpleNamespace(effects=SimpleNamespace(clock=RealClock(), network=network))

    def spawn(self, work: Any) -> None:
        self.tasks = [*getattr(self, "tasks", []), asyncio.ensure_future(work)]

    async def pause_until(self, event: asyncio.Event, at_most_s: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), at_most_s)

    async def ask(self, _peer: str, _channel: str, message: bytes, _timeout_s: float) -> bytes:
        if unpack(message)[0] != HELLO:
            raise LinkDown("lost")
        self.greeted.set()
        return pack([b"theirs"])

    def streams_to(self, _peer: str) -> list[Any]:
        return []


async def test_a_batch_lost_while_the_next_is_gathered_is_greeted_for_again() -> None:
    home = Home()
    sender = Sender(cast(Any, home), PEER)
    running = asyncio.create_task(sender.run())
    try:
        sender.wake()
        await asyncio.wait_for(home.greeted.wait(), 10)
        home.greeted.clear()
        sender._sent_s = home.engine.effects.clock.monotonic_s() + 0.1  # a batch has just been sent
        sender.wake()
        await asyncio.sleep(0.02)  # it gathers now
        await sender._send([], b"a batch")
        await asyncio.wait_for(home.greeted.wait(), 10)
    finally:
        running.cancel()


class StreamStub(SimpleNamespace):
    """A stream is a key of dictionaries."""

    __hash__ = object.__hash__  # type: ignore[assignment]


class Filled(Home):
    """A stream to fill, and a peer that does not know its space at first."""

    def __init__(self) -> None:
        super().__init__()
        self.engine.effects.clock = EarlyClock()
        self.engine.settled = self.settled
        self.asked = 0
        self.has_it = asyncio.Event()
        self.cursors = SimpleNamespace(moved=lambda _streams: self.has_it.set())

    async def settled(self) -> None:
        return None

    async def ask(self, _peer: str, _channel: str, message: bytes, _timeout_s: float) -> bytes:
        if unpack(message)[0] == HELLO:
            return pack([b"theirs"])
        self.asked += 1
        return pack([b"theirs", bytes([NOT_YET if self.asked < 4 else DONE])])

    def names(self) -> tuple[str, ...]:
        return ()

    def later(self, delay_s: float, callback: Any) -> None:
        async def wait() -> None:
            await self.engine.effects.clock.sleep(delay_s)
            callback()

        self.spawn(wait())


async def test_a_peer_that_does_not_know_the_space_yet_is_asked_again_though_timers_are_early() -> None:
    home = Filled()
    sender = Sender(cast(Any, home), PEER)
    stream = StreamStub(
        is_live=True,
        paused=False,
        not_before_s=0.0,
        delay_s=0.0,
        status="CREATING",
        scanned=False,
        sent=0,
        n_unsent=0,
        has_unsent=True,
    )

    def next_fill_span(*_args: Any) -> tuple[Span, Section, int]:
        stream.scanned, stream.has_unsent = True, False
        return Span(cast(Any, stream), True, 0, b"", True, []), Section("t", [], []), 0

    def reset() -> None:
        stream.scanned, stream.has_unsent = False, True

    stream.outbox = SimpleNamespace(name="t", last=0, next_fill_span=next_fill_span)
    stream.reset, stream.done = reset, lambda _span: True
    running = asyncio.create_task(sender.run())
    try:
        sender.wake(cast(Any, stream))
        await asyncio.wait_for(home.has_it.wait(), 10)
        assert home.asked == 4
    finally:
        running.cancel()


class Busy(Filled):
    """Somebody writes whenever the sender waits."""

    def __init__(self, unsent: int) -> None:
        super().__init__()
        self.stream = StreamStub(
            paused=False, not_before_s=0.0, status="ACTIVE", scanned=True, sent=0, n_unsent=0, has_unsent=True
        )
        self.stream.outbox = SimpleNamespace(name="t", last=unsent, next_log_span=self.next_log_span)
        self.batches: list[int] = []
        self.sender: Sender

    async def settled(self) -> None:
        self.stream.outbox.last += 1
        self.stream.n_unsent = self.stream.outbox.last - self.stream.sent
        self.stream.has_unsent = True
        self.sender.wake(cast(Any, self.stream))

    def next_log_span(self, stream: Any, _own: int, n_items: int, _n_bytes: int) -> tuple[Span, Section, int]:
        n_sent = min(n_items, stream.outbox.last - stream.sent)
        stream.sent += n_sent
        stream.n_unsent = stream.outbox.last - stream.sent
        stream.has_unsent = stream.n_unsent > 0
        self.batches.append(n_sent)
        return Span(stream, False, stream.sent, b"", False, [1] * n_sent), Section("t", [], []), 0

    def spawn(self, work: Any) -> None:
        work.close()


async def test_what_is_written_while_a_batch_leaves_gathers_for_the_next_one() -> None:
    home = Busy(unsent=2 * BATCH_ITEMS + 7)
    home.engine.origin = 1
    home.sender = sender = Sender(cast(Any, home), PEER)
    sender.up = True
    sender.wake(cast(Any, home.stream))
    await sender._send_what_is_owed()
    assert home.batches == [BATCH_ITEMS, BATCH_ITEMS], "full ones follow at once"
    assert sender._wake.is_set()
    await sender._send_what_is_owed()
    assert home.batches[2:] == [9], "and what was over waits for more, but no longer than a moment"
    assert sender._wake.is_set()


class SteadyClock(RealClock):
    """Stands still until it is moved."""

    at_s = 100.0

    def monotonic_s(self) -> float:
        return self.at_s


@pytest.mark.parametrize(("per_s", "gathers_s"), [(100, BRIEFLY_S), (1_000, BRIEFLY_S), (3_000, 0.02), (8_000, 0.04)])
async def test_how_long_a_batch_gathers_follows_from_how_much_is_written(per_s: int, gathers_s: float) -> None:
    home = Busy(unsent=0)
    home.engine.origin = 1
    home.engine.effects.clock = clock = SteadyClock()
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.at_s += seconds

    clock.sleep = sleep  # type: ignore[method-assign]
    home.sender = sender = Sender(cast(Any, home), PEER)
    sender.up = True
    for _ in range(20):
        before_s = clock.at_s
        await sender._gather_more()
        home.stream.outbox.last += max(1, round(per_s * (clock.at_s - before_s)))
        sender.wake(cast(Any, home.stream))
        await sender._send_what_is_owed()
    assert round(slept[-1], 4) == gathers_s
