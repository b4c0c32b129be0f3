"""The operations of CloudWatch, one function each."""

from __future__ import annotations

from outlast.cloud.services.cloudwatch.operations import alarms, dashboards, metrics, read_alarms, statistics, tags

__all__ = ["alarms", "dashboards", "metrics", "read_alarms", "statistics", "tags"]
