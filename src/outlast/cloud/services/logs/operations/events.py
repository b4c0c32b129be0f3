"""Log events put and read."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.logs.errors import InvalidParameterException
from outlast.cloud.services.logs.metrics import gather
from outlast.cloud.services.logs.model import Group, LogEvent, Stream
from outlast.cloud.services.logs.operations.paging import plain_name
from outlast.cloud.services.logs.patterns import PatternFault, compile_pattern
from outlast.cloud.services.logs.service import group_arn, logs, stream_arn
from outlast.cloud.services.logs.state import POSITION_BYTES, LogStore

MAX_BATCH_BYTES: Final = 1_048_576
EVENT_OVERHEAD_BYTES: Final = 26
DAY_MS: Final = 86_400_000
OLDEST_MS: Final = 14 * DAY_MS
NEWEST_MS: Final = 2 * 3_600_000
MAX_REPLY_BYTES: Final = 1_048_576
MAX_EVENTS: Final = 10_000
MAX_SCANNED: Final = 50_000
LAST: Final = b"\xff" * POSITION_BYTES


@logs.operation(resource=stream_arn, ignored=("sequenceToken",))
def put_log_events(
    call: Call[LogStore],
    *,
    log_group_name: str,
    log_stream_name: str,
    log_events: Sequence[Mapping[str, Any]],
) -> Reply:
    """Store events; the sequence token means nothing any more.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
    """
    group = call.state.group(log_group_name)
    stream = call.state.stream(group, log_stream_name)
    events = [(int(one["timestamp"]), str(one["message"])) for one in log_events]
    size = sum(len(message.encode()) + EVENT_OVERHEAD_BYTES for _, message in events)
    if size > MAX_BATCH_BYTES:
        raise InvalidParameterException(f"Upload too large: {size} bytes exceeds limit of {MAX_BATCH_BYTES}")
    if any(earlier[0] > later[0] for earlier, later in pairwise(events)):
        raise InvalidParameterException("Log events in a single PutLogEvents request must be in chronological order.")
    good, rejected = _accepted(events, group, call.now_ms)
    if good and good[-1][0] - good[0][0] > DAY_MS:
        raise InvalidParameterException(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
        )
    if good:
        call.state.append(stream, good)
        gather(call.state, group, good)
    reply: dict[str, Any] = {"nextSequenceToken": f"{stream.number:056d}"}
    if rejected:
        reply["rejectedLogEventsInfo"] = rejected
    return reply


def _accepted(
    events: Sequence[tuple[int, str]], group: Group, now_ms: int
) -> tuple[list[tuple[int, str]], dict[str, int]]:
    """The events within the times that are taken, and what was rejected at each end."""
    oldest = now_ms - OLDEST_MS
    kept = 0 if group.retention_days is None else now_ms - group.retention_days * DAY_MS
    rejected: dict[str, int] = {}
    too_old = sum(1 for at_ms, _ in events if at_ms < oldest)
    expired = sum(1 for at_ms, _ in events if at_ms < kept)
    too_new = sum(1 for at_ms, _ in events if at_ms > now_ms + NEWEST_MS)
    if too_old:
        rejected["tooOldLogEventEndIndex"] = too_old
    if expired > too_old:
        rejected["expiredLogEventEndIndex"] = expired
    if too_new:
        rejected["tooNewLogEventStartIndex"] = len(events) - too_new
    return list(events[max(too_old, expired) : len(events) - too_new]), rejected


def _position(at_ms: int | None, otherwise: bytes) -> bytes:
    return otherwise if at_ms is None else max(0, int(at_ms)).to_bytes(8, "big")


@logs.operation(resource=stream_arn, ignored=("unmask",))
def get_log_events(
    call: Call[LogStore],
    *,
    log_stream_name: str,
    log_group_name: str | None = None,
    log_group_identifier: str | None = None,
    start_time: int | None = None,
    end_time: int | None = None,
    next_token: str | None = None,
    limit: int = MAX_EVENTS,
    start_from_head: bool = False,
) -> Reply:
    """Events of one stream in order, the newest page first unless asked otherwise.

    At either end the token that was given comes back.
    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
    """
    group = call.state.group(plain_name(log_group_name, log_group_identifier))
    stream = call.state.stream(group, log_stream_name)
    first, end = _position(start_time, b""), _position(end_time, LAST)
    forward = start_from_head
    mark = b""
    if next_token is not None:
        forward, mark = _read_token(next_token)
        first, end = (max(first, mark + b"\0"), end) if forward else (first, min(end, mark))
    found: list[LogEvent] = []
    size = 0
    for event in call.state.events(stream, first, end, reverse=not forward) if first < end else ():
        size += len(event.message) + EVENT_OVERHEAD_BYTES
        if len(found) >= limit or (found and size > MAX_REPLY_BYTES):
            break
        found.append(event)
    if not forward:
        found.reverse()
    return {
        "events": [_show(one) for one in found],
        "nextForwardToken": _token("f", found[-1].position if found else mark or _empty_mark(forward, first, end)),
        "nextBackwardToken": _token("b", found[0].position if found else mark or _empty_mark(forward, first, end)),
    }


def _empty_mark(forward: bool, first: bytes, end: bytes) -> bytes:
    return (first if forward else end).ljust(POSITION_BYTES, b"\0")[:POSITION_BYTES]


def _token(direction: str, position: bytes) -> str:
    return f"{direction}/{position.hex()}"


def _read_token(token: str) -> tuple[bool, bytes]:
    direction, _, position = token.partition("/")
    try:
        mark = bytes.fromhex(position)
    except ValueError:
        mark = b""
    if direction not in ("f", "b") or len(mark) != POSITION_BYTES:
        raise InvalidParameterException("The specified nextToken is invalid.")
    return direction == "f", mark


def _show(event: LogEvent) -> dict[str, Any]:
    return {"timestamp": event.at_ms, "message": event.message, "ingestionTime": event.ingested_ms}


@logs.operation(resource=group_arn, ignored=("interleaved", "unmask"))
def filter_log_events(
    call: Call[LogStore],
    *,
    log_group_name: str | None = None,
    log_group_identifier: str | None = None,
    log_stream_names: Sequence[str] = (),
    log_stream_name_prefix: str | None = None,
    start_time: int | None = None,
    end_time: int | None = None,
    filter_pattern: str = "",
    next_token: str | None = None,
    limit: int = MAX_EVENTS,
    start_from_head: bool = True,
) -> Reply:
    """Events of a group that match a pattern, over all its streams in order of time; oldest first.

    A page ends after `limit` matches, a megabyte, or fifty thousand events looked at: go on while there is a token.
    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
    """
    if not start_from_head:
        raise InvalidParameterException("startFromHead=false is not supported by this cloud.")
    if log_stream_names and log_stream_name_prefix is not None:
        raise InvalidParameterException("logStreamNames and logStreamNamePrefix are mutually exclusive.")
    try:
        pattern = compile_pattern(filter_pattern)
    except PatternFault as fault:
        raise InvalidParameterException(fault.message) from fault
    group = call.state.group(plain_name(log_group_name, log_group_identifier))
    streams = _chosen(call.state, group, log_stream_names, log_stream_name_prefix)
    first, end = _position(start_time, b""), _position(None if end_time is None else end_time + 1, LAST)
    if next_token is not None:
        first = max(first, _read_token(next_token)[1] + b"\0")
    found: list[dict[str, Any]] = []
    size = 0
    last = b""
    token: str | None = None
    for scanned, (event, name) in enumerate(_merged(call.state, streams, first, end)):
        if len(found) >= limit or scanned >= MAX_SCANNED or size >= MAX_REPLY_BYTES:
            token = _token("f", last)
            break
        last = event.position
        if pattern.match(event.message) is not None:
            size += len(event.message) + EVENT_OVERHEAD_BYTES
            found.append({**_show(event), "logStreamName": name, "eventId": str(int.from_bytes(last, "big"))})
    reply: dict[str, Any] = {"events": found, "searchedLogStreams": []}
    return reply if token is None else {**reply, "nextToken": token}


def _chosen(state: LogStore, group: Group, names: Sequence[str], prefix: str | None) -> list[Stream]:
    if names:
        return [state.stream(group, name) for name in names]
    return [stream for name, stream in state.streams[group.number].items() if name.startswith(prefix or "")]


def _merged(state: LogStore, streams: Sequence[Stream], first: bytes, end: bytes) -> Iterator[tuple[LogEvent, str]]:
    """Events of several streams in order of their positions; streams without events in the stretch are left out."""
    start_ms = int.from_bytes(first[:8].ljust(8, b"\0"), "big")
    end_ms = int.from_bytes(end[:8], "big")

    def named(stream: Stream) -> Iterator[tuple[bytes, LogEvent, str]]:
        for event in state.events(stream, first, end):
            yield event.position, event, stream.name

    alive = [
        stream
        for stream in map(state.timed, streams)
        if stream.last_ms is not None and stream.last_ms >= start_ms and (stream.first_ms or 0) <= end_ms
    ]
    for _, event, name in heapq.merge(*(named(stream) for stream in alive), key=lambda one: one[0]):
        yield event, name
