"""Consensus messages and registers as bytes, for links and disks."""

from __future__ import annotations

import struct

from outlast.cloud.engine.consensus import (
    Accept,
    Accepted,
    Ask,
    Ballot,
    Learn,
    Message,
    Prepare,
    Promised,
    Refused,
    Register,
    Reply,
    Report,
)

_BALLOT = struct.Struct(">QB")
_LENGTH = struct.Struct(">I")
_ABSENT = 0xFFFFFFFF
_PREPARE, _ACCEPT, _ASK, _LEARN = 1, 2, 3, 4
_PROMISED, _ACCEPTED, _REFUSED, _REPORT = 5, 6, 7, 8


class Garbled(Exception):
    """The bytes are no message of this protocol."""


def _ballot(ballot: Ballot) -> bytes:
    region = ballot.region.encode()
    return _BALLOT.pack(ballot.counter, len(region)) + region


def _blob(value: bytes | None) -> bytes:
    return _LENGTH.pack(_ABSENT) if value is None else _LENGTH.pack(len(value)) + value


class _Reader:
    def __init__(self, data: bytes, position: int = 0) -> None:
        self._data = data
        self._position = position

    def _take(self, size: int) -> bytes:
        end = self._position + size
        if end > len(self._data):
            raise Garbled("cut short")
        chunk = self._data[self._position : end]
        self._position = end
        return chunk

    def ballot(self) -> Ballot:
        counter, size = _BALLOT.unpack(self._take(_BALLOT.size))
        return Ballot(counter, self._take(size).decode())

    def blob(self) -> bytes | None:
        (size,) = _LENGTH.unpack(self._take(_LENGTH.size))
        return None if size == _ABSENT else self._take(size)

    def byte(self) -> int:
        return self._take(1)[0]


def pack_message(key: bytes, message: Message) -> bytes:
    """A message about `key`."""
    if isinstance(message, Prepare):
        body = bytes((_PREPARE,)) + _ballot(message.ballot)
    elif isinstance(message, Accept):
        body = bytes((_ACCEPT,)) + _ballot(message.ballot) + _blob(message.value)
    elif isinstance(message, Ask):
        body = bytes((_ASK,)) + _ballot(message.known)
    else:
        body = bytes((_LEARN,)) + _ballot(message.ballot) + _blob(message.value)
    return _blob(key) + body


def unpack_message(data: bytes) -> tuple[bytes, Message]:
    """The key and the message; raises Garbled."""
    reader = _Reader(data)
    key = reader.blob() or b""
    kind = reader.byte()
    if kind == _PREPARE:
        return key, Prepare(reader.ballot())
    if kind == _ACCEPT:
        return key, Accept(reader.ballot(), reader.blob())
    if kind == _ASK:
        return key, Ask(reader.ballot())
    if kind == _LEARN:
        return key, Learn(reader.ballot(), reader.blob())
    raise Garbled(f"kind {kind}")


def pack_reply(reply: Reply) -> bytes:
    """A reply."""
    if isinstance(reply, Promised):
        return bytes((_PROMISED,)) + _ballot(reply.ballot) + _ballot(reply.accepted) + _blob(reply.value)
    if isinstance(reply, Accepted):
        return bytes((_ACCEPTED,)) + _ballot(reply.ballot)
    if isinstance(reply, Refused):
        return bytes((_REFUSED,)) + _ballot(reply.ballot) + _ballot(reply.promised)
    head = bytes((_REPORT, reply.same)) + _ballot(reply.accepted) + _blob(reply.value)
    return head + _ballot(reply.learnt)


def unpack_reply(data: bytes) -> Reply:
    """The reply; raises Garbled."""
    reader = _Reader(data)
    kind = reader.byte()
    if kind == _PROMISED:
        return Promised(reader.ballot(), reader.ballot(), reader.blob())
    if kind == _ACCEPTED:
        return Accepted(reader.ballot())
    if kind == _REFUSED:
        return Refused(reader.ballot(), reader.ballot())
    if kind == _REPORT:
        same = bool(reader.byte())
        accepted, value, learnt = reader.ballot(), reader.blob(), reader.ballot()
        return Report(accepted, value, learnt, same)
    raise Garbled(f"kind {kind}")


def pack_register(register: Register) -> bytes:
    """A register for the disk."""
    return _ballot(register.promised) + _ballot(register.accepted) + _blob(register.value)


def unpack_register(data: bytes | None) -> Register:
    """A register from the disk; an absent one has promised nothing."""
    if data is None:
        return Register()
    reader = _Reader(data)
    return Register(reader.ballot(), reader.ballot(), reader.blob())
