"""Log streams."""

from __future__ import annotations

from typing import Any, Final

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.logs.errors import (
    InvalidParameterException,
    LimitExceededException,
    ResourceAlreadyExistsException,
)
from outlast.cloud.services.logs.model import Group, Stream
from outlast.cloud.services.logs.operations.paging import page, plain_name, shown
from outlast.cloud.services.logs.service import group_arn, logs, stream_arn
from outlast.cloud.services.logs.state import MAX_STREAMS, LogStore

DEFAULT_LIMIT: Final = 50


@logs.operation(resource=stream_arn)
def create_log_stream(call: Call[LogStore], *, log_group_name: str, log_stream_name: str) -> Reply:
    """Make a log stream."""
    group = call.state.group(log_group_name)
    if log_stream_name in call.state.streams[group.number]:
        raise ResourceAlreadyExistsException("The specified log stream already exists")
    if call.state.count_streams() >= MAX_STREAMS:
        raise LimitExceededException("Resource limit exceeded.")
    call.state.add_stream(group, log_stream_name)
    return {}


@logs.operation(resource=stream_arn, control_plane=True)
def delete_log_stream(call: Call[LogStore], *, log_group_name: str, log_stream_name: str) -> Reply:
    """Remove a stream with its events."""
    group = call.state.group(log_group_name)
    call.state.drop_stream(group, call.state.stream(group, log_stream_name))
    return {}


@logs.operation(resource=group_arn)
def describe_log_streams(
    call: Call[LogStore],
    *,
    log_group_name: str | None = None,
    log_group_identifier: str | None = None,
    log_stream_name_prefix: str | None = None,
    order_by: str = "LogStreamName",
    descending: bool = False,
    next_token: str | None = None,
    limit: int = DEFAULT_LIMIT,
) -> Reply:
    """A group's streams by name or by the time of their last event."""
    if order_by == "LastEventTime" and log_stream_name_prefix is not None:
        raise InvalidParameterException("Cannot order by LastEventTime with a logStreamNamePrefix.")
    group = call.state.group(plain_name(log_group_name, log_group_identifier))
    wanted = [
        call.state.timed(stream)
        for name, stream in call.state.streams[group.number].items()
        if name.startswith(log_stream_name_prefix or "")
    ]
    if order_by == "LastEventTime":
        wanted.sort(key=lambda one: (one.last_ms or 0, one.name), reverse=descending)
    else:
        wanted.sort(key=lambda one: one.name, reverse=descending)
    found, more = page(wanted, next_token, limit)
    return {"logStreams": [_show(call.state, group, one) for one in found], **more}


def _show(state: LogStore, group: Group, stream: Stream) -> dict[str, Any]:
    return shown(
        logStreamName=stream.name,
        creationTime=stream.created_ms,
        firstEventTimestamp=stream.first_ms,
        lastEventTimestamp=stream.last_ms,
        lastIngestionTime=stream.ingested_ms,
        uploadSequenceToken=f"{stream.number:056d}",
        arn=f"{state.arn(group)}:log-stream:{stream.name}",
        storedBytes=0,
    )
