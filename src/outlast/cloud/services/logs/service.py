"""The CloudWatch Logs service of one Region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from outlast.cloud.contract import Region, Service
from outlast.cloud.services.logs.resources import RESOURCE_TYPES
from outlast.cloud.services.logs.state import LogStore
from outlast.cloud.services.logs.timers import expire_for_ever, put_metrics_for_ever


def _policy(state: LogStore, arn: str) -> Mapping[str, Any] | None:
    """All resource policies of the Region as one document; each statement says what it is about."""
    statements: list[Any] = []
    for _, document in state.policies.items():
        found = orjson.loads(document["document"]).get("Statement", [])
        statements += found if isinstance(found, list) else [found]
    return {"Version": "2012-10-17", "Statement": statements} if statements else None


logs: Service[LogStore] = Service(
    "logs",
    open=LogStore.open,
    linked=("cloudwatch:PutMetricData",),
    resource_policy=_policy,
    resource_types=RESOURCE_TYPES,
)
logs.timer(put_metrics_for_ever)
logs.timer(expire_for_ever)


def group_arn(params: Mapping[str, Any], region: Region) -> str:
    """What policies see for an operation on one group: the ARN ends with `:log-stream:`, as on AWS."""
    name = _group_name(params) or str(params.get("logGroupNamePrefix", ""))
    return region.arn("logs", f"log-group:{name}:log-stream:")


def stream_arn(params: Mapping[str, Any], region: Region) -> str:
    """What policies see for an operation on one stream."""
    return region.arn("logs", f"log-group:{_group_name(params)}:log-stream:{params.get('logStreamName', '')}")


def _group_name(params: Mapping[str, Any]) -> str:
    identifier = str(params.get("logGroupIdentifier", ""))
    if identifier.startswith("arn:"):
        identifier = identifier.split(":", 6)[-1].removesuffix(":*")
    return str(params.get("logGroupName", identifier))
