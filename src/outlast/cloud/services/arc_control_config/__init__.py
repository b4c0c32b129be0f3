"""Application Recovery Controller, control plane: clusters, control panels, routing controls and safety rules."""

from __future__ import annotations

from outlast.cloud.services.arc_control_config import operations, timers
from outlast.cloud.services.arc_control_config.service import arc_control_config

__all__ = ["arc_control_config", "operations", "timers"]
