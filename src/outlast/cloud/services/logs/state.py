"""What CloudWatch Logs keeps in one Region.

Events lie under stream number (8 bytes), time in milliseconds (8), order of arrival (8 + 4). The order of arrival is
the stamp of the transaction that wrote the event, so it never repeats across restarts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from outlast.cloud.contract import Region, Shelf
from outlast.cloud.services.logs.errors import ResourceNotFoundException
from outlast.cloud.services.logs.model import Group, LogEvent, MetricFilter, Stream

log = logging.getLogger("outlast.logs")

MAX_GROUPS: Final = 10_000
MAX_STREAMS: Final = 100_000
MAX_PENDING: Final = 50_000
POSITION_BYTES: Final = 20
_PREFIX = 8


class LogStore:
    """Groups, streams and events of one Region."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self._groups = Shelf(region, "logs/groups")
        self._streams = Shelf(region, "logs/streams")
        self._filters = Shelf(region, "logs/metric-filters")
        self.policies = Shelf(region, "logs/resource-policies")
        self._numbers = Shelf(region, "logs/numbers")
        self._events = region.engine.space("logs/events")
        self.groups: dict[str, Group] = {name: Group(**document) for name, document in self._groups.items()}
        self.streams: dict[int, dict[str, Stream]] = {group.number: {} for group in self.groups.values()}
        for _, document in self._streams.items():
            self.streams.setdefault(document["group"], {})[document["name"]] = Stream(**document)
        self.filters: dict[str, list[MetricFilter]] = {}
        for _, document in self._filters.items():
            self._note_filter(MetricFilter(**{**document, "transformations": tuple(document["transformations"])}))
        self.pending: list[tuple[str, dict[str, Any]]] = []
        self.has_pending = asyncio.Event()
        self.dropped = 0

    @classmethod
    def open(cls, region: Region) -> LogStore:
        """The state of `region`."""
        return cls(region)

    def _next_number(self) -> int:
        known = self._numbers.get("last")
        number = 1 if known is None else known["number"] + 1
        self._numbers.put("last", {"number": number})
        return number

    # ---- groups

    def group(self, name: str) -> Group:
        """The group; raises ResourceNotFoundException."""
        found = self.groups.get(name)
        if found is None:
            raise ResourceNotFoundException("The specified log group does not exist.")
        return found

    def arn(self, group: Group) -> str:
        """The group's ARN without the `:*` that stands for its streams."""
        return self.region.arn("logs", f"log-group:{group.name}")

    def add_group(self, name: str, tags: dict[str, str], protected: bool) -> Group:
        """Make a group."""
        group = Group(name, self._next_number(), self.region.clock.now_ms(), tags=tags, protected=protected)
        self.streams[group.number] = {}
        self.put_group(group)
        return group

    def put_group(self, group: Group) -> None:
        self._groups.put(group.name, group.document())
        self.groups[group.name] = group

    def drop_group(self, group: Group) -> None:
        """Remove the group at once; its events go in the background."""
        for stream in list(self.streams.get(group.number, {}).values()):
            self.drop_stream(group, stream)
        for one in list(self.filters.get(group.name, ())):
            self.drop_filter(one)
        self.streams.pop(group.number, None)
        self._groups.delete(group.name)
        del self.groups[group.name]

    # ---- streams

    def stream(self, group: Group, name: str) -> Stream:
        """The stream, with its times known; raises ResourceNotFoundException."""
        found = self.streams[group.number].get(name)
        if found is None:
            raise ResourceNotFoundException("The specified log stream does not exist.")
        return self.timed(found)

    def timed(self, stream: Stream) -> Stream:
        """The stream with first and last times, read from its events after a restart."""
        if stream.last_ms is None:
            newest = next(self.events(stream, reverse=True), None)
            oldest = next(self.events(stream), None)
            if newest is not None and oldest is not None:
                stream.first_ms, stream.last_ms, stream.ingested_ms = oldest.at_ms, newest.at_ms, newest.ingested_ms
        return stream

    def add_stream(self, group: Group, name: str) -> Stream:
        """Make a stream."""
        stream = Stream(name, group.number, self._next_number(), self.region.clock.now_ms())
        self._streams.put(_stream_key(stream), _stream_document(stream))
        self.streams[group.number][name] = stream
        return stream

    def drop_stream(self, group: Group, stream: Stream) -> None:
        """Remove the stream at once; its events go in the background."""
        self._streams.delete(_stream_key(stream))
        self.streams[group.number].pop(stream.name, None)
        self._numbers.put(f"gone/{stream.number:016x}", {"number": stream.number})

    def count_streams(self) -> int:
        return len(self._streams)

    # ---- events

    def append(self, stream: Stream, events: Sequence[tuple[int, str]]) -> None:
        """Store events (time in milliseconds, message) of a stream, in one transaction."""
        now_ms = self.region.clock.now_ms()
        head = stream.number.to_bytes(8, "big")
        ingested = now_ms.to_bytes(8, "big")
        with self.region.engine.begin() as tx:
            arrival = tx.stamp.to_bytes(8, "big")
            for place, (at_ms, message) in enumerate(events):
                key = head + at_ms.to_bytes(8, "big") + arrival + place.to_bytes(4, "big")
                tx.put(self._events, key, ingested + message.encode())
        first, last = events[0][0], events[-1][0]
        stream.first_ms = first if stream.first_ms is None else min(stream.first_ms, first)
        stream.last_ms = last if stream.last_ms is None else max(stream.last_ms, last)
        stream.ingested_ms = now_ms

    def events(
        self,
        stream: Stream,
        first: bytes = b"",
        end: bytes = b"\xff" * 8,
        *,
        reverse: bool = False,
    ) -> Iterator[LogEvent]:
        """Events with `first` <= position < `end` in order; lazy, consume it without awaiting or writing."""
        head = stream.number.to_bytes(8, "big")
        for key, value in self._events.range(head + first, head + end, reverse=reverse):
            position = key[_PREFIX:]
            yield LogEvent(
                int.from_bytes(position[:8], "big"),
                int.from_bytes(value[:8], "big"),
                value[8:].decode(),
                position,
            )

    def expire(self, stream: Stream, before_ms: int | None, most: int) -> int:
        """Remove up to `most` events older than `before_ms` (None: all); return how many."""
        head = stream.number.to_bytes(8, "big")
        end = head + (b"\xff" * 8 if before_ms is None else max(0, before_ms).to_bytes(8, "big"))
        keys = []
        for key, _ in self._events.range(head, end):
            keys.append(key)
            if len(keys) >= most:
                break
        if keys:
            with self.region.engine.begin() as tx:
                for key in keys:
                    tx.delete(self._events, key)
            if before_ms is not None:
                stream.first_ms = stream.last_ms = None
        return len(keys)

    def gone(self) -> list[Stream]:
        """Streams that are deleted and may still have events."""
        return [Stream("", 0, document["number"], 0) for _, document in self._numbers.items("gone/")]

    def forget_gone(self, stream: Stream) -> None:
        self._numbers.delete(f"gone/{stream.number:016x}")

    # ---- metric filters

    def _note_filter(self, one: MetricFilter) -> None:
        others = [each for each in self.filters.get(one.group, ()) if each.name != one.name]
        self.filters[one.group] = sorted([*others, one], key=lambda each: each.name)

    def put_filter(self, one: MetricFilter) -> None:
        self._filters.put(f"{one.group}\n{one.name}", one.document())
        self._note_filter(one)

    def drop_filter(self, one: MetricFilter) -> None:
        self._filters.delete(f"{one.group}\n{one.name}")
        self.filters[one.group] = [each for each in self.filters[one.group] if each.name != one.name]

    def queue_metric(self, namespace: str, datum: dict[str, Any]) -> None:
        """Hand metric data to the worker that puts it; beyond a bound it is dropped and counted."""
        if len(self.pending) >= MAX_PENDING:
            self.dropped += 1
        else:
            self.pending.append((namespace, datum))
            self.has_pending.set()


def _stream_key(stream: Stream) -> str:
    return f"{stream.group}\n{stream.name}"


def _stream_document(stream: Stream) -> dict[str, Any]:
    return {
        "name": stream.name,
        "group": stream.group,
        "number": stream.number,
        "created_ms": stream.created_ms,
    }


def with_retention(group: Group, days: int | None) -> Group:
    """The group with another retention."""
    return replace(group, retention_days=days)
