"""The operations, by the kind of resource that they are about."""

from __future__ import annotations

from outlast.cloud.services.arc_control_config.operations import clusters, controls, panels, rules, tags

__all__ = ["clusters", "controls", "panels", "rules", "tags"]
