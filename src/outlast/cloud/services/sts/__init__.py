"""STS: who calls, and temporary credentials."""

from __future__ import annotations

from outlast.cloud.services.sts import operations
from outlast.cloud.services.sts.service import sts

__all__ = ["operations", "sts"]
