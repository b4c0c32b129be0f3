"""S3: buckets and objects of this Region."""

from __future__ import annotations

from outlast.cloud.services.s3 import operations, timers
from outlast.cloud.services.s3.service import s3

__all__ = ["operations", "s3", "timers"]
