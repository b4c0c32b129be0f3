"""CloudWatch: metrics, alarms and dashboards of one Region."""

from __future__ import annotations

from outlast.cloud.services.cloudwatch import operations
from outlast.cloud.services.cloudwatch.service import cloudwatch

__all__ = ["cloudwatch", "operations"]
