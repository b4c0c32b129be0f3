"""Log groups, streams, events and metric filters as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Group:
    """One log group; `number` names it in keys for ever, so a group made anew has none of the old one's events."""

    name: str
    number: int
    created_ms: int
    retention_days: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    protected: bool = False

    def document(self) -> Document:
        return asdict(self)


@dataclass(slots=True)
class Stream:
    """One log stream. What changes with every event is held in memory and found again from the events."""

    name: str
    group: int
    number: int
    created_ms: int
    first_ms: int | None = None
    last_ms: int | None = None
    ingested_ms: int | None = None


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One stored event. `position` orders the events of all streams: time, then order of arrival."""

    at_ms: int
    ingested_ms: int
    message: str
    position: bytes


@dataclass(frozen=True, slots=True)
class MetricFilter:
    """A pattern whose matches become metric data."""

    group: str
    name: str
    pattern: str
    transformations: tuple[Mapping[str, Any], ...]
    created_ms: int

    def document(self) -> Document:
        return asdict(self)
