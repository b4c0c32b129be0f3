"""AWS Health: what the provider says of a Region. Slow to speak, so never waited for.

https://docs.aws.amazon.com/health/latest/APIReference/API_DescribeEvents.html (needs a support plan on AWS)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from outlast.ops.sightings import Sample

HEALTH_REGION: Final = "us-east-1"


def read(client: Any, regions: Sequence[str], now_s: float) -> list[Sample]:
    """A sample for each Region: bad while an issue is open there. Raises botocore's errors."""
    answer = client.describe_events(
        filter={"regions": list(regions), "eventStatusCodes": ["open"], "eventTypeCategories": ["issue"]}
    )
    open_in: dict[str, str] = {}
    for event in answer.get("events", []):
        open_in.setdefault(event.get("region", ""), str(event.get("eventTypeCode", "an open issue")))
    return [Sample(now_s, "health-events", region, region in open_in, open_in.get(region, "")) for region in regions]
