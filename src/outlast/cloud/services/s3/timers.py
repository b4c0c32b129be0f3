"""What happens later: objects that are older than their bucket's rules allow expire.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-expire-general-considerations.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlast.cloud.services.s3.model import Version
from outlast.cloud.services.s3.service import s3
from outlast.cloud.services.s3.state import S3State

EVERY_S = 600.0
DAY_MS = 86_400_000
MOST_AT_ONCE = 1000


@s3.timer
async def expire(state: S3State) -> None:
    """Look through the buckets that have rules, every ten minutes."""
    while True:
        await state.region.clock.sleep(EVERY_S)
        for name, document in list(state.buckets.items()):
            for rule in document.get("Lifecycle", ()):
                if rule.get("Status") == "Enabled":
                    expire_by(state, name, document, rule)
                    await state.region.clock.sleep(0)


def expire_by(state: S3State, name: str, document: Mapping[str, Any], rule: Mapping[str, Any]) -> int:
    """Expire what one rule says of one bucket, up to a thousand versions; how many it was."""
    now_ms = state.region.clock.now_ms()
    prefix = rule.get("Prefix") or rule.get("Filter", {}).get("Prefix") or ""
    days = rule.get("Expiration", {}).get("Days")
    noncurrent_days = rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays")
    current: list[Version] = []
    noncurrent: list[Version] = []
    newer: Version | None = None
    for version in state.objects.all_versions(name, prefix):
        if newer is None or newer.key != version.key:
            if days is not None and not version.is_marker and now_ms - version.modified_ms >= days * DAY_MS:
                current.append(version)
        elif noncurrent_days is not None and now_ms - newer.modified_ms >= noncurrent_days * DAY_MS:
            noncurrent.append(version)
        newer = version
        if len(current) + len(noncurrent) >= MOST_AT_ONCE:
            break
    versioning = document.get("Versioning")
    for version in current:
        if versioning is None:
            state.objects.remove(name, version)
        else:
            state.objects.mark(name, version.key, now_ms, versioned=versioning == "Enabled")
    for version in noncurrent:
        state.objects.remove(name, version)
    return len(current) + len(noncurrent)
