"""AWS Health: what the provider says of its Regions."""

from __future__ import annotations

from outlast.cloud.services.health import operations
from outlast.cloud.services.health.service import health

__all__ = ["health", "operations"]
