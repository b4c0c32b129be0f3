"""The metrics of namespace AWS/Lambda, by function, by function and alias or version, and over all functions.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from outlast.cloud.contract import Meter, Series

NAMESPACE: Final = "AWS/Lambda"
MAX_KEPT: Final = 2000


@dataclass(frozen=True, slots=True)
class Measures:
    """The series of one set of dimensions."""

    invocations: Series
    errors: Series
    duration: Series
    throttles: Series
    concurrent: Series

    @classmethod
    def of(cls, meter: Meter, dimensions: dict[str, str]) -> Measures:
        """The series for these dimensions."""
        return cls(
            meter.series(NAMESPACE, "Invocations", dimensions, "Count"),
            meter.series(NAMESPACE, "Errors", dimensions, "Count"),
            meter.series(NAMESPACE, "Duration", dimensions, "Milliseconds"),
            meter.series(NAMESPACE, "Throttles", dimensions, "Count"),
            meter.series(NAMESPACE, "ConcurrentExecutions", dimensions, "Count"),
        )


class Metering:
    """Notes what becomes of invocations; costs a few dictionary steps each."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._all = Measures.of(meter, {})
        self._kept: dict[tuple[str, str | None], tuple[Measures, ...]] = {}

    def _of(self, name: str, qualifier: str | None) -> tuple[Measures, ...]:
        known = self._kept.get((name, qualifier))
        if known is None:
            found = [self._all, Measures.of(self._meter, {"FunctionName": name})]
            if qualifier is not None:
                found.append(Measures.of(self._meter, {"FunctionName": name, "Resource": f"{name}:{qualifier}"}))
            known = tuple(found)
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[name, qualifier] = known
        return known

    def started(self, name: str, qualifier: str | None, running: int, total: int) -> None:
        """An event begins; `running` of the function and `total` of the account run now, this one included."""
        everything, *own = self._of(name, qualifier)
        everything.concurrent.add(total)
        for each in own:
            each.concurrent.add(running)

    def ended(self, name: str, qualifier: str | None, duration_ms: float, *, failed: bool) -> None:
        """An event ended; the handler may have failed."""
        rounded = round(duration_ms, 1)
        for each in self._of(name, qualifier):
            each.invocations.add(1)
            each.errors.add(1 if failed else 0)
            each.duration.add(rounded)

    def throttled(self, name: str, qualifier: str | None) -> None:
        """An event was refused for want of concurrency."""
        for each in self._of(name, qualifier):
            each.throttles.add(1)
