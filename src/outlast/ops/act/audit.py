"""The audit log: what was done, by whom, when, and why. Lines are only added; each carries the hash of the one before.

A changed, removed or reordered line breaks the chain from there on, and `verify` names it. The last hash, kept
elsewhere (in the report), also tells whether the end was cut off.

A disk may be full on the night it happens. A log that is told where to spill hands over the lines that it cannot write,
keeps them, and writes them before the next one once the disk takes them.
"""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Final

from outlast.ops.outcome import OpsError, UsageError

ROOT: Final = "0" * 64
LAST_S: Final = 253_402_300_799
"""The end of the year 9999: no calendar goes further."""
MOST_KEPT: Final = 10_000
"""Entries that wait for the disk; what comes above that is handed over, and not kept."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `at_s` epoch seconds; `hash` covers everything else, `previous` included."""

    number: int
    at_s: float
    who: str
    action: str
    detail: Mapping[str, Any]
    previous: str
    hash: str


class AuditLog:
    """An append-only log in a file; several processes may write to one."""

    def __init__(self, path: Path, who: str, now_s: Callable[[], float] = time.time) -> None:
        self._path = path
        self._who = who
        self._now_s = now_s
        self.spill: Callable[[str], None] | None = None
        """Hears each line that cannot be written; None: such an entry is an error."""
        self._lock = threading.Lock()
        self._kept: list[Entry] = []
        self._lost = 0
        self.spilled = 0
        """How many were handed over in all, those included that were written later."""
        self._last: Entry | None = None

    @property
    def unwritten(self) -> int:
        """Entries that were handed over and are not in the log."""
        return len(self._kept) + self._lost

    @property
    def path(self) -> Path:
        """Where the log is."""
        return self._path

    def add(self, action: str, **detail: Any) -> Entry:
        """Append an entry, and what was kept before it, and have it on disk before anything follows.

        Raises OpsError when it cannot be written, unless there is somewhere to spill.
        """
        with self._lock:
            entry = seal(0, round(self._now_s(), 6), self._who, action, detail, ROOT)
            try:
                return self._write([*self._kept, entry])
            except OSError as error:
                if self.spill is None:
                    raise OpsError(f"The audit log {self._path} cannot be written: {error}.") from error
                return self._keep(entry, self.spill)

    def settle(self) -> int:
        """Write what was kept, if the disk takes it by now; how many entries are still not in the log."""
        with self._lock:
            if self._kept:
                with suppress(OSError):
                    self._write(self._kept)
            return self.unwritten

    def _write(self, entries: Sequence[Entry]) -> Entry:
        """Append entries, all of them or none; the last one as it was written. Raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+b", buffering=0) as log:  # nothing may be left in a buffer that a full disk refused
            fcntl.flock(log, fcntl.LOCK_EX)
            self._last = self._append(log, entries)
        self._kept.clear()
        return self._last

    def _keep(self, entry: Entry, spill: Callable[[str], None]) -> Entry:
        """Hand it over, as the line that follows those before it."""
        self.spilled += 1
        sealed = self._last = _after(self._last if self.unwritten else self._tail(), entry)
        if len(self._kept) < MOST_KEPT:
            self._kept.append(sealed)
        else:
            self._lost += 1
        spill(_line(sealed))
        return sealed

    def _tail(self) -> Entry | None:
        """The last entry of the log; where it cannot be read, the last that is known."""
        try:
            return _newest(self._path.read_bytes().split(b"\n")) or self._last
        except OSError:
            return self._last

    def _append(self, log: FileIO, entries: Sequence[Entry]) -> Entry:
        """The chain goes on from the last line that is an entry: damage keeps nobody from acting."""
        log.seek(0)
        lines = log.read().split(b"\n")
        last, data = _newest(lines), b""
        for each in entries:
            last = _after(last, each)
            data += _line(last).encode() + b"\n"
        assert last is not None
        size = log.seek(0, os.SEEK_END)
        if lines[-1] and _parsed(lines[-1]) is None:  # a writer was killed at half a line: it never was an entry
            size -= len(lines[-1])
            log.truncate(size)
        try:
            left = memoryview((b"\n" if lines[-1] and _parsed(lines[-1]) else b"") + data)
            while left:
                left = left[log.write(left) :]
            os.fsync(log.fileno())
        except OSError:
            with suppress(OSError):
                os.ftruncate(log.fileno(), size)
            raise
        return last


def _after(last: Entry | None, entry: Entry) -> Entry:
    """The entry as the one that follows `last`."""
    number, previous = (last.number, last.hash) if last else (0, ROOT)
    return seal(number + 1, entry.at_s, entry.who, entry.action, entry.detail, previous)


def _newest(lines: Sequence[bytes]) -> Entry | None:
    return next((entry for entry in map(_parsed, reversed(lines)) if entry is not None), None)


def operator() -> str:
    """Who acts, as the log names them; a user that this machine has no name for is named by number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def seal(number: int, at_s: float, who: str, action: str, detail: Mapping[str, Any], previous: str) -> Entry:
    """An entry with its hash."""
    sealed = {"number": number, "at_s": at_s, "who": who, "action": action, "detail": detail, "previous": previous}
    digest = hashlib.sha256(json.dumps(sealed, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    return Entry(number, at_s, who, action, detail, previous, digest)


def read(path: Path) -> list[Entry]:
    """All entries; half a line at the end is none, an absent log is empty. Raises OpsError for any other line."""
    if not path.exists():
        return []
    try:
        *lines, rest = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UsageError(f"The audit log {path} cannot be read: {error.strerror}.") from error
    entries = []
    for number, line in enumerate(lines, 1):
        entry = _parsed(line)
        if entry is None:
            raise OpsError(f"Line {number} of the audit log {path} is no entry.")
        entries.append(entry)
    last = _parsed(rest)
    return [*entries, last] if last else entries


def verify(entries: list[Entry]) -> str:
    """What is wrong with the chain, in words; empty when nothing is."""
    previous = ROOT
    for number, entry in enumerate(entries, 1):
        true = seal(entry.number, entry.at_s, entry.who, entry.action, entry.detail, entry.previous)
        if entry.hash != true.hash:
            return f"entry {number} was changed"
        if entry.number != number or entry.previous != previous:
            return f"before entry {number} something was removed or moved"
        previous = entry.hash
    return ""


def members(entry: Entry) -> dict[str, Any]:
    """The entry as JSON members."""
    return {name: getattr(entry, name) for name in Entry.__slots__}


def _line(entry: Entry) -> str:
    return json.dumps(members(entry), separators=(",", ":"))


def _parsed(line: bytes) -> Entry | None:
    """The entry in a line; None when it is none."""
    try:
        entry = Entry(**json.loads(line))
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (entry.who, entry.action, entry.previous, entry.hash)
    sound = isinstance(entry.number, int) and isinstance(entry.at_s, int | float) and 0 <= entry.at_s <= LAST_S
    return entry if sound and isinstance(entry.detail, dict) and all(isinstance(each, str) for each in texts) else None
