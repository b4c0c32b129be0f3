"""Metric math: expressions over time series.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

from outlast.cloud.services.cloudwatch.math.evaluate import Grid, Scope, evaluate
from outlast.cloud.services.cloudwatch.math.parse import Expression, MathFault, parse
from outlast.cloud.services.cloudwatch.math.values import TimeSeries

__all__ = ["Expression", "Grid", "MathFault", "Scope", "TimeSeries", "evaluate", "parse"]
