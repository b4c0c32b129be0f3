"""How a member joins its group, and joins it again after its disk was lost.

A member that forgot a promise could break agreement by giving its vote a second time. So a member whose disk holds no
mark of an earlier life says nothing until one of these is true:

 - every other member answers, and none holds any register: the group is new;
 - a majority of the group (this member not counted), or every other member, has handed over its registers, asked no
   sooner than `QUARANTINE_S` after this life began, which is longer than any attempt of the earlier life can last.

It then takes the highest promise and the highest accepted value of every register as its own: whatever a majority
had agreed on with its vote, one of those asked has seen.

A member whose folder turns out to be an older copy has forgotten promises too: it is silent at once, and joins again.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable
from contextlib import suppress

from outlast.cloud.effects import LinkDown
from outlast.cloud.engine.consensus import Register, majority
from outlast.cloud.engine.consensus_codec import Garbled, pack_register, unpack_register
from outlast.cloud.engine.engine import Engine
from outlast.cloud.engine.errors import StorageUnavailable
from outlast.cloud.engine.space import Space

QUARANTINE_S = 10.0
PAUSE_S = 0.2
ASK_TIMEOUT_S = 2.0
PAGE_BYTES = 1 << 20
MARK = b"m"
REGISTERS, REGISTERS_END = b"a", b"b"
_NEW, _PAGE = b"N", b"P"
_LENGTH = struct.Struct(">I")


class Rejoin:
    """Decides whether this member may vote, and helps others to decide."""

    def __init__(self, engine: Engine, space: Space, channel: str, members: Iterable[str]) -> None:
        self._engine = engine
        self._space = space
        self._channel = f"{channel}/join"
        self._members = tuple(members)
        self._others = tuple(member for member in self._members if member != engine.region)
        self._born_s = engine.effects.clock.monotonic_s()
        self.may_vote = space.get(MARK) is not None
        engine.effects.network.serve(self._channel, self._answer)
        engine.on_older_copy(lambda _: self._begin_again())

    async def run(self) -> None:
        """Return when this member may vote."""
        while not self.may_vote:
            if not await self._try():
                await self._engine.effects.clock.sleep(PAUSE_S)

    def _begin_again(self) -> None:
        """What this member remembers is old: it is as one whose disk was lost, and its life begins now."""
        self.may_vote = False
        self._born_s = self._engine.effects.clock.monotonic_s()
        with suppress(StorageUnavailable), self._engine.begin() as tx:
            tx.delete(self._space, MARK)
        self._engine.replication.spawn(self.run())

    async def _try(self) -> bool:
        asked_s = self._engine.effects.clock.monotonic_s()
        answers = await asyncio.gather(*(self._registers_of(member) for member in self._others))
        told = [registers for registers in answers if registers is not None]
        old = [registers for registers in told if registers is not _UNBORN]
        complete = len(told) == len(self._others)
        is_new = complete and not any(old)
        is_safe = asked_s - self._born_s >= QUARANTINE_S and (complete or len(old) >= majority(self._members))
        if not (is_new or is_safe):
            return False
        return await self._adopt(old)

    async def _adopt(self, others: list[dict[bytes, Register]]) -> bool:
        own = self._space.range(REGISTERS, REGISTERS_END)
        merged = {key: unpack_register(value) for key, value in own}  # of an older copy; nothing of a lost disk
        for registers in others:
            for key, register in registers.items():
                merged[key] = _newer(merged.get(key, Register()), register)
        try:
            with self._engine.begin() as tx:
                for key, register in merged.items():
                    tx.put(self._space, key, pack_register(register))
                tx.put(self._space, MARK, b"1")
            await self._engine.settled()
        except StorageUnavailable:
            return False
        self.may_vote = True
        return True

    async def _registers_of(self, member: str) -> dict[bytes, Register] | None:
        """All that a member holds, `_UNBORN` when it is new itself, None when it does not answer."""
        registers: dict[bytes, Register] = {}
        start = REGISTERS
        while True:
            try:
                data = await self._engine.effects.network.ask(member, self._channel, start, ASK_TIMEOUT_S)
                if data == _NEW:
                    return _UNBORN
                page = _unpack(data)
            except (LinkDown, Garbled, UnicodeDecodeError):
                return None
            if not page:
                return registers
            registers.update(page)
            start = max(page) + b"\0"

    async def _answer(self, peer: str, start: bytes) -> bytes:
        if not self.may_vote:
            return _NEW
        parts, size = [_PAGE], 0
        for key, value in self._space.range(max(start, REGISTERS), REGISTERS_END):
            parts += (_LENGTH.pack(len(key)), key, _LENGTH.pack(len(value)), value)
            size += len(key) + len(value)
            if size > PAGE_BYTES:
                break
        try:
            await self._engine.settled()
        except StorageUnavailable as error:
            raise LinkDown("the disk refuses writes") from error
        return b"".join(parts)


_UNBORN: dict[bytes, Register] = {}
"""Stands for a member that is new itself."""


def _newer(one: Register, other: Register) -> Register:
    latest = one if one.accepted >= other.accepted else other
    return Register(max(one.promised, other.promised), latest.accepted, latest.value)


def _unpack(data: bytes) -> dict[bytes, Register]:
    if data[:1] != _PAGE:
        raise Garbled("no page of registers")
    page: dict[bytes, Register] = {}
    position = 1
    while position < len(data):
        key, position = _blob(data, position)
        value, position = _blob(data, position)
        page[key] = unpack_register(value)
    return page


def _blob(data: bytes, position: int) -> tuple[bytes, int]:
    start = position + _LENGTH.size
    if start > len(data):
        raise Garbled("cut short")
    (size,) = _LENGTH.unpack_from(data, position)
    if start + size > len(data):
        raise Garbled("cut short")
    return data[start : start + size], start + size
