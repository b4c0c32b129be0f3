"""Metrics, alarms and dashboards as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Document = dict[str, Any]
Dimensions = tuple[tuple[str, str], ...]
AlarmState = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]

UNITS = (
    "Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits",
    "Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count", "Bytes/Second", "Kilobytes/Second",
    "Megabytes/Second", "Gigabytes/Second", "Terabytes/Second", "Bits/Second", "Kilobits/Second", "Megabits/Second",
    "Gigabits/Second", "Terabits/Second", "Count/Second", "None",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MetricKey:
    """Identity of a metric; dimensions are sorted by name."""

    namespace: str
    name: str
    dimensions: Dimensions = ()


@dataclass(frozen=True, slots=True)
class MetricStat:
    """A metric, aggregated: one statistic for each period."""

    metric: MetricKey
    period_s: int
    statistic: str
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """One entry of MetricDataQueries: a metric or an expression over other entries."""

    id: str
    stat: MetricStat | None = None
    expression: str = ""
    label: str = ""
    period_s: int | None = None
    returned: bool = True


@dataclass(frozen=True, slots=True)
class Alarm:
    """A metric alarm or a composite alarm (`rule` is set). Times are epoch milliseconds.

    `definition` holds the members of PutMetricAlarm or PutCompositeAlarm as they were given.
    """

    name: str
    arn: str
    definition: Mapping[str, Any]
    updated_ms: int
    rule: str = ""
    state: AlarmState = "INSUFFICIENT_DATA"
    reason: str = "Unchecked: Initial alarm creation"
    reason_data: str = ""
    state_ms: int = 0
    changed_ms: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_composite(self) -> bool:
        return bool(self.rule)

    def document(self) -> Document:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One line of an alarm's history."""

    alarm: str
    at_ms: int
    kind: Literal["ConfigurationUpdate", "StateUpdate", "Action"]
    summary: str
    data: str
    alarm_type: str = "MetricAlarm"
