"""Sends what is owed to one peer: greets it, gathers spans of several spaces into batches, keeps several under way.

Nothing is sent before it is durable here; nothing counts as sent before the peer says that it is durable there. An
idle sender sleeps without a timer: what it is woken for leaves at once. One that has just sent gathers briefly, and
longer when much is written, so that batches cost a busy writer little; only full ones follow at once. Memory is
bounded by what is under way, whatever the backlog; a link that loses batches or takes too long over them gets less at
once, and more time.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outlast.cloud.effects import LinkDown, Unanswered
from outlast.cloud.engine.clock import COUNTER_BITS
from outlast.cloud.engine.errors import StorageUnavailable
from outlast.cloud.engine.messages import CHANNEL, NOT_YET, Batch, Section, pack_batch, unpack
from outlast.cloud.engine.streams import CREATING, Span, Stream
from outlast.cloud.engine.unheard import Unheard

if TYPE_CHECKING:
    from outlast.cloud.engine.replication import Replication

BATCH_ITEMS = 500
BATCH_BYTES = 512 * 1024
MAX_UNDER_WAY = 32
MAX_GREETINGS = 16
MAX_BYTES_UNDER_WAY = 4 * 1024 * 1024
MIN_BYTES_UNDER_WAY = 32 * 1024
BRIEFLY_S = 0.005
GATHERS = ((4000, 0.04), (1500, 0.02), (0, BRIEFLY_S))
"""From so many items a second on a batch gathers for so long: it costs the writer some 0.3 ms, however small it is."""
FIRST_RETRY_S = 0.05
LAST_RETRY_S = 1.0
FIRST_TIMEOUT_S = 3.0
MIN_TIMEOUT_S = 1.0
MAX_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class Delivered:
    """Writes that a peer has made durable: how many took how many milliseconds from local commit to apply there."""

    space: str
    peer: str
    latencies_ms: Mapping[int, int]


Observer = Callable[[Delivered], None]


def latencies(stamps: Sequence[int], applied_ms: int) -> dict[int, int]:
    """How many milliseconds before `applied_ms` writes were stamped, and how many of them each.

    Stamps rise along a log but for a deletion that is sent again, so those of one millisecond lie together.
    """
    found: dict[int, int] = {}
    at = 0
    while at < len(stamps):
        written_ms = stamps[at] >> COUNTER_BITS
        end = max(at + 1, bisect_left(stamps, (written_ms + 1) << COUNTER_BITS, at))
        took_ms = max(0, applied_ms - written_ms)
        found[took_ms] = found.get(took_ms, 0) + end - at
        at = end
    return found


class Sender:
    """The way to one peer."""

    def __init__(self, replication: Replication, peer: str) -> None:
        self._home = replication
        self._engine = replication.engine
        self._clock = replication.engine.effects.clock
        self.peer = peer
        self.up = False
        self._streams: dict[Stream, None] = {}
        self._unheard = Unheard(replication, peer)
        self._wake = asyncio.Event()
        self._nudge = asyncio.Event()
        self._greetings = 0
        self._refused = False
        self._under_way = 0
        self._bytes_under_way = 0
        self._window_bytes = MAX_BYTES_UNDER_WAY
        self._sent_s = -1.0
        self._gather_s = BRIEFLY_S
        self._full = False
        self._round_trip_s = 0.0
        self._patience_s = MIN_TIMEOUT_S
        self._retry_s = FIRST_RETRY_S

    def wake(self, stream: Stream | None = None) -> None:
        """Something may be owed."""
        if stream is not None:
            self._streams[stream] = None
        self._wake.set()
        if not self.up:
            self._unheard.wake()

    def heard(self) -> None:
        """The peer speaks: it is worth greeting at once."""
        if not self.up:
            self._nudge.set()

    def restart(self) -> None:
        """The peer is to be greeted before anything more is sent, and what is under way is sent again."""
        self.up = False
        self._rewind()
        self._nudge.set()
        self.wake()

    def forget(self, stream: Stream) -> None:
        """Nothing is owed on this stream any more."""
        self._streams.pop(stream, None)

    async def run(self) -> None:
        """Send until the engine closes."""
        while not self._home.closing:
            await self._wake.wait()
            self._wake.clear()
            if not self.up:
                await self._greet()
            await self._gather_more()
            if not self.up:  # a batch was lost meanwhile, and what woke us for it is spent
                self.wake()
                continue
            try:
                await self._send_what_is_owed()
            except StorageUnavailable:
                self._rewind()
                self._home.later(LAST_RETRY_S, self.wake)

    async def _greet(self) -> None:
        """Return when the peer has answered a greeting.

        Another one leaves while none is answered, and each waits long: the way may have become slower than it was.
        """
        while not self.up and not self._home.closing:
            self._nudge.clear()
            if self._greetings < MAX_GREETINGS:
                self._greetings += 1
                self._home.spawn(self._greeting())
            await self._home.pause_until(self._nudge, self._greeting_s)
            if self._refused:
                self._refused = False
                self._nudge.clear()
                await self._home.pause_until(self._nudge, self._retry_s)
                self._retry_s = min(self._retry_s * 2, LAST_RETRY_S)
            elif not self._nudge.is_set():
                self._unheard.begin()
        self._unheard.end()
        self._retry_s = FIRST_RETRY_S

    async def _greeting(self) -> None:
        sent_s = self._clock.monotonic_s()
        try:
            message = self._home.greetings.hello(self.peer)
            answer = unpack(await self._engine.effects.network.ask(self.peer, CHANNEL, message, MAX_TIMEOUT_S))
            agreed = self._home.greetings.take(self.peer, answer)
        except Unanswered:
            return
        except (LinkDown, ValueError):
            if not self.up:
                self._unheard.end()
                self._refused = True
                self._nudge.set()
        else:
            if not self.up:
                self._round_trip_s = max(self._round_trip_s, self._clock.monotonic_s() - sent_s)
                self.up, self._refused = agreed, not agreed
                if not agreed:
                    self._unheard.end()
                self._nudge.set()
        finally:
            self._greetings -= 1

    @property
    def _greeting_s(self) -> float:
        """How long to wait for the answer to a small message."""
        if self._round_trip_s == 0.0:
            return FIRST_TIMEOUT_S
        return min(MAX_TIMEOUT_S, max(MIN_TIMEOUT_S, 4 * self._round_trip_s))

    @property
    def _timeout_s(self) -> float:
        return max(self._patience_s, self._greeting_s)

    async def _gather_more(self) -> None:
        """Wait a moment after the last batch, a longer one when much is written, unless another is full already."""
        rest_s = self._sent_s + self._gather_s - self._clock.monotonic_s()
        if rest_s > 0 and not any(stream.n_unsent >= BATCH_ITEMS for stream in self._sendable()):
            await self._clock.sleep(rest_s)
            self._wake.clear()

    async def _send_what_is_owed(self) -> None:
        while self.up and self._under_way < MAX_UNDER_WAY and self._bytes_under_way < self._window_bytes:
            gathered = self._gather()
            if gathered is None:
                return
            spans, message, n_items = gathered
            await self._engine.settled()
            now_s = self._clock.monotonic_s()
            per_s = n_items / max(BRIEFLY_S, now_s - self._sent_s)
            self._gather_s = next((gather_s for least, gather_s in GATHERS if per_s > least), BRIEFLY_S)
            self._sent_s = now_s
            self._under_way += 1
            self._bytes_under_way += len(message)
            self._home.spawn(self._send(spans, message))
            rest = sum(stream.n_unsent for stream in self._sendable())
            if not self._full or rest < n_items:
                if rest:
                    self._wake.set()
                return  # what was written meanwhile gathers first, to as much at least

    def _sendable(self) -> list[Stream]:
        """The streams that may have something to send, in their turn; one that is held back holds up no other."""
        now_s = self._clock.monotonic_s()
        return [stream for stream in self._streams if not stream.paused and stream.not_before_s <= now_s]

    def _gather(self) -> tuple[list[Span], bytes, int] | None:
        """The next batch over the streams that have something to send, each in its turn, and how many items it has."""
        spans: list[Span] = []
        sections: list[Section] = []
        n_items, n_bytes = BATCH_ITEMS, min(BATCH_BYTES, self._window_bytes)
        for stream in self._sendable():
            outbox = stream.outbox
            for fill in (True, False):
                wanted = stream.status == CREATING and not stream.scanned if fill else stream.sent < outbox.last
                if not wanted or n_items <= 0 or n_bytes <= 0:
                    continue
                if fill:
                    span, section, size = outbox.next_fill_span(stream, n_items, n_bytes)
                else:
                    span, section, size = outbox.next_log_span(stream, self._engine.origin, n_items, n_bytes)
                spans.append(span)
                sections.append(section)
                n_items -= max(len(section.keys), len(span.stamps))
                n_bytes -= size
            del self._streams[stream]
            if stream.has_unsent:
                self._streams[stream] = None
            if n_items <= 0 or n_bytes <= 0:
                break
        if not spans:
            return None
        self._full = n_items <= 0 or n_bytes <= 0
        message = pack_batch(self._home.lineage.standing(), Batch(self._home.names(), tuple(sections)))
        return spans, message, BATCH_ITEMS - n_items

    async def _send(self, spans: list[Span], message: bytes) -> None:
        started_s = self._clock.monotonic_s()
        try:
            answer = unpack(await self._engine.effects.network.ask(self.peer, CHANNEL, message, self._timeout_s))
            if len(answer) != 2 or len(answer[1]) != len(spans):
                raise ValueError("the answer does not fit the batch")
            if not self._home.greetings.heard(self.peer, answer[0]):
                raise ValueError("the answer is of a peer that was not greeted")
        except (LinkDown, ValueError):
            self._lost()
        else:
            took_s = self._clock.monotonic_s() - started_s
            self._round_trip_s = max(took_s, 0.8 * self._round_trip_s + 0.2 * took_s)
            self._patience_s = MIN_TIMEOUT_S
            self._window_bytes = min(MAX_BYTES_UNDER_WAY, self._window_bytes + len(message) // 4)
            self._answered(spans, answer[1], took_s)
        finally:
            self._under_way -= 1
            self._bytes_under_way -= len(message)
            self.wake()

    def _answered(self, spans: list[Span], results: bytes, took_s: float) -> None:
        self._home.heartbeats.answered(self.peer)
        moved: dict[Stream, None] = {}
        applied_ms = self._clock.now_ms() - round(took_s * 500)
        for span, result in zip(spans, results, strict=True):
            stream = span.stream
            if result == NOT_YET:
                self._postpone(stream)
                continue
            stream.delay_s = 0.0
            if stream.done(span):
                moved[stream] = None
            if span.stamps:
                latencies_ms = latencies(span.stamps, applied_ms)
                self._home.delivered(Delivered(stream.outbox.name, self.peer, latencies_ms))
        if moved:
            self._home.cursors.moved(list(moved))

    def _postpone(self, stream: Stream) -> None:
        """The peer does not know the space yet, or has no room: ask again in a while."""
        if not stream.is_live:
            return  # it is no replica any more, and nothing is owed to it
        stream.reset()
        self._streams[stream] = None
        if stream.not_before_s > self._clock.monotonic_s():
            return  # of the same moment as one that was answered before: it waits already
        stream.delay_s = min(LAST_RETRY_S, max(FIRST_RETRY_S, stream.delay_s * 2))
        stream.not_before_s = self._clock.monotonic_s() + stream.delay_s

        def again() -> None:
            stream.not_before_s = 0.0  # a timer may be a little early, and nothing else would wake us
            self.wake()

        self._home.later(stream.delay_s, again)

    def _lost(self) -> None:
        """A message or its answer was lost: greet again, then send again from what is acknowledged, less at once."""
        if self.up:
            self._patience_s = min(MAX_TIMEOUT_S, 2 * self._timeout_s)
            self._window_bytes = max(MIN_BYTES_UNDER_WAY, self._window_bytes // 4)
            self.up = False
            self._rewind()

    def _rewind(self) -> None:
        for stream in self._home.streams_to(self.peer):
            stream.reset()
            if stream.has_unsent:
                self._streams[stream] = None
