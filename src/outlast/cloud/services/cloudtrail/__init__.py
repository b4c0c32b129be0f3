"""CloudTrail: who did what, from where, and whether it was allowed."""

from __future__ import annotations

from outlast.cloud.services.cloudtrail import operations
from outlast.cloud.services.cloudtrail.service import cloudtrail

__all__ = ["cloudtrail", "operations"]
