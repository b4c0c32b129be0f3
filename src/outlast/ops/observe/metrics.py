"""CloudWatch's metrics and alarms as vantage points.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from outlast.ops.deployment import Deployment, RegionPart
from outlast.ops.sightings import Sample

LOOK_BACK: Final = 4
FEW: Final = 20
COUNTED_S: Final = 1.0
"""After its end, until a period's requests have all been counted."""
PERIODS_S: Final = (1, 5, 10, 30, 60, 300)


@dataclass(frozen=True, slots=True)
class Series:
    """A metric to ask for: `ident` names it in the answer."""

    ident: str
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    stat: str


Points = Mapping[str, Sequence[tuple[float, float]]]
"""Points of each series by ident: (epoch seconds, value), oldest first."""


def ask(client: Any, wanted: Sequence[Series], period_s: int, from_s: float, to_s: float) -> dict[str, list[Any]]:
    """The points of each series in [from_s, to_s). Raises botocore's errors."""
    queries = [
        {
            "Id": series.ident,
            "MetricStat": {
                "Metric": {
                    "Namespace": series.namespace,
                    "MetricName": series.metric,
                    "Dimensions": [{"Name": name, "Value": value} for name, value in series.dimensions.items()],
                },
                "Period": period_s,
                "Stat": series.stat,
            },
        }
        for series in wanted
    ]
    answer = client.get_metric_data(
        MetricDataQueries=queries,
        StartTime=datetime.fromtimestamp(from_s, UTC),
        EndTime=datetime.fromtimestamp(to_s, UTC),
        ScanBy="TimestampAscending",
    )
    return {
        result["Id"]: [
            (moment.timestamp(), float(value))
            for moment, value in zip(result["Timestamps"], result["Values"], strict=True)
        ]
        for result in answer["MetricDataResults"]
    }


def period_within(seconds: float) -> int:
    """The longest period that CloudWatch takes and that is not longer than `seconds`: one run of a canary each."""
    return max((period for period in PERIODS_S if period <= seconds), default=PERIODS_S[0])


def period_over(seconds: float) -> int:
    """The shortest period that CloudWatch takes and that is not shorter than `seconds`."""
    return min((period for period in PERIODS_S if period >= seconds), default=PERIODS_S[-1])


def canary_series(ident: str, name: str) -> Series:
    """The success of a canary."""
    return Series(ident, "CloudWatchSynthetics", "SuccessPercent", {"CanaryName": name}, "Average")


def region_series(part: RegionPart) -> list[Series]:
    """What a Region's CloudWatch is asked about its own endpoint and function."""
    api = {"ApiName": part.api_name, "Stage": part.stage}
    function = {"FunctionName": part.function}
    return [
        Series("count", "AWS/ApiGateway", "Count", api, "Sum"),
        Series("failed", "AWS/ApiGateway", "5XXError", api, "Sum"),
        Series("refused", "AWS/ApiGateway", "4XXError", api, "Sum"),
        Series("latency", "AWS/ApiGateway", "Latency", api, "p90"),
        Series("errors", "AWS/Lambda", "Errors", function, "Sum"),
        Series("throttles", "AWS/Lambda", "Throttles", function, "Sum"),
        Series("invocations", "AWS/Lambda", "Invocations", function, "Sum"),
        Series("duration", "AWS/Lambda", "Duration", function, "p90"),
    ]


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a figure is bad."""

    failed_share: float = 0.05
    error_share: float = 0.05
    slow_ms: float = 1500.0
    success_percent: float = 90.0


def read_region(region: str, points: Points, now_s: float, limits: Limits | None = None) -> list[Sample]:
    """Samples of the endpoint's and the components' metrics; none where nothing was measured."""
    limits = limits or Limits()
    samples: list[Sample] = []
    count, failed = _last(points, "count"), _last(points, "failed") or 0.0
    latency = _last(points, "latency")
    if count:
        problems = []
        if failed / count > limits.failed_share:
            problems.append(f"{failed / count:.0%} answered with an error")
        if latency is not None and latency > limits.slow_ms:
            problems.append(f"p90 {latency:.0f} ms")
        samples.append(Sample(now_s, "endpoint-metrics", region, bool(problems), ", ".join(problems)))
    invocations = _last(points, "invocations")
    if invocations:
        wrong = (_last(points, "errors") or 0.0) + (_last(points, "throttles") or 0.0)
        bad = wrong / invocations > limits.error_share
        detail = f"{wrong:.0f} of {invocations:.0f} invocations failed" if bad else ""
        samples.append(Sample(now_s, "component-metrics", region, bad, detail))
    return samples


class CanaryReader:
    """Turns a canary's points into samples, each point once, when it is complete."""

    def __init__(self, vantage: str, region: str, limits: Limits | None = None) -> None:
        self._vantage = vantage
        self._region = region
        self._limits = limits or Limits()
        self._read_s = 0.0

    def read(self, success: Sequence[tuple[float, float]], now_s: float) -> list[Sample]:
        """Samples for the points that are new since the last call."""
        fresh = [(at_s, value) for at_s, value in success if at_s > self._read_s]
        if fresh:
            self._read_s = fresh[-1][0]
        return [
            Sample(now_s, self._vantage, self._region, bad, f"success {value:.0f} %" if bad else "")
            for at_s, value in fresh
            for bad in (value < self._limits.success_percent,)
        ]


def read_alarms(client: Any, names: Sequence[str]) -> dict[str, str]:
    """The state of each alarm, metric or composite, by name. Raises botocore's errors."""
    answer = client.describe_alarms(AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    found = [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
    return {alarm["AlarmName"]: str(alarm["StateValue"]) for alarm in found}


def alarm_sample(vantage: str, region: str, name: str, state: str | None, now_s: float) -> list[Sample]:
    """A sample of an alarm's state; none while it has insufficient data."""
    if state not in ("ALARM", "OK"):
        return []
    return [Sample(now_s, vantage, region, state == "ALARM", f"{name} is in alarm" if state == "ALARM" else "")]


def request_rate(points: Points, period_s: int) -> float | None:
    """Requests a second over the points that are there; None when nothing was measured."""
    counted = points.get("count", ())
    return sum(value for _, value in counted) / (period_s * len(counted)) if counted else None


@dataclass(frozen=True, slots=True)
class Counted:
    """Requests a second in one whole period that began at `from_s` (epoch seconds, this machine's clock)."""

    from_s: float
    rate: float


def newest_count(points: Points, period_s: int, now_s: float, ahead_s: float = 0.0) -> Counted | None:
    """The newest period that is over, and was for long enough to be counted whole. `ahead_s`: see Latest."""
    over = [point for point in points.get("count", ()) if point[0] + ahead_s + period_s + COUNTED_S <= now_s]
    return Counted(over[-1][0] + ahead_s, over[-1][1] / period_s) if over else None


def refused_share(points: Points) -> float | None:
    """Share of the newest period's requests that were refused (4XX); None when there were few."""
    count = _last(points, "count")
    if count is None or count < FEW:
        return None
    return (_last(points, "refused") or 0.0) / count


def run_ms(points: Points) -> float | None:
    """How long a run of the function took of late, at the 90th percentile; None when nothing was measured."""
    return _last(points, "duration")


def _last(points: Points, ident: str) -> float | None:
    found = points.get(ident)
    return found[-1][1] if found else None


def alarm_names(deployment: Deployment) -> dict[str, list[str]]:
    """The alarms to read, by the Region to read them in."""
    wanted: dict[str, list[str]] = {part.name: [part.alarm] for part in deployment.regions}
    wanted.setdefault(deployment.observer_region, []).extend(part.observer_alarm for part in deployment.regions)
    return wanted
