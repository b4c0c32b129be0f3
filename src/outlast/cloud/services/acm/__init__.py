"""ACM: certificates from the world's authority, validated through the world's DNS."""

from __future__ import annotations

from outlast.cloud.services.acm import operations
from outlast.cloud.services.acm.service import acm

__all__ = ["acm", "operations"]
