"""Names as Python writes them."""

from __future__ import annotations

from functools import lru_cache

from botocore import xform_name


@lru_cache(maxsize=16384)
def snake(name: str) -> str:
    """An AWS member or operation name in snake case, as boto3 writes it: `KMSKeyId` gives `kms_key_id`."""
    return xform_name(name)
