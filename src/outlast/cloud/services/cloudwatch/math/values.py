"""What expressions are about: numbers, time series, lists of time series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """Values by time (epoch seconds), in order of time. `label` is what a chart shows."""

    points: Mapping[int, float]
    period_s: int
    label: str = ""
    id: str = ""

    def mapped(self, points: Mapping[int, float]) -> TimeSeries:
        """The same series with other points."""
        return TimeSeries(points, self.period_s, self.label, self.id)


Value = float | str | TimeSeries | list[TimeSeries]
