"""Time to live: UpdateTimeToLive and DescribeTimeToLive.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html
"""

from __future__ import annotations

from typing import Any

from outlast.cloud.contract import Call, Reply
from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import replicas
from outlast.cloud.services.dynamodb.names import table_resource
from outlast.cloud.services.dynamodb.operations.tables import in_use
from outlast.cloud.services.dynamodb.service import dynamodb
from outlast.cloud.services.dynamodb.state import DynamoDB
from outlast.cloud.services.dynamodb.table import Table


def set_expiry(state: DynamoDB, table: Table, wanted: dict[str, Any] | None) -> None:
    """Begin or end time to live on a table; the caller saves it. Items there are noted by the timer."""
    table.doc["TimeToLive"] = wanted
    if wanted is not None:
        state.schedule(table, "fill-expiry", 0)
    else:
        state.schedule(table, "drop-expiry", 0)


def _other_attribute(name: str) -> ValidationException:
    return ValidationException(f"TimeToLive is active on a different AttributeName: current AttributeName is {name}")


@dynamodb.operation(resource=table_resource, control_plane=True)
def update_time_to_live(call: Call[DynamoDB], *, table_name: str, time_to_live_specification: dict[str, Any]) -> Reply:
    """Turn time to live on or off; expired items go within seconds."""
    table = call.state.controlled(table_name)
    if table.status not in ("ACTIVE", "UPDATING"):
        raise in_use(table)
    enabled, attribute = time_to_live_specification["Enabled"], time_to_live_specification["AttributeName"]
    present = table.doc.get("TimeToLive")
    if enabled:
        if present is not None:
            if present["AttributeName"] != attribute:
                raise _other_attribute(present["AttributeName"])
            raise ValidationException("TimeToLive is already enabled")
        set_expiry(call.state, table, {"AttributeName": attribute})
    else:
        if present is None:
            raise ValidationException("TimeToLive is already disabled")
        if present["AttributeName"] != attribute:
            raise _other_attribute(present["AttributeName"])
        set_expiry(call.state, table, None)
    if table.doc.get("Replicas"):
        replicas.changed(call.state, table)
    call.state.save(table)
    return {"TimeToLiveSpecification": time_to_live_specification}


@dynamodb.operation(resource=table_resource, control_plane=True)
def describe_time_to_live(call: Call[DynamoDB], *, table_name: str) -> Reply:
    """Whether items of the table expire, and by which attribute."""
    present = call.state.controlled(table_name).doc.get("TimeToLive")
    shown = {"TimeToLiveStatus": "DISABLED" if present is None else "ENABLED"}
    if present is not None:
        shown["AttributeName"] = present["AttributeName"]
    return {"TimeToLiveDescription": shown}
