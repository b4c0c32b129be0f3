"""AWS FIS: experiments that start and end the world's faults."""

from __future__ import annotations

from outlast.cloud.services.fis import operations
from outlast.cloud.services.fis.service import fis

__all__ = ["fis", "operations"]
