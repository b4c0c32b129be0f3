"""Amazon Route 53: hosted zones, routing, health checks; DNS answers in every Region."""

from __future__ import annotations

from outlast.cloud.services.route53 import operations
from outlast.cloud.services.route53.service import route53

__all__ = ["operations", "route53"]
