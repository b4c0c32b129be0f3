"""AWS Lambda: functions run in workers forked from a warm template."""

from __future__ import annotations

from outlast.cloud.services.lambda_ import operations
from outlast.cloud.services.lambda_.service import lambda_

__all__ = ["lambda_", "operations"]
