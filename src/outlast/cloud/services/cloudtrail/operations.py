"""LookupEvents: the management events of this Region, newest first.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.cloudtrail.errors import (
    InvalidEventCategoryException,
    InvalidLookupAttributesException,
    InvalidMaxResultsException,
    InvalidNextTokenException,
    InvalidTimeRangeException,
)
from outlast.cloud.services.cloudtrail.service import Looks, cloudtrail

PAGE: Final = 50


@cloudtrail.operation()
async def lookup_events(
    call: Call[Looks],
    *,
    lookup_attributes: Sequence[Mapping[str, str]] = (),
    start_time: float | None = None,
    end_time: float | None = None,
    event_category: str | None = None,
    max_results: int = PAGE,
    next_token: str = "",
) -> Reply:
    """One page of events."""
    if event_category is not None:
        raise InvalidEventCategoryException("Insights events are not supported by this cloud.")
    if not 1 <= max_results <= PAGE:
        raise InvalidMaxResultsException(f"MaxResults must be between 1 and {PAGE}.")
    if start_time is not None and end_time is not None and start_time > end_time:
        raise InvalidTimeRangeException("The start time must not be after the end time.")
    if len(lookup_attributes) > 1:
        raise InvalidLookupAttributesException("Only one lookup attribute can be given.")
    attribute = None
    for one in lookup_attributes:
        if one["AttributeKey"] == "ResourceType":
            raise InvalidLookupAttributesException("Looking up by ResourceType is not supported by this cloud.")
        attribute = (one["AttributeKey"], one["AttributeValue"])
    try:
        seen = await call.region.trail.look(start_time, end_time, attribute, max_results, next_token)
    except ValueError:
        raise InvalidNextTokenException("The token is not one that this Region has given.") from None
    more = {"NextToken": seen.next_token} if seen.next_token else {}
    return {"Events": [_event(record) for record in seen.records], **more}


def _event(record: Mapping[str, Any]) -> dict[str, Any]:
    event = {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "ReadOnly": str(record["readOnly"]).lower(),
        "EventTime": datetime.fromisoformat(record["eventTime"].replace("Z", "+00:00")).timestamp(),
        "EventSource": record["eventSource"],
        "Resources": [{"ResourceName": each["ARN"]} for each in record.get("resources") or ()],
        "CloudTrailEvent": json.dumps({name: value for name, value in record.items() if name != "username"}),
    }
    who = record["userIdentity"]
    if who.get("accessKeyId"):
        event["AccessKeyId"] = who["accessKeyId"]
    name = record["username"]
    return {**event, "Username": name} if name else event
