"""Applies what peers send. At least once and in any order: the versions decide.

    the local version knew the incoming one    nothing to do (old, or sent twice)
    the incoming version knew the local one    it replaces it
    neither knew the other                     the greater (stamp, Region) stays; the other goes to the conflict ledger

The outcome is always the greatest (stamp, Region), so copies that have exchanged everything are equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from outlast.cloud.engine import layout, version
from outlast.cloud.engine.errors import IdentitiesUsedUp, StorageUnavailable
from outlast.cloud.engine.ledger import Conflict, Side
from outlast.cloud.engine.lineage import Standing
from outlast.cloud.engine.messages import BATCH, CLEAN, DONE, HELLO, NOT_YET, Batch, Section, pack, read_batch, unpack
from outlast.cloud.engine.space import Change, Space
from outlast.cloud.engine.tombstones import AGAIN
from outlast.cloud.engine.version import Version

if TYPE_CHECKING:
    from outlast.cloud.engine.replication import Replication
    from outlast.cloud.engine.transaction import Transaction

APPLY_ITEMS = 40


def resolve(local: Version, incoming: Version, names: list[str]) -> tuple[Version, Version | None]:
    """The version to keep, and the loser when neither knew the other."""
    if local.covers(incoming.origin, incoming.stamp):
        return local, None
    if incoming.covers(local.origin, local.stamp):
        return incoming, None
    greater = (incoming.stamp, names[incoming.origin]) > (local.stamp, names[local.origin])
    if is_same_write(incoming, local, names):
        return (incoming if greater else local), None
    return (incoming, local) if greater else (local, incoming)


class Receiver:
    """The peer's side of the replication channel."""

    def __init__(self, replication: Replication) -> None:
        self._home = replication
        self._engine = replication.engine

    async def serve(self, peer: str, message: bytes) -> bytes:
        """Answer one message. What cannot be kept is not taken yet; raises ValueError when it makes no sense."""
        parts = unpack(message)
        if len(parts) < 2:
            raise ValueError("an empty replication message")
        greetings, lineage = self._home.greetings, self._home.lineage
        if parts[0] == HELLO:
            greetings.take(peer, parts[1:])
            return pack(greetings.words(peer))
        speaker = Standing.read(parts[1])
        if not greetings.knows(peer, speaker):
            return pack([lineage.standing_now()])  # it is to greet first
        self._home.meet(peer, speaker.identity)
        if parts[0] == BATCH and len(parts) >= 3:
            batch = read_batch(parts)
            standing = lineage.standing_now()
            try:
                standing, results = await self._take_all(peer, speaker, batch)
            except (StorageUnavailable, IdentitiesUsedUp) as error:  # the peer keeps it all, and asks ever less often
                self._engine.refusals.untaken(peer, error)
                results = bytes([NOT_YET] * len(batch.sections))
            return pack([standing, results])
        if parts[0] == CLEAN and len(parts) >= 3:
            results = self._home.tombstones.answer(peer, parts[2:])
            standing = lineage.standing()
            await self._engine.settled()
            return pack([standing, results])
        raise ValueError("an unknown kind of replication message")

    async def _take_all(self, peer: str, speaker: Standing, batch: Batch) -> tuple[bytes, bytes]:
        """Apply a batch and return once it is durable: one sync for all of it. Raises StorageUnavailable and
        IdentitiesUsedUp.

        The standing then, and a result for each section.
        """
        losses = self._engine.losses
        try:
            results = bytes([await self._take(peer, speaker, batch, section) for section in batch.sections])
            return self._home.lineage.standing(), results
        finally:
            await self._engine.settled(losses)

    async def _take(self, peer: str, speaker: Standing, batch: Batch, section: Section) -> int:
        numbers = self._home.intern(batch.names)
        space = self._engine.opened(section.space)
        if space is None or peer not in space.replicas:
            return NOT_YET
        for at in range(0, len(section.keys), APPLY_ITEMS):
            if at:
                await self._engine.effects.clock.sleep(0)
                space = self._engine.opened(section.space)
                if space is None or peer not in space.replicas or not self._home.greetings.knows(peer, speaker):
                    return NOT_YET
            changes: list[Change] = []
            with self._engine.begin(soon=False) as tx:
                self._home.lineage.vouch(peer, speaker, tx.writes)
                piece = slice(at, at + APPLY_ITEMS)
                for key, stored in zip(section.keys[piece], section.stored[piece], strict=True):
                    change = self._apply(tx, space, key, stored, numbers)
                    if change is not None:
                        changes.append(change)
            self._home.tell(space, changes)
        return DONE

    def _apply(self, tx: Transaction, space: Space, key: bytes, sent: bytes, numbers: tuple[int, ...]) -> Change | None:
        """Merge a version as its sender stored it into `tx`; the change when the item's value changed hands."""
        raw = space.raw(key)
        stored = tx.read(raw)
        origin = numbers[sent[1]]
        if stored is None and not sent[0] & version.TOMBSTONE:
            tombstones = self._home.tombstones
            if tombstones.was_deleted(space, origin, int.from_bytes(sent[2:10], "big")):
                tombstones.delete_again(tx, space, key, translate(version.decode(sent), numbers))
                return None
        if version.is_simple(sent) and (stored is None or (stored[1] == origin and version.is_simple(stored))):
            # Nobody else has written it, the common case: what `resolve` says, without taking the versions apart.
            stamp, context, new = version.simple_parts(sent)
            self._engine.clock.hear(stamp)
            if stored is not None and sent[2:10] <= stored[2:10]:
                return None
            old = version.value_of(stored)
            tx.writes[raw] = version.from_origin(sent, origin)
        else:
            merged = self._merge(tx, space, key, stored, translate(version.decode(sent), numbers))
            if merged is None:
                return None
            old = version.value_of(stored)
            tx.writes[raw] = version.encode(merged)
            origin, stamp, context, new = merged.origin, merged.stamp, merged.context, merged.value
        if new is None:
            tx.writes[layout.tombstone_key(stamp, space.number, key)] = b""
            if old is None:
                return None
        change = Change(space, key, old, new, region_of(self._home.names_list[origin]), stamp, True, context)
        if space.derive is not None:
            space.derive(change, tx)
        return change

    def _merge(
        self, tx: Transaction, space: Space, key: bytes, stored: bytes | None, incoming: Version
    ) -> Version | None:
        """The version to keep instead of the stored one, or None; a conflict is noted in `tx`."""
        self._engine.clock.hear(incoming.stamp)
        if stored is None:
            return incoming
        local = version.decode(stored)
        kept, loser = resolve(local, incoming, self._home.names_list)
        if loser is not None:
            self._note(tx, space, key, kept, loser)
        return None if kept is local else kept.after(local, self._engine.origin)

    def _note(self, tx: Transaction, space: Space, key: bytes, winner: Version, loser: Version) -> None:
        names = self._home.names_list
        sides = [Side(region_of(names[each.origin]), each.stamp, each.value, each.context) for each in (winner, loser)]
        now_ms = self._engine.effects.clock.now_ms()
        lost = version.encode(loser) if loser.origin == self._engine.origin else None
        history = version.encode(replace(loser, value=None, context=b""))
        self._home.ledger.add(Conflict(space.name, key, sides[0], sides[1], now_ms, history), lost, tx.writes)


def lacks(replication: Replication, space: Space, writes: Sequence[tuple[bytes, str, int]]) -> list[bool]:
    """As `Engine.lacks`."""
    engine, names = replication.engine, replication.names_list
    numbers = {name: number for number, name in enumerate(names)}
    had: dict[bytes, list[Version]] = {key: [] for key, _, _ in writes}
    for key, versions in had.items():
        stored = engine.store.get(space.raw(key))
        if stored is not None:
            versions.append(version.decode(stored))
        histories = (conflict.history for conflict in replication.ledger.of_item(space.name, key))
        versions += [version.decode(history) for history in histories if history]
    return [not any(each.covers(numbers.get(writer, -1), stamp) for each in had[key]) for key, writer, stamp in writes]


def is_same_write(one: Version, other: Version, names: list[str]) -> bool:
    """Whether two versions are one write, before and after it was marked as that of another identity.

    Deletions that several Regions have sent again are one, too.
    """
    is_again = one.value is None and one.context == other.context == AGAIN
    regions = {region_of(names[each.origin]) for each in (one, other)}
    return one.stamp == other.stamp and one.value == other.value and (is_again or len(regions) == 1)


def translate(incoming: Version, numbers: tuple[int, ...]) -> Version:
    """The version with this engine's numbers for Regions instead of the sender's."""
    seen = tuple([(numbers[origin], stamp) for origin, stamp in incoming.seen])
    gaps = tuple([(numbers[origin], low, high) for origin, low, high in incoming.gaps])
    return replace(incoming, origin=numbers[incoming.origin], seen=seen, gaps=gaps)


def region_of(identity: str) -> str:
    """The Region's name in a name that tells its incarnations apart."""
    return identity.partition("#")[0]
