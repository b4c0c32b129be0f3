"""Replication between Regions: each Region sends what was written in it to every replica; last writer wins per item.

The parts: `outbox` (what is owed), `cursors` (how far replicas are known to be), `sender` (one for each peer),
`receiver` (applies and judges), `ledger` (conflicts), `tombstones` (deletions that must be remembered). This module
joins them to the engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

from outlast.cloud.engine import layout
from outlast.cloud.engine.catalogue import Catalogue
from outlast.cloud.engine.clock import stamp_ms
from outlast.cloud.engine.cursors import Cursors
from outlast.cloud.engine.greeting import Greetings
from outlast.cloud.engine.heartbeat import Heartbeats
from outlast.cloud.engine.layout import Writes
from outlast.cloud.engine.ledger import Conflict, Ledger
from outlast.cloud.engine.lineage import Lineage
from outlast.cloud.engine.messages import CHANNEL
from outlast.cloud.engine.outbox import Outbox
from outlast.cloud.engine.receiver import Receiver
from outlast.cloud.engine.renewal import Renewal
from outlast.cloud.engine.sender import Delivered, Observer, Sender
from outlast.cloud.engine.space import Change, Replica, Space
from outlast.cloud.engine.streams import Stream
from outlast.cloud.engine.tombstones import Tombstones

if TYPE_CHECKING:
    from outlast.cloud.engine.engine import Engine

MAX_LOG_RECORDS = 2_000_000


class Replication:
    """Everything an engine knows about its peers."""

    def __init__(self, engine: Engine, catalogue: Catalogue) -> None:
        self.engine = engine
        self._catalogue = catalogue
        self._senders: dict[str, Sender] = {}
        self._outboxes: dict[int, Outbox] = {}
        self._paused: set[tuple[str, str | None]] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._observers: list[Observer] = []
        self.cursors = Cursors(self)
        self.unrecorded: dict[Outbox, None] = {}
        """Logs of writes that have no record yet."""
        self.closing = False
        self._known: dict[str, bytes] = {}
        self.lineage = Lineage(engine, catalogue)
        self.renewal = Renewal(self, catalogue)
        self.greetings = Greetings(self)
        self.ledger = Ledger(engine.store)
        self.tombstones = Tombstones(self)
        self.heartbeats = Heartbeats(self)
        self.max_log_records = MAX_LOG_RECORDS
        engine.store.on_failure(self._reload)
        engine.store.before_commit = self._record
        engine.effects.network.serve(CHANNEL, Receiver(self).serve)
        if next(engine.store.range(layout.TOMBSTONE, layout.successor(layout.TOMBSTONE)), None) is not None:
            self.tombstones.schedule()

    @property
    def origin(self) -> int:
        """The number of this Region's present identity."""
        return self.lineage.origin

    def identify_again(self, writes: Writes) -> None:
        """Note this Region's identity again when the store has lost it."""
        self.lineage.note_again(writes)
        self.renewal.note_again(writes)
        self.engine.origin = self.origin

    # ---- what the engine calls

    def attach(self, space: Space, *, anew: bool = False) -> None:
        """Start sending a space to its replicas; `anew`: whatever was kept of them is of an earlier time."""
        if space.replicas:
            space.outbox = outbox = Outbox(self.engine.store, space.name, space.number, space.replicas)
            self._outboxes[space.number] = outbox
            for stream in outbox.streams.values():
                if anew:
                    stream.load(None)
                self._begin(stream)
            self.cursors.trim(outbox)  # what a crash has left

    def change_replicas(self, space: Space, before: tuple[str, ...], writes: Writes) -> None:
        """Follow a change of `space.replicas`."""
        for peer in set(before) - set(space.replicas):
            writes[layout.stream_prefix(space.number) + peer.encode()] = None
        if space.outbox is None:
            self.attach(space, anew=True)
        else:
            for peer in set(before) - set(space.replicas):
                self._end(space.outbox.streams.pop(peer))
            for peer in sorted(set(space.replicas) - set(before)):
                space.outbox.streams[peer] = Stream(space.outbox, peer, None)
                self._begin(space.outbox.streams[peer])
        if space.outbox is not None:
            for peer in set(space.replicas) - set(before):
                stream = space.outbox.streams[peer]
                writes[stream.key] = stream.encode()
            self.cursors.trim(space.outbox)
            if not space.replicas:
                space.outbox.forget_open()
                self._outboxes.pop(space.number, None)
                space.outbox = None

    def detach(self, space: Space) -> None:
        """The space is dropped."""
        if space.outbox is not None:
            for stream in tuple(space.outbox.streams.values()):
                self._end(stream)
            space.outbox.forget_open()
            self._outboxes.pop(space.number, None)
            space.outbox = None

    def _record(self) -> None:
        """A group leaves for the disk: the records of its writes go with it, and whoever sends them wakes."""
        self.lineage.note()
        if self.unrecorded:
            logs, self.unrecorded = self.unrecorded, {}
            writes: Writes = {}
            for outbox in logs:
                outbox.close(writes)
            if writes:
                self.engine.store.submit(writes)
            for outbox in logs:
                self.wake(outbox)

    def wake(self, outbox: Outbox) -> None:
        """Something was added to a log."""
        for peer, stream in outbox.streams.items():
            if outbox.last - stream.acked > self.max_log_records:
                self.send_all(stream)
            if not stream.paused:
                self._senders[peer].wake(stream)

    def abandon(self) -> None:
        """Stop every task at once."""
        self.closing = True
        for task in tuple(self._tasks):
            task.cancel()

    async def close(self) -> None:
        """Stop sending; wait for the tasks to end; keep how far the replicas have got."""
        while self._tasks:  # a task may lose its cancellation to an answer that comes at the same moment
            self.abandon()
            await asyncio.wait(self._tasks, timeout=0.1)
        self.cursors.keep_moved()

    # ---- streams

    def _begin(self, stream: Stream) -> None:
        stream.paused = (stream.peer, None) in self._paused or (stream.peer, stream.outbox.name) in self._paused
        sender = self._senders.get(stream.peer)
        if sender is None:
            sender = self._senders[stream.peer] = Sender(self, stream.peer)
            self.spawn(sender.run())
            sender.wake()
        self._check_identity(stream)
        if stream.has_unsent and not stream.paused:
            sender.wake(stream)

    def _end(self, stream: Stream) -> None:
        self._senders[stream.peer].forget(stream)
        stream.outbox.streams.pop(stream.peer, None)

    def streams_to(self, peer: str) -> Iterator[Stream]:
        """The streams of every open space to one peer."""
        for outbox in self._outboxes.values():
            if peer in outbox.streams:
                yield outbox.streams[peer]

    def streams(self) -> Iterator[Stream]:
        """The streams of every open space."""
        for outbox in self._outboxes.values():
            yield from outbox.streams.values()

    def meet(self, peer: str, identity: bytes) -> None:
        """A peer says who it is. One that came back with another identity has lost its data."""
        sender = self._senders.get(peer)
        if sender is not None:
            sender.heard()
        if self._known.get(peer) == identity:
            return
        self._known[peer] = identity
        for stream in tuple(self.streams_to(peer)):
            self._check_identity(stream)
            if stream.has_unsent and sender is not None:
                sender.wake(stream)

    def _check_identity(self, stream: Stream) -> None:
        known = self._known.get(stream.peer)
        if known is None or stream.identity == known:
            return
        # What lost data had been sent to some of the others only comes from those that got it.
        streams = list(stream.outbox.streams.values()) if stream.identity else []
        stream.identity = known
        for each in streams:
            each.restart(each.identity)
            if each.peer in self._senders and not each.paused:
                self._senders[each.peer].wake(each)
        self.cursors.keep(streams or [stream])

    def restart(self) -> None:
        """Greet every peer before anything more is sent; what is under way is sent again."""
        for sender in self._senders.values():
            sender.restart()

    def send_all(self, stream: Stream) -> None:
        """The replica gets all items again: its log has become too long, or may not tell all that it lacks."""
        stream.restart(stream.identity)
        self.cursors.moved([stream])

    def _reload(self) -> None:
        """Applied writes were lost: go back to what is durable."""
        self.ledger.load()
        self.lineage.lost()
        self.tombstones.load()
        for outbox in self._outboxes.values():
            outbox.load()
            for stream in outbox.streams.values():
                self._check_identity(stream)  # that a peer had come back empty may be among what was lost
            self.wake(outbox)

    @property
    def names_list(self) -> list[str]:
        """Region identities by number."""
        return self._catalogue.regions

    def names(self) -> tuple[str, ...]:
        """Region identities by number, for a message."""
        return tuple(self._catalogue.regions)

    def number_of(self, peer: str) -> int:
        """The number of a peer's present identity; -1 when nothing of it has been seen."""
        return self._catalogue.number(f"{peer}#{self._known.get(peer, b'').decode()}")

    def intern(self, names: tuple[str, ...]) -> tuple[int, ...]:
        """Numbers for names, given on first sight. Raises IdentitiesUsedUp, StorageUnavailable."""
        writes: Writes = {}
        self.engine.store.check()
        numbers = self._catalogue.numbers(names, writes)
        if writes:
            self.engine.store.submit(writes)
        return numbers

    def outbox_numbered(self, number: int) -> Outbox | None:
        """The log of an open replicated space."""
        return self._outboxes.get(number)

    # ---- tasks and callbacks

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run a task until the engine closes."""
        if self.closing:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _report(task.exception(), "a replication task failed")

    def later(self, delay_s: float, callback: Callable[[], None]) -> None:
        """Call `callback` after a delay, unless the engine closes first."""

        async def wait() -> None:
            await self.engine.effects.clock.sleep(delay_s)
            callback()

        self.spawn(wait())

    async def pause_until(self, event: asyncio.Event, at_most_s: float) -> None:
        """Return when `event` is set, or after `at_most_s`."""
        waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self.engine.effects.clock.sleep(at_most_s))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    def tell(self, space: Space, changes: list[Change]) -> None:
        """Let a space's subscribers hear of changes that arrived."""
        for change in changes:
            if change.new is None:
                self.tombstones.schedule()
            for subscriber in space.subscribers:
                try:
                    subscriber(change)
                except Exception as error:
                    _report(error, "a subscriber failed")

    def observe(self, observer: Observer) -> None:
        """Call `observer` with every delivery to a peer."""
        self._observers.append(observer)

    def delivered(self, delivered: Delivered) -> None:
        """A peer has made writes durable."""
        for observer in self._observers:
            observer(delivered)

    # ---- questions and faults

    def status(self, space: Space) -> dict[str, Replica]:
        """Each replica as seen from here."""
        streams = space.outbox.streams if space.outbox is not None else {}
        return {
            peer: Replica(stream.status, stream.backlog, self.lag_ms(stream))
            for peer, stream in sorted(streams.items())
        }

    def lag_ms(self, stream: Stream) -> int:
        """The age of the oldest write that the replica has not acknowledged; 0 when there is none."""
        if stream.backlog == 0:
            return 0
        first = stream.outbox.first_stamp(stream.acked)
        return 0 if first is None else max(0, self.engine.effects.clock.now_ms() - stamp_ms(first))

    def conflicts(self, space: str | None, since_ms: int, after: int = 0) -> Iterator[Conflict]:
        """The conflict ledger's entries."""
        return self.ledger.conflicts(space, since_ms, self.engine.effects.clock.now_ms(), after)

    def pause(self, peer: str, space: str | None, paused: bool) -> None:
        """Hold back what is owed to `peer` (for one space or all), or let it go again."""
        if paused:
            self._paused.add((peer, space))
        else:
            self._paused.discard((peer, space))
        for stream in self.streams_to(peer):
            stream.paused = (peer, None) in self._paused or (peer, stream.outbox.name) in self._paused
            if not stream.paused:
                self._senders[peer].wake(stream)


def _report(error: BaseException | None, message: str) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
