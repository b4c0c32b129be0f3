"""Log lines on their way to CloudWatch Logs: gathered for a moment, sent in batches as the function's role.

A role that may not write logs loses them, as on AWS. Nothing waits for logs; what cannot be kept is counted.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from outlast.cloud.contract import Fault, Principal, Region

FLUSH_S: Final = 0.25
MAX_EVENTS: Final = 5_000
MAX_BYTES: Final = 900_000
EVENT_OVERHEAD_BYTES: Final = 26
MAX_WAITING: Final = 50_000
MAX_EVENT_BYTES: Final = 250_000

Line = tuple[int, str]
log = logging.getLogger("outlast.lambda")


@dataclass(slots=True)
class Stream:
    """One environment's log stream and the lines that wait for it."""

    group: str
    name: str
    principal: Principal
    made: bool = False
    lines: deque[Line] = field(default_factory=deque)


class Shipper:
    """All log lines of a Region's functions."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._waiting: dict[int, Stream] = {}
        self._count = 0
        self._some = asyncio.Event()
        self.dropped = 0

    def add(self, stream: Stream, lines: list[Line]) -> None:
        """Queue lines; those over the bound are dropped and counted."""
        room = MAX_WAITING - self._count
        if len(lines) > room:
            self.dropped += len(lines) - room
            lines = lines[:room]
        stream.lines.extend((at, cut(text)) for at, text in lines)
        self._count += len(lines)
        if stream.lines:
            self._waiting[id(stream)] = stream
            self._some.set()

    async def run(self) -> None:
        """Ship for ever; costs nothing while there is nothing to ship."""
        while True:
            await self._some.wait()
            await self._region.clock.sleep(FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Send everything that waits."""
        self._some.clear()
        waiting, self._waiting = self._waiting, {}
        for stream in waiting.values():
            while stream.lines:
                batch = take_batch(stream.lines)
                self._count -= len(batch)
                try:
                    await self._send(stream, batch)
                except Fault as fault:
                    self.dropped += len(batch)
                    log.debug("%d log events of %s were lost: %s", len(batch), stream.group, fault)

    async def _send(self, stream: Stream, batch: list[Line]) -> None:
        if not stream.made:
            await self._make(stream)
            stream.made = True
        events = [{"timestamp": at, "message": text} for at, text in batch]
        params = {"logGroupName": stream.group, "logStreamName": stream.name, "logEvents": events}
        try:
            await self._call("PutLogEvents", params, stream)
        except Fault as fault:
            if fault.code != "ResourceNotFoundException":
                raise
            await self._make(stream)
            await self._call("PutLogEvents", params, stream)

    async def _make(self, stream: Stream) -> None:
        params = {"logGroupName": stream.group, "logStreamName": stream.name}
        try:
            await self._call("CreateLogStream", params, stream)
        except Fault as fault:
            if fault.code == "ResourceAlreadyExistsException":
                return
            if fault.code != "ResourceNotFoundException":
                raise
            await self._call("CreateLogGroup", {"logGroupName": stream.group}, stream)
            await self._call("CreateLogStream", params, stream)

    async def _call(self, operation: str, params: Mapping[str, object], stream: Stream) -> None:
        await self._region.aws("logs", operation, params, principal=stream.principal)


def cut(text: str) -> str:
    """The text within what one log event may hold."""
    if len(text) * 4 <= MAX_EVENT_BYTES:
        return text
    return text.encode()[:MAX_EVENT_BYTES].decode("utf-8", "ignore")


def take_batch(lines: deque[Line]) -> list[Line]:
    """Remove from the front what one PutLogEvents may carry, in order of time."""
    batch: list[Line] = []
    size = 0
    while lines and len(batch) < MAX_EVENTS:
        cost = len(lines[0][1].encode()) + EVENT_OVERHEAD_BYTES
        if batch and size + cost > MAX_BYTES:
            break
        size += cost
        batch.append(lines.popleft())
    batch.sort(key=lambda line: line[0])
    return batch
