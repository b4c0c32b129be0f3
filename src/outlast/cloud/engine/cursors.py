"""Keeps how far replicas have got, and lets the log go up to there.

Only what is kept counts for the log: a record goes when no cursor that a restart would find still needs it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from outlast.cloud.engine.errors import StorageUnavailable
from outlast.cloud.engine.layout import Writes
from outlast.cloud.engine.outbox import Outbox
from outlast.cloud.engine.streams import Stream

if TYPE_CHECKING:
    from outlast.cloud.engine.replication import Replication

TRIM_RECORDS = 500
KEEP_S = 0.25


class Cursors:
    """The streams whose durable state is behind, and the logs that are being trimmed."""

    def __init__(self, replication: Replication) -> None:
        self._home = replication
        self._store = replication.engine.store
        self._moved: dict[Stream, None] = {}
        self._is_due = False
        self._trimming: set[Outbox] = set()

    def moved(self, streams: list[Stream]) -> None:
        """Replicas have acknowledged more: keep their cursors, trim the log.

        Not at once, unless a replica became ACTIVE: what an older cursor makes the Region send again does no harm, and
        a sync for each batch would cost more than the batch.
        """
        self._moved.update(dict.fromkeys(streams))
        if any(stream.status != stream.kept_status for stream in streams):
            self.keep_moved()
        else:
            self._keep_later()

    def keep_moved(self) -> None:
        """Keep what has moved, now; later when nothing can be kept."""
        if self._moved:
            self.keep([])

    def keep(self, streams: Iterable[Stream]) -> None:
        """Keep the cursors of these and of all that have moved, and trim their logs; later when nothing can be kept.

        They are kept together: that one replica is to get everything can follow from what another one is known to be.
        """
        self._moved.update(dict.fromkeys(streams))
        if not self._is_writable():
            self._keep_later()
            return
        live = [stream for stream in self._moved if stream.is_live]
        self._moved.clear()
        if live:
            writes: Writes = {stream.key: stream.encode() for stream in live}
            self._home.lineage.keep(writes)
            self._store.submit(writes)
            for stream in live:
                stream.kept()
            for outbox in dict.fromkeys(stream.outbox for stream in live):
                self.trim(outbox)

    def trim(self, outbox: Outbox) -> None:
        """Remove the records that every replica is known to have, some at a time."""
        if not self._is_writable():
            return
        writes: Writes = {}
        more = outbox.trim(TRIM_RECORDS, writes)
        if writes:
            self._store.submit(writes)
        if more and outbox not in self._trimming:
            self._trimming.add(outbox)
            self._home.later(0, lambda: self._trim_on(outbox))

    def _trim_on(self, outbox: Outbox) -> None:
        self._trimming.discard(outbox)
        self.trim(outbox)

    def _keep_later(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._home.later(KEEP_S, self._due)

    def _due(self) -> None:
        self._is_due = False
        self.keep_moved()

    def _is_writable(self) -> bool:
        try:
            self._store.check()
        except StorageUnavailable:
            return False
        return True
