"""The acknowledged writes that a peer lacks, as far as this Region knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outlast.cloud.engine.clock import stamp_ms
from outlast.cloud.engine.space import Space
from outlast.cloud.engine.streams import CREATING, Stream

if TYPE_CHECKING:
    from outlast.cloud.engine.replication import Replication


@dataclass(frozen=True, slots=True)
class Stranded:
    """An acknowledged write that a peer has not acknowledged. `writer` is the Region's identity that made it."""

    space: str
    key: bytes
    stamp: int
    context: bytes
    writer: str

    @property
    def written_ms(self) -> int:
        """When it was written, by this Region's hybrid logical clock."""
        return stamp_ms(self.stamp)


def stranded(
    replication: Replication, peer: str, space: Space | None = None, from_stamp: int = 0
) -> Iterator[Stranded]:
    """As `Engine.stranded`."""
    for stream in tuple(replication.streams_to(peer)):
        if space is None or stream.outbox is space.outbox:
            yield from _owed(stream, replication.lineage.writer, replication.names_list, from_stamp)


def _owed(stream: Stream, writer: str, names: list[str], from_stamp: int) -> Iterator[Stranded]:
    outbox = stream.outbox
    region = writer.partition("#")[0]
    own = {number: name for number, name in enumerate(names) if name.partition("#")[0] == region}
    first = outbox.first_stamp(stream.acked)
    if stream.status == CREATING:  # items that wait for their turn and that no log record names
        for key, item in outbox.unfilled(stream):
            if item.origin in own and from_stamp <= item.stamp and (first is None or item.stamp < first):
                yield Stranded(outbox.name, key, item.stamp, item.context, own[item.origin])
    for record in outbox.records(_before(stream, from_stamp)):
        yield Stranded(outbox.name, record.key, record.stamp, record.context, writer)


def _before(stream: Stream, stamp: int) -> int:
    """The number of the last write that is owed and older than a stamp: stamps rise along the log."""
    outbox, low, high = stream.outbox, stream.acked, stream.outbox.last
    while low < high:
        middle = (low + high) // 2
        following = outbox.first_stamp(middle)
        if following is None or following >= stamp:
            high = middle
        else:
            low = middle + 1
    return low
