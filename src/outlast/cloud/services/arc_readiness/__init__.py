"""Application Recovery Controller, readiness: are the replicas of an application fit to take over?"""

from __future__ import annotations

from outlast.cloud.services.arc_readiness import operations, timers
from outlast.cloud.services.arc_readiness.service import arc_readiness

__all__ = ["arc_readiness", "operations", "timers"]
