"""CloudWatch Synthetics: canaries that run users' code on a schedule."""

from __future__ import annotations

from outlast.cloud.services.synthetics import operations
from outlast.cloud.services.synthetics.service import synthetics

__all__ = ["operations", "synthetics"]
