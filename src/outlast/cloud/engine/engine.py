"""One Region's engine: spaces, transactions, durability."""

from __future__ import annotations

import asyncio
from pathlib import Path

from outlast.cloud.effects import Effects
from outlast.cloud.effects.disk import Lock
from outlast.cloud.engine import layout
from outlast.cloud.engine.catalogue import Catalogue, SpaceRecord
from outlast.cloud.engine.clock import HybridClock
from outlast.cloud.engine.errors import Damaged, EngineBusy, EngineError, Unwritable
from outlast.cloud.engine.keys import data_key
from outlast.cloud.engine.space import Derive, Replica, Space
from outlast.cloud.engine.store import Store, Writes
from outlast.cloud.engine.transaction import Transaction

PURGE_KEYS = 500


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
        known = store.get(layout.CLOCK_KEY)
        self.clock = HybridClock(effects.clock, int.from_bytes(known, "big") if known else 0)
        self.origin = 0
        with self.begin() as tx:
            self.origin = self._catalogue.region(region, tx.writes)
        store.on_failure(self._catalogue.load)
        self._purge()

    @staticmethod
    async def open(folder: Path | str, *, region: str, key: bytes, effects: Effects) -> Engine:
        """Open or make the engine in `folder` under a 32-byte master key.

        Raises EngineBusy (another engine has it), Unwritable, WrongKey, Damaged; each with one clear line.
        """
        folder = Path(folder)
        disk = effects.disk
        try:
            disk.make_folder(folder)
            lock = disk.lock(folder / "lock")
        except OSError as error:
            raise Unwritable(f"the folder {folder} cannot be used: {error.strerror}") from None
        if lock is None:
            raise EngineBusy(f"another process has the data in {folder} open")
        try:
            base = folder / "items.db"
            if disk.exists(base) and not disk.exists(folder / "keys"):
                raise Damaged(f"the key file {folder / 'keys'} is missing")
            secret = data_key(folder, key, disk, effects.entropy)
            disk.append_to(base).close()  # made by the disk door, so that only the owner may read it
            store = Store(base, secret, disk)
            return Engine(region, effects, store, lock)
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
            self._spaces[name] = space
        if derive is not None:
            space.derive = derive
        if replicas and set(replicas) - {self.region} != set(space.replicas):
            self.set_replicas(space, replicas)
        return space

    def spaces(self, prefix: str = "") -> tuple[str, ...]:
        """The names of existing spaces that begin with `prefix`, sorted."""
        return tuple(sorted(name for name in self._catalogue.spaces if name.startswith(prefix)))

    def drop(self, space: Space) -> None:
        """Forget the space at once; its items are removed in the background, across restarts. The name is free."""
        with self.begin() as tx:
            self._catalogue.drop_space(space.name, tx.writes)
        self._spaces.pop(space.name, None)
        self._purge()

    def _purge(self) -> None:
        if self._catalogue.dropped and (self._purging is None or self._purging.done()):
            self._purging = asyncio.get_running_loop().create_task(self._purge_dropped())

    async def _purge_dropped(self) -> None:
        while self._catalogue.dropped:
            number = self._catalogue.dropped[0]
            prefix = layout.item_prefix(number)
            with self.begin() as tx:
                for key, _ in self.store.range(prefix, layout.successor(prefix)):
                    tx.writes[key] = None
                    if len(tx.writes) >= PURGE_KEYS:
                        break
                else:
                    self._catalogue.purged(number, tx.writes)
            await self.settled()
            await self.effects.clock.sleep(0)

    def set_replicas(self, space: Space, regions: tuple[str, ...]) -> None:
        """Let exactly `regions` hold copies of `space`; this Region's own name is passed over."""
        others = tuple(sorted(set(regions) - {self.region}))
        writes: Writes = {}
        self.store.check()
        self._catalogue.change_space(SpaceRecord(space.name, space.number, others), writes)
        self.store.submit(writes)
        space.replicas = others

    def replica_status(self, space: Space) -> dict[str, Replica]:
        """Each replica of `space` as seen from here."""
        return {region: Replica("CREATING", 0, 0) for region in space.replicas}

    # ---- transactions

    def begin(self) -> Transaction:
        """A transaction, used in a `with` block without awaiting. Raises StorageUnavailable when writes are refused."""
        if self._active is not None:
            raise EngineError("a transaction is already open")
        self.store.check()
        self._active = tx = Transaction(self)
        return tx

    def finish(self, tx: Transaction, apply: bool) -> None:
        """End a transaction; called by its `with` block."""
        self._active = None
        if apply and tx.writes:
            self.store.submit(tx.writes)

    @property
    def is_settled(self) -> bool:
        """Whether every applied write is durable; a cheap question before `settled`."""
        return self.store.is_settled

    async def settled(self) -> None:
        """Return when every write applied so far is durable.

        Raises StorageUnavailable when one of them was lost instead (failed sync, full disk); reads go on.
        """
        await self.store.settled()

    async def close(self) -> None:
        """Make everything durable and let go of the folder."""
        if self._purging is not None:
            self._purging.cancel()
            await asyncio.gather(self._purging, return_exceptions=True)
        await self.store.close()
        self._lock.release()
