"""The global tables of 2017 (version 2017.11.29): AWS makes no new ones, so there are none here.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V1.html
"""

from __future__ import annotations

from typing import Any

from outlast.cloud.contract import Call, Reply
from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb.errors import GlobalTableNotFoundException
from outlast.cloud.services.dynamodb.service import dynamodb
from outlast.cloud.services.dynamodb.state import DynamoDB

RESOURCE = "arn:aws:dynamodb::{account}:global-table/{GlobalTableName}"
OVER = (
    "DynamoDB global tables version 2017.11.29 is not supported. We recommend using DynamoDB global tables version "
    "2019.11.21, instead of version 2017.11.29 (Legacy)."
)
SETTINGS = (
    "GlobalTableBillingMode",
    "GlobalTableProvisionedWriteCapacityUnits",
    "GlobalTableProvisionedWriteCapacityAutoScalingSettingsUpdate",
    "GlobalTableGlobalSecondaryIndexSettingsUpdate",
    "ReplicaSettingsUpdate",
)
"""They would change a table that there cannot be."""


def unknown(name: str) -> GlobalTableNotFoundException:
    """The fault for any name: a table of version 2019.11.21 is none of these either."""
    return GlobalTableNotFoundException(f"Global table with name '{name}' does not exist.")


@dynamodb.operation(resource=RESOURCE, control_plane=True)
def create_global_table(call: Call[DynamoDB], *, global_table_name: str, replication_group: list[Any]) -> Reply:
    """Refuse, as AWS does since this version is closed."""
    del call, global_table_name, replication_group
    raise ValidationException(OVER)


@dynamodb.operation(resource=RESOURCE, control_plane=True)
def update_global_table(call: Call[DynamoDB], *, global_table_name: str, replica_updates: list[Any]) -> Reply:
    """Find no such table."""
    del call, replica_updates
    raise unknown(global_table_name)


@dynamodb.operation(resource=RESOURCE)
def describe_global_table(call: Call[DynamoDB], *, global_table_name: str) -> Reply:
    """Find no such table."""
    del call
    raise unknown(global_table_name)


@dynamodb.operation(resource=RESOURCE)
def describe_global_table_settings(call: Call[DynamoDB], *, global_table_name: str) -> Reply:
    """Find no such table."""
    del call
    raise unknown(global_table_name)


@dynamodb.operation(resource=RESOURCE, control_plane=True, ignored=SETTINGS)
def update_global_table_settings(call: Call[DynamoDB], *, global_table_name: str) -> Reply:
    """Find no such table."""
    del call
    raise unknown(global_table_name)


@dynamodb.operation(ignored=("ExclusiveStartGlobalTableName", "Limit", "RegionName"))
def list_global_tables(call: Call[DynamoDB]) -> Reply:
    """List none."""
    del call
    return {"GlobalTables": []}
