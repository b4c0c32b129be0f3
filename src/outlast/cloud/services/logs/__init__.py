"""CloudWatch Logs: groups, streams, events and the metrics in them."""

from __future__ import annotations

from outlast.cloud.services.logs import operations
from outlast.cloud.services.logs.service import logs

__all__ = ["logs", "operations"]
