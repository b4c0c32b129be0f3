"""Statistics of a bucket, by the names CloudWatch gives them.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from outlast.cloud.services.cloudwatch.store.bucket import Bucket

SIMPLE = frozenset({"Average", "Maximum", "Minimum", "SampleCount", "Sum"})
_PERCENTILE = re.compile(r"p(\d{1,2}(\.\d{1,10})?|100(\.0{1,10})?)\Z")
_REFUSED = re.compile(r"(?:tm|wm|tc|ts|TM|WM|TC|TS|PR)[\d(]|IQM\Z")


def refusal(statistic: str) -> str | None:
    """Why a statistic cannot be computed; None when it can."""
    if statistic in SIMPLE or _PERCENTILE.match(statistic):
        return None
    if _REFUSED.match(statistic):
        return f"The statistic {statistic} is not supported by this cloud"
    return f"The value {statistic} for parameter Stat is not supported."


def compute(bucket: Bucket, statistic: str) -> float | None:
    """The statistic of a bucket; None for a percentile of a statistic set, which has no values."""
    if statistic == "Average":
        return bucket.total / bucket.count
    if statistic == "Sum":
        return bucket.total
    if statistic == "Maximum":
        return bucket.high
    if statistic == "Minimum":
        return bucket.low
    if statistic == "SampleCount":
        return bucket.count
    return percentile(bucket, float(statistic[1:]))


def percentile(bucket: Bucket, percent: float) -> float | None:
    """The smallest value that at least `percent` per cent of the values do not exceed.

    Of a statistic set alone it is known only when all its values are equal.
    """
    values = bucket.histogram()
    if values is None:
        return bucket.low if bucket.low == bucket.high else None
    return rank(values, bucket.count * percent / 100)


def rank(values: Mapping[float, float], target: float) -> float:
    """The value at which the count of values so far reaches `target`."""
    seen = 0.0
    value = 0.0
    for value, count in sorted(values.items()):
        seen += count
        if seen >= target - 1e-9:
            return value
    return value
