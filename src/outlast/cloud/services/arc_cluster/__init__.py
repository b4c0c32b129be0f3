"""Application Recovery Controller, data plane: the states of routing controls."""

from __future__ import annotations

from outlast.cloud.services.arc_cluster import operations, timers
from outlast.cloud.services.arc_cluster.service import arc_cluster

__all__ = ["arc_cluster", "operations", "timers"]
