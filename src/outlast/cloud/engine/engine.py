"""One Region's engine: spaces, transactions, durability."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from outlast.cloud.effects import Effects
from outlast.cloud.effects.disk import Lock
from outlast.cloud.engine import keys, layout
from outlast.cloud.engine.catalogue import Catalogue, SpaceRecord
from outlast.cloud.engine.clock import HybridClock
from outlast.cloud.engine.errors import EngineError, StorageUnavailable
from outlast.cloud.engine.folder import take
from outlast.cloud.engine.layout import Writes
from outlast.cloud.engine.ledger import Conflict
from outlast.cloud.engine.log import Dropped
from outlast.cloud.engine.receiver import lacks
from outlast.cloud.engine.refusals import Refusals
from outlast.cloud.engine.renewal import OlderCopy
from outlast.cloud.engine.replication import Replication
from outlast.cloud.engine.sender import Observer
from outlast.cloud.engine.space import Derive, Space
from outlast.cloud.engine.store import Store
from outlast.cloud.engine.stranded import Stranded, stranded
from outlast.cloud.engine.transaction import Transaction

PURGE_KEYS = 500
REST_TRIES, REST_TRY_S = 300, 0.1


class Engine:
    """The durable state of one Region. Everything happens on the event loop that opened it.

    Writes are visible at once and durable after `settled`. Only one engine holds a folder at a time.
    """

    def __init__(self, region: str, effects: Effects, store: Store, lock: Lock) -> None:
        self.region = region
        self.effects = effects
        self.store = store
        self._lock = lock
        self._catalogue = Catalogue(store)
        self._spaces: dict[str, Space] = {}
        self._active: Transaction | None = None
        self._purging: asyncio.Task[None] | None = None
        self.clock = HybridClock(effects.clock, store.stamp())
        store.stamp = lambda: self.clock.last
        self._lost = False
        store.on_failure(self._catalogue.load)
        self.replication = Replication(self, self._catalogue)
        self.origin = self.replication.origin
        self.refusals = Refusals(self)
        store.on_failure(self._mark_lost)
        self._purge()

    @staticmethod
    async def open(folder: Path | str, *, region: str, key: bytes, effects: Effects) -> Engine:
        """Open or make the engine in `folder` under a 32-byte master key.

        Raises EngineBusy (another engine has it), Unwritable, WrongKey, Damaged, Misplaced; each with one clear line.
        """
        folder = Path(folder)
        disk = effects.disk
        lock = take(folder, disk)
        try:
            data_keys = keys.load(folder, key, disk, effects.entropy)
            store = Store(folder, data_keys, disk, effects.entropy, effects.clock)
            try:
                return Engine(region, effects, store, lock)
            except BaseException:
                store.abandon()
                raise
        except BaseException:
            lock.release()
            raise

    # ---- spaces

    def space(self, name: str, replicas: tuple[str, ...] = (), derive: Derive | None = None) -> Space:
        """The space called `name`, made on first use; the same object every time.

        `derive(change, tx)` is called inside the transaction for every change from now on. Replicas are kept across
        restarts; naming some here makes them the space's replicas, naming none leaves them as they are.
        """
        space = self._spaces.get(name)
        if space is None:
            record = self._catalogue.spaces.get(name)
            if record is None:
                if not name or "\0" in name:
                    raise EngineError("a space needs a name without NUL")
                # Straight to the store, so that it may also happen while a transaction is open.
                writes: Writes = {}
                self.store.check()
                record = self._catalogue.add_space(name, (), writes)
                self.store.submit(writes)
            space = Space(self, name, record.number, record.replicas)
            space.derive = derive
            self._spaces[name] = space
            self.replication.attach(space)
        elif derive is not None:
            space.derive = derive
        if replicas and set(replicas) - {self.region} != set(space.replicas):
            self.set_replicas(space, replicas)
        return space

    def spaces(self, prefix: str = "") -> tuple[str, ...]:
        """The names of existing spaces that begin with `prefix`, sorted."""
        return tuple(sorted(name for name in self._catalogue.spaces if name.startswith(prefix)))

    def drop(self, space: Space) -> None:
        """Forget the space at once; its items are removed in the background, across restarts. The name is free."""
        writes: Writes = {}
        self.store.check()
        for peer in space.replicas:
            writes[layout.stream_prefix(space.number) + peer.encode()] = None
        self.replication.detach(space)
        self._catalogue.drop_space(space.name, writes)
        self.store.submit(writes)
        self._spaces.pop(space.name, None)
        self._purge()

    def _purge(self) -> None:
        if self._catalogue.dropped and (self._purging is None or self._purging.done()):
            self._purging = asyncio.get_running_loop().create_task(self._purge_dropped())

    async def _purge_dropped(self) -> None:
        while self._catalogue.dropped:
            number = self._catalogue.dropped[0]
            writes: Writes = {}
            for prefix in (layout.item_prefix(number), layout.log_prefix(number), layout.forgotten_prefix(number)):
                for key, _ in self.store.range(prefix, layout.successor(prefix)):
                    writes[key] = None
                    if len(writes) >= PURGE_KEYS:
                        break
            try:
                self.store.check()
                if len(writes) < PURGE_KEYS:
                    self._catalogue.purged(number, writes)
                self.store.submit(writes)
                await self.settled()
            except StorageUnavailable:
                return  # the space is still noted as dropped; the next drop or start goes on
            await self.effects.clock.sleep(0)

    def opened(self, name: str) -> Space | None:
        """The space called `name`, when this process has opened it."""
        return self._spaces.get(name)

    def is_unreplicated(self, number: int) -> bool:
        """Whether the space of that number has no replicas, or is gone."""
        return not any(each.number == number and each.replicas for each in self._catalogue.spaces.values())

    # ---- replication

    def set_replicas(self, space: Space, regions: tuple[str, ...]) -> None:
        """Let exactly `regions` hold copies of `space`; this Region's own name is passed over."""
        others = tuple(sorted(set(regions) - {self.region}))
        if others == space.replicas:
            return
        writes: Writes = {}
        self.store.check()
        self._catalogue.change_space(SpaceRecord(space.name, space.number, others), writes)
        before, space.replicas = space.replicas, others
        self.replication.change_replicas(space, before, writes)
        self.store.submit(writes)

    def stranded(self, peer: str, space: Space | None = None, from_stamp: int = 0) -> Iterator[Stranded]:
        """The acknowledged writes that `peer` has not acknowledged, oldest first within a space, from a stamp on.

        Each write once while the replica is ACTIVE; while it is CREATING, the newest write of each item. Open spaces
        only. Lazy: consume it without awaiting.
        """
        return stranded(self.replication, peer, space, from_stamp)

    @property
    def writer(self) -> str:
        """How writes made here are known everywhere: the Region and this folder's identity."""
        return self.replication.lineage.writer

    def lacks(self, space: Space, writes: Sequence[tuple[bytes, str, int]]) -> list[bool]:
        """For each (key, writer, stamp): whether neither it nor a write that knew it is here or in the ledger.

        A deletion that all Regions had, and that was forgotten since, counts as lacking.
        """
        return lacks(self.replication, space, writes)

    def conflicts(self, space: str | None = None, since_ms: int = 0, after: int = 0) -> Iterator[Conflict]:
        """Overwritten concurrent writes noticed since then, oldest first, that follow the one of number `after`.

        Lazy: consume it without awaiting; go on after another time by number.
        """
        return self.replication.conflicts(space, since_ms, after)

    def observe(self, observer: Observer) -> None:
        """Call `observer(Delivered)` whenever a peer has made writes durable: latencies for each space and peer."""
        self.replication.observe(observer)

    def on_older_copy(self, observer: Callable[[OlderCopy], None]) -> None:
        """Call `observer` when a peer's knowledge shows that this folder is an older copy: the Region goes on as new.

        It keeps what it has, gets from its peers what it has forgotten, and gives them what they lack.
        """
        self.replication.renewal.observe(observer)

    @property
    def is_renewing(self) -> bool:
        """Whether an older copy was found and nothing is sent or taken yet: everything will be, once this ends."""
        return self.replication.renewal.is_running

    def beat(self, peers: Iterable[str]) -> dict[str, int]:
        """Milliseconds since each peer last answered; peers that were silent for a second are greeted.

        It rises while the link is cut, in either direction, and needs no writes. Call it once a second or less often.
        """
        return self.replication.heartbeats.beat(peers)

    def pause_replication(self, peer: str, space: str | None = None) -> None:
        """Hold back what is owed to `peer`, for one space or for all, until `resume_replication` or a restart."""
        self.replication.pause(peer, space, True)

    def resume_replication(self, peer: str, space: str | None = None) -> None:
        """End what `pause_replication` with the same arguments began."""
        self.replication.pause(peer, space, False)

    # ---- transactions

    def begin(self, *, soon: bool = True) -> Transaction:
        """A transaction, used in a `with` block without awaiting. Raises StorageUnavailable when writes are refused.

        One that need not be durable `soon` shares the sync of what follows; whoever began it awaits `settled` later.
        """
        if self._active is not None:
            raise EngineError("a transaction is already open")
        self.store.check()
        if self._lost:
            self._restore_names()
        self._active = tx = Transaction(self, soon)
        return tx

    def _mark_lost(self) -> None:
        self._lost = True

    def _restore_names(self) -> None:
        """Writes were lost: note again the spaces and names that this process holds and the store has lost."""
        self._lost = False
        writes: Writes = {}
        for space in self._spaces.values():
            record = SpaceRecord(space.name, space.number, space.replicas)
            if self._catalogue.spaces.get(space.name) != record:
                self._catalogue.change_space(record, writes)
        self.replication.identify_again(writes)
        if writes:
            self.store.submit(writes)

    def finish(self, tx: Transaction, apply: bool) -> None:
        """End a transaction; called by its `with` block."""
        self._active = None
        if apply and tx.writes:
            if tx.logged:
                tx.log()
            self.store.submit(tx.writes, soon=tx.soon)

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        """What the start cut off the end of the log: bytes of writes that were never acknowledged."""
        return tuple(self.store.dropped)

    @property
    def is_settled(self) -> bool:
        """Whether every applied write is durable; a cheap question before `settled`."""
        return self.store.is_settled

    @property
    def log_share(self) -> float:
        """How much of the commit log's limit is taken by writes that the base has not taken over; see `Store`."""
        return self.store.log_share

    @property
    def losses(self) -> int:
        """How often applied writes were lost instead of becoming durable."""
        return self.store.losses

    async def settled(self, losses: int | None = None) -> None:
        """Return when every write applied so far is durable.

        Raises StorageUnavailable when one of them was lost instead (failed sync, full disk); reads go on. Who saw
        writes and has awaited something since gives the `losses` of that time, and is told of a loss in between too.
        """
        await self.store.settled(losses)

    def when_settled(self, callback: Callable[[StorageUnavailable | None], None]) -> None:
        """As `settled`, by a call of `callback` with the failure or None; for when `is_settled` is false."""
        self.store.when_settled(callback)

    async def rest(self) -> None:
        """Give back memory that is held only to be fast; for when nothing has been asked for a while."""
        self.store.rest()
        for _ in range(REST_TRIES):
            if not self.store.log_share:
                break
            await self.effects.clock.sleep(REST_TRY_S)
        self.store.base.rest()

    async def close(self) -> None:
        """Make everything durable and let go of the folder."""
        if self._purging is not None:
            self._purging.cancel()
            await asyncio.gather(self._purging, return_exceptions=True)
        await self.replication.close()
        await self.store.close()
        self._lock.release()

    def abandon(self) -> None:
        """Stop at once, as if the process had died: what is not durable is lost. For simulations."""
        if self._purging is not None:
            self._purging.cancel()
        self.replication.abandon()
        self.store.abandon()
        self._lock.release()
