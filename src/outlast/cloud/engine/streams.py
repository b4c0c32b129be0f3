"""How far each replica of a space has got with what it is owed.

A replica is CREATING while existing items are sent to it (`fill`), then ACTIVE. Both the fill and the log are sent in
spans of which several may be under way; a span that fails is sent again, with all that follow it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outlast.cloud.engine import layout

if TYPE_CHECKING:
    from outlast.cloud.engine.outbox import Outbox

CREATING, ACTIVE = "CREATING", "ACTIVE"
SCAN_KEYS = 1000
"""How many existing items are looked at for one span."""


@dataclass(slots=True)
class Span:
    """A piece of a fill or of the log that is under way."""

    stream: Stream
    fill: bool
    last_number: int
    next_key: bytes
    final: bool
    stamps: Sequence[int]
    done: bool = False


class Stream:
    """One replica of one space."""

    __slots__ = (
        "acked",
        "delay_s",
        "fill_acked",
        "fill_sent",
        "fill_spans",
        "identity",
        "kept_acked",
        "kept_status",
        "log_spans",
        "not_before_s",
        "outbox",
        "paused",
        "peer",
        "scanned",
        "sent",
        "status",
    )

    def __init__(self, outbox: Outbox, peer: str, stored: bytes | None) -> None:
        self.outbox = outbox
        self.peer = peer
        self.paused = False
        self.not_before_s = 0.0
        self.delay_s = 0.0
        self.fill_spans: deque[Span] = deque()
        self.log_spans: deque[Span] = deque()
        self.load(stored)

    def load(self, stored: bytes | None) -> None:
        """Take the durable state: a status byte, the cursor, the peer's identity, where the fill goes on."""
        if stored is None:
            self.status, self.acked, self.identity, self.fill_acked = CREATING, self.outbox.last, b"", b""
        else:
            self.status = ACTIVE if stored[:1] == b"a" else CREATING
            self.acked = int.from_bytes(stored[1:9], "big")
            self.identity = stored[9:25].rstrip(b"\0")
            self.fill_acked = stored[25:]
        self.kept()
        self.reset()

    def kept(self) -> None:
        """The store has the present state."""
        self.kept_status, self.kept_acked = self.status, self.acked

    def encode(self) -> bytes:
        """The durable state."""
        status = b"a" if self.status == ACTIVE else b"c"
        return status + self.acked.to_bytes(8, "big") + self.identity.ljust(16, b"\0") + self.fill_acked

    def reset(self) -> None:
        """Send again from what is acknowledged."""
        self.sent = self.acked
        self.fill_sent = self.fill_acked
        self.scanned = False
        self.fill_spans.clear()
        self.log_spans.clear()

    def restart(self, identity: bytes) -> None:
        """The peer has another identity than before (its data is gone): send everything to it."""
        self.identity = identity
        self.status = CREATING
        self.acked = self.outbox.last
        self.fill_acked = b""
        self.reset()

    @property
    def key(self) -> bytes:
        """Where the durable state is kept."""
        return layout.stream_prefix(self.outbox.number) + self.peer.encode()

    @property
    def is_live(self) -> bool:
        """Whether its space still has this replica."""
        return self.outbox.streams.get(self.peer) is self

    @property
    def backlog(self) -> int:
        """Logged writes that the peer has not acknowledged."""
        return self.outbox.last - self.acked

    @property
    def has_unsent(self) -> bool:
        """Whether something can be sent now, were the stream not paused."""
        return self.sent < self.outbox.last or (self.status == CREATING and not self.scanned)

    @property
    def n_unsent(self) -> int:
        """Logged writes that are not under way, and existing items, of which no one knows the number."""
        return self.outbox.last - self.sent + (SCAN_KEYS if self.status == CREATING and not self.scanned else 0)

    def done(self, span: Span) -> bool:
        """The peer has a span; whether the durable state moved."""
        spans = self.fill_spans if span.fill else self.log_spans
        if span not in spans:
            return False
        span.done = True
        moved = False
        while spans and spans[0].done:
            first = spans.popleft()
            moved = True
            if not first.fill:
                self.acked = first.last_number
            elif first.final:
                self.status, self.fill_acked = ACTIVE, b""
            else:
                self.fill_acked = first.next_key
        return moved


def restarted(stored: bytes) -> bytes:
    """The durable state of a stream, changed so that everything is sent; for a space that is not open."""
    return b"c" + stored[1:25]
