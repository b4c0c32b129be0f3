"""What the audit trail is told of each request, and which requests are data events.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html: management events
are always kept, data events when asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

DATA_EVENTS: Final[Mapping[str, frozenset[str]]] = {
    "dynamodb": frozenset(
        {
            "GetItem",
            "PutItem",
            "UpdateItem",
            "DeleteItem",
            "BatchGetItem",
            "BatchWriteItem",
            "TransactGetItems",
            "TransactWriteItems",
            "Query",
            "Scan",
            "ExecuteStatement",
            "BatchExecuteStatement",
            "ExecuteTransaction",
        }
    ),
    "dynamodbstreams": frozenset({"GetRecords", "GetShardIterator"}),
    "s3": frozenset(
        {
            "GetObject",
            "PutObject",
            "DeleteObject",
            "DeleteObjects",
            "HeadObject",
            "CopyObject",
            "ListObjects",
            "ListObjectsV2",
            "ListObjectVersions",
            "GetObjectAttributes",
            "GetObjectTagging",
            "PutObjectTagging",
            "DeleteObjectTagging",
            "CreateMultipartUpload",
            "UploadPart",
            "UploadPartCopy",
            "CompleteMultipartUpload",
            "AbortMultipartUpload",
            "ListParts",
        }
    ),
    "lambda": frozenset({"Invoke"}),
    "cloudwatch": frozenset({"PutMetricData", "GetMetricData", "GetMetricStatistics", "ListMetrics"}),
    "logs": frozenset({"PutLogEvents", "GetLogEvents", "FilterLogEvents"}),
    "route53-recovery-cluster": frozenset({"GetRoutingControlState", "ListRoutingControls"}),
}
"""Service name -> its operations that are data events. The last two are not recorded by AWS at all."""


def is_data_event(service: str, operation: str) -> bool:
    """Whether requests for the operation are recorded only when data events are asked for."""
    return operation in DATA_EVENTS.get(service, ())


@dataclass(frozen=True, slots=True)
class Seen:
    """One page of a look into the trail: records, newest first, and where to go on (empty: nowhere).

    Each has a `username` besides what the record holds; it may be empty.
    """

    records: Sequence[Mapping[str, Any]]
    next_token: str = ""


class Trail(Protocol):
    """The audit trail of one Region."""

    async def look(
        self, start_s: float | None, end_s: float | None, attribute: tuple[str, str] | None, most: int, token: str
    ) -> Seen:
        """Management events between two moments, newest first; raises ValueError for a token that it did not give."""
        ...
