"""The commit log: segments of encrypted frames in files `log-<number>`, one frame and one sync for each group.

Segments are made ahead of need and removed by a worker of their own, because both wait for the file system's journal.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from outlast.cloud.effects import Disk, Entropy
from outlast.cloud.effects.disk import AppendFile
from outlast.cloud.engine.errors import Damaged
from outlast.cloud.engine.frames import (
    HEADER_BYTES,
    Segment,
    Tail,
    good_frames,
    group_numbers,
    group_writes,
    new_segment,
    pack_group,
    read_segment,
)
from outlast.cloud.engine.layout import Writes

PREFIX = "log-"
SEGMENT_BYTES = 64 * 1024 * 1024
"""A segment that is larger is followed by the next."""
READY_BYTES = 1024 * 1024
"""How far a segment grows at a time: most groups go into blocks that are there; their sync has no journal to write."""
MUCH_BYTES = 16 * 1024 * 1024
"""Who has written so much to a segment finds the one after the next all made ready."""
STEP_BYTES = 512 * 1024
ROOM_BYTES = 1024 * 1024 * 1024
"""Where less is free, nothing is made ready ahead."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Bytes at the end of the log that were never acknowledged, cut off at a start."""

    file: str
    at: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Group:
    """Writes that were made durable together: number of the last commit, the clock's newest stamp, the writes."""

    last: int
    stamp: int
    writes: Writes


@dataclass(slots=True)
class Open:
    """A segment that is written to."""

    segment: Segment
    file: AppendFile
    path: Path
    size: int = HEADER_BYTES


class Log:
    """The log of one engine. `write` and `make_spare` run on workers, the rest on the event loop."""

    def __init__(self, folder: Path, keys: dict[int, bytes], disk: Disk, entropy: Entropy) -> None:
        self._folder = folder
        self._keys = keys
        self._disk = disk
        self._entropy = entropy
        self._next = 1
        self._current: Open | None = None
        self._spare: Open | None = None
        self._closed: list[tuple[int, Path]] = []  # number of the last commit in it, path
        self._last = 0
        self._is_busy = False
        self.stopping = False
        self.dropped: list[Dropped] = []

    # ---- at the start

    def replay(self, after: int, *, begun: bool) -> Iterator[Group]:
        """Groups that hold commits greater than `after`, oldest first.

        Cuts a torn end off the newest segment and notes it in `dropped`. Raises Damaged, also when commits or segments
        are missing. `begun` tells that there was a log before; it then reaches `after` at least.
        """
        reached, top = after, -1
        names = [name for name in self._disk.names(self._folder) if name.startswith(PREFIX) and name[4:].isdigit()]
        for name in names:
            path = self._folder / name
            contents = self._disk.read(path)
            segment = read_segment(contents, self._keys, name)
            newest = name == names[-1]
            if segment is None:
                if not newest and name != names[-2]:
                    raise Damaged(f"the log segment {name} is damaged at byte 0")
                if contents:
                    self.dropped.append(Dropped(name, 0, len(contents)))
                self._disk.remove(path)  # a spare that was never used
                continue
            self._check_place(segment, name)
            unused = newest or self._is_unused(names, name)
            for piece in good_frames(segment, contents, name, may_be_torn=unused):
                if isinstance(piece, Tail):
                    self._cut(path, piece)
                else:
                    first, last, stamp = group_numbers(piece)
                    if first > reached + 1:
                        raise Damaged(f"the log lacks the commits from {reached + 1} to {first - 1}, before {name}")
                    top = max(top, last)
                    if first <= last and last > after:  # else a mark, or in the base
                        reached = max(reached, last)
                        yield Group(last, stamp, dict(group_writes(piece)))
            if segment.counter == 0 and unused:
                self._next = segment.number  # nothing is in it
                self._disk.remove(path)
            else:
                self._closed.append((max(top, 0), path))
        if begun and top < after:
            raise Damaged(f"the log in {self._folder} is missing or ends before the base, which holds commit {after}")

    def _check_place(self, segment: Segment, name: str) -> None:
        """Segments are numbered without gaps, and called by their numbers; raises Damaged."""
        if f"{PREFIX}{segment.number:016d}" != name:
            raise Damaged(f"the log segment {name} is number {segment.number} under a wrong name")
        if self._closed and segment.number != self._next:
            raise Damaged(f"the log segment {PREFIX}{self._next:016d} is missing")
        self._next = segment.number + 1

    def _is_unused(self, names: list[str], name: str) -> bool:
        """Whether every newer segment was made ahead and never written to."""
        newer = names[names.index(name) + 1 :]
        return all(self._is_blank(self._folder / each) for each in newer)

    def _is_blank(self, path: Path) -> bool:
        """Whether nothing follows the header but zeros that were made ready."""
        at = HEADER_BYTES
        while piece := self._disk.read(path, at, STEP_BYTES):
            if piece.strip(b"\0"):
                return False
            at += len(piece)
        return True

    def _cut(self, path: Path, tail: Tail) -> None:
        if tail.dropped_bytes:
            self._disk.truncate(path, tail.good_bytes)
            self.dropped.append(Dropped(path.name, tail.good_bytes, tail.dropped_bytes))

    def start(self, last: int, stamp: int) -> None:
        """Begin a segment of this life, with a mark of what base and log hold; after `replay`."""
        self.make_spare()
        self.roll()
        self.write([], last, stamp)

    def finish(self, last: int, stamp: int) -> None:
        """End this life with a mark, behind which nothing can be torn; in the spare, so that no file's loss hides."""
        if self._spare is not None:
            self.roll()
        self.write([], last, stamp)
        if self._current is not None:
            self._current.file.cut(self._current.size)

    # ---- while running

    @property
    def size(self) -> int:
        """Bytes in the segment that is written to."""
        return 0 if self._current is None else self._current.size

    @property
    def is_open(self) -> bool:
        """Whether there is a segment to write to."""
        return self._current is not None

    @property
    def has_spare(self) -> bool:
        """Whether `roll` can happen at once."""
        return self._spare is not None

    def make_spare(self) -> None:
        """Make the next segment's file, synced. May block.

        Whoever writes much gets it with room for all of it: growing is what makes the sync of a large group slow.
        """
        number = self._next
        segment = new_segment(number, max(self._keys), self._keys[max(self._keys)], self._entropy)
        path = self._folder / f"{PREFIX}{number:016d}"
        self._disk.remove(path)  # what a failure left of it
        file = self._disk.append_to(path)
        try:
            file.append(segment.header)
            file.sync()
            if self._is_busy and self._disk.free_bytes(self._folder) > ROOM_BYTES:
                for _ in range(SEGMENT_BYTES // STEP_BYTES):
                    if not self.stopping:
                        file.make_ready(STEP_BYTES)
        except OSError:
            file.close()
            self._disk.remove(path)
            raise
        self._next += 1
        self._spare = Open(segment, file, path)

    def roll(self) -> None:
        """Go on in the spare segment. Not while a write runs."""
        current, spare = self._current, self._spare
        if spare is None:
            raise RuntimeError("there is no spare segment")
        if current is not None:
            self._is_busy = current.size > MUCH_BYTES
            current.file.close()
            self._closed.append((self._last, current.path))
        self._current, self._spare = spare, None

    def write(self, batches: list[Writes], last: int, stamp: int) -> None:
        """Make a group durable; one without writes is a mark: commits up to `last` were there before it.

        May block; raises OSError, after which nothing of the group is in the log.
        """
        current = self._current
        if current is None:
            raise OSError(errno.EBADF, "the log is closed")
        frame = current.segment.seal(pack_group(batches, last, stamp))
        try:
            current.file.append(frame, READY_BYTES if batches else 0)
        except OSError:
            current.file.cut(current.size)
            raise
        current.file.sync()
        current.size += len(frame)
        self._last = last

    def take_removable(self, flushed: int) -> Callable[[], None] | None:
        """A job that removes the segments whose every commit is at or below `flushed`; None when there is none.

        Some frame always says that the log reached what the base holds: the newest segment with one stays.
        """
        if self._current is None or self._current.size == HEADER_BYTES:
            removable = [entry for entry in self._closed[:-1] if entry[0] <= flushed]
        else:
            removable = [entry for entry in self._closed if entry[0] <= flushed]
        if not removable:
            return None
        gone = [path for _, path in removable]
        self._closed = self._closed[len(removable) :]

        def remove() -> None:
            for path in gone:
                self._disk.remove(path)

        return remove

    def trim(self, flushed: int) -> None:
        """Remove them now, at a start; one that cannot be removed stays. May block."""
        remove = self.take_removable(flushed)
        if remove is not None:
            with contextlib.suppress(OSError):
                remove()

    @property
    def n_segments(self) -> int:
        """Segments that are still needed."""
        return len(self._closed) + (self._current is not None)

    def close(self) -> None:
        """Close the files."""
        for each in (self._current, self._spare):
            if each is not None:
                each.file.close()
        self._current = self._spare = None
