"""S3's operations; importing the modules declares them."""

from __future__ import annotations

from outlast.cloud.services.s3.operations import buckets, configuration, deletion, listing, objects

__all__ = ["buckets", "configuration", "deletion", "listing", "objects"]
