"""Tables: create, describe, list, delete.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlast.cloud.contract import Call, Reply
from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import definition, describe
from outlast.cloud.services.dynamodb.errors import PROTECTED, ResourceInUseException
from outlast.cloud.services.dynamodb.lifecycle import CREATE_MS, DELETE_MS
from outlast.cloud.services.dynamodb.membership import stream_label
from outlast.cloud.services.dynamodb.names import MIN_NAME, plain_name, table_name, table_resource
from outlast.cloud.services.dynamodb.service import dynamodb
from outlast.cloud.services.dynamodb.state import DynamoDB
from outlast.cloud.services.dynamodb.table import Document, Table
from outlast.cloud.services.dynamodb.tagging import check_tags

NOT_TOLD = (
    "AttributeDefinitions",
    "KeySchema",
    "CreationDateTime",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "WarmThroughput",
)
"""What DeleteTable leaves out of its description."""


def in_use(table: Table) -> ResourceInUseException:
    """The fault for a change of a table that is changing already."""
    doing = {"CREATING": "created", "DELETING": "deleted"}.get(table.status, "updated")
    return ResourceInUseException(
        f"Attempt to change a resource which is still in use: Table is being {doing}: {table.name}"
    )


def stream_entry(call: Call[DynamoDB], number: int, view: str) -> Document:
    """A document's entry for a stream that begins now."""
    return {
        "Enabled": True,
        "ViewType": view,
        "Label": stream_label(call.now_ms),
        "Number": f"{number:06d}",
        "CreatedMs": call.now_ms,
        "Shards": [{"Id": shard_id(call.now_ms, call.region.entropy.hex(8)), "First": 1, "OpenedMs": call.now_ms}],
    }


def shard_id(now_ms: int, random: str) -> str:
    """A shard's id as AWS writes it: shardId-, twenty digits of time, eight random ones."""
    return f"shardId-{now_ms:020d}-{random}"


def sse_description(call: Call[DynamoDB], given: Mapping[str, Any] | None) -> Document | None:
    """SSEDescription for an SSESpecification; None for the default encryption."""
    if not given or not given.get("Enabled"):
        if given and given.get("KMSMasterKeyId"):
            raise ValidationException(
                "One or more parameter values were invalid: KMSMasterKeyId can be specified only when SSE is enabled"
            )
        return None
    if given.get("SSEType") not in (None, "KMS"):
        raise ValidationException("One or more parameter values were invalid: SSEType AES256 is not supported")
    key = given.get("KMSMasterKeyId") or "alias/aws/dynamodb"
    arn = key if key.startswith("arn:") else call.region.arn("kms", key if key.startswith("alias/") else f"key/{key}")
    return {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": arn}


def index_entry(given: Mapping[str, Any], is_global: bool, status: str, number: str) -> Document:
    """A document's entry for an index."""
    entry: Document = {
        "IndexName": given["IndexName"],
        "KeySchema": given["KeySchema"],
        "Projection": given["Projection"],
        "Global": is_global,
        "Status": status,
        "Number": number,
    }
    for member in ("ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput"):
        if given.get(member) is not None:
            entry[member] = given[member]
    return entry


def new_document(call: Call[DynamoDB], name: str, params: Mapping[str, Any]) -> Document:
    """The document of a new table from CreateTable's parameters."""
    table_id = call.region.entropy.uuid()
    local, global_ = params.get("LocalSecondaryIndexes") or (), params.get("GlobalSecondaryIndexes") or ()
    indexes = [
        index_entry(given, is_global, "ACTIVE", f"{place:06d}")
        for place, (given, is_global) in enumerate([(e, False) for e in local] + [(e, True) for e in global_], 1)
    ]
    doc: Document = {
        "TableName": name,
        "TableId": table_id,
        "Items": table_id,
        "CreatedMs": call.now_ms,
        "Status": "CREATING",
        "AttributeDefinitions": params["AttributeDefinitions"],
        "KeySchema": params["KeySchema"],
        "BillingMode": params.get("BillingMode") or "PROVISIONED",
        "BilledOnDemandMs": call.now_ms if params.get("BillingMode") == "PAY_PER_REQUEST" else None,
        "Indexes": indexes,
        "IndexCount": len(indexes),
        "StreamCount": 0,
    }
    for member in (
        "ProvisionedThroughput",
        "OnDemandThroughput",
        "WarmThroughput",
        "TableClass",
        "DeletionProtectionEnabled",
    ):
        if params.get(member) is not None:
            doc[member] = params[member]
    stream = params.get("StreamSpecification")
    if stream and stream["StreamEnabled"]:
        doc["StreamCount"] = 1
        doc["Stream"] = stream_entry(call, 1, stream["StreamViewType"])
    doc["SSE"] = sse_description(call, params.get("SSESpecification"))
    if params.get("Tags"):
        doc["Tags"] = check_tags({}, params["Tags"])
    return doc


@dynamodb.operation(resource=table_resource, control_plane=True)
def create_table(
    call: Call[DynamoDB],
    *,
    table_name: str,
    attribute_definitions: list[Any] | None = None,
    key_schema: list[Any] | None = None,
    local_secondary_indexes: list[Any] | None = None,
    global_secondary_indexes: list[Any] | None = None,
    billing_mode: str | None = None,
    provisioned_throughput: dict[str, Any] | None = None,
    on_demand_throughput: dict[str, Any] | None = None,
    warm_throughput: dict[str, Any] | None = None,
    stream_specification: dict[str, Any] | None = None,
    sse_specification: dict[str, Any] | None = None,
    table_class: str | None = None,
    deletion_protection_enabled: bool | None = None,
    resource_policy: str | None = None,
    tags: list[Any] | None = None,
) -> Reply:
    """Create a table; it becomes ACTIVE within a second."""
    name = named(call, table_name)
    params = {
        "AttributeDefinitions": attribute_definitions,
        "KeySchema": key_schema or [],
        "LocalSecondaryIndexes": local_secondary_indexes,
        "GlobalSecondaryIndexes": global_secondary_indexes,
        "BillingMode": billing_mode,
        "ProvisionedThroughput": provisioned_throughput,
        "OnDemandThroughput": on_demand_throughput,
        "WarmThroughput": warm_throughput,
        "StreamSpecification": stream_specification,
        "SSESpecification": sse_specification,
        "TableClass": table_class,
        "DeletionProtectionEnabled": deletion_protection_enabled,
        "Tags": tags,
    }
    definition.check_new_table(params)
    if name in call.state.tables:
        raise ResourceInUseException(f"Table already exists: {name}")
    doc = new_document(call, name, params)
    if resource_policy is not None:
        from outlast.cloud.services.dynamodb.policies import policy_entry

        doc["Policies"] = {"table": policy_entry(call, resource_policy)}
    table = call.state.add(doc)
    call.state.schedule(table, "active", CREATE_MS)
    call.state.save(table)
    return {"TableDescription": describe.table_description(table)}


def named(call: Call[DynamoDB], given: str) -> str:
    """The name of a table to be made: three characters at least."""
    if given.startswith("arn:"):
        return table_name(given, call.region)
    return plain_name(given, shortest=MIN_NAME)


@dynamodb.operation(resource=table_resource, control_plane=True)
def describe_table(call: Call[DynamoDB], *, table_name: str) -> Reply:
    """Describe a table, in whatever status."""
    return {"Table": describe.table_description(call.state.controlled(table_name))}


@dynamodb.operation(resource=table_resource, control_plane=True)
def delete_table(call: Call[DynamoDB], *, table_name: str) -> Reply:
    """Delete a table and everything in it."""
    table = call.state.controlled(table_name)
    if table.status not in ("ACTIVE", "INACCESSIBLE_ENCRYPTION_CREDENTIALS"):
        raise in_use(table)
    if table.doc.get("DeletionProtectionEnabled"):
        raise ValidationException(PROTECTED)
    begin_delete(call.state, table, "delete-replica" if table.doc.get("Replicas") else "delete")
    described = describe.table_description(table)
    for member in NOT_TOLD:
        described.pop(member, None)
    return {"TableDescription": described}


def begin_delete(state: DynamoDB, table: Table, step: str = "delete") -> None:
    """Set a table on its way out; backups that were begun are finished before."""
    table.doc["Status"] = "DELETING"
    table.doc["Due"] = [each for each in table.doc.get("Due") or () if each["Step"] == "backup"]
    state.schedule(table, step, DELETE_MS)
    state.save(table)


@dynamodb.operation(control_plane=True)
def list_tables(
    call: Call[DynamoDB], *, exclusive_start_table_name: str | None = None, limit: int | None = None
) -> Reply:
    """List table names in order, up to 100 at once."""
    names = sorted(call.state.tables)
    if exclusive_start_table_name is not None:
        names = [name for name in names if name > exclusive_start_table_name]
    most = limit or 100
    reply: dict[str, Any] = {"TableNames": names[:most]}
    if len(names) > most:
        reply["LastEvaluatedTableName"] = names[most - 1]
    return reply


@dynamodb.operation(control_plane=True)
def describe_limits(call: Call[DynamoDB]) -> Reply:
    """The account's quotas; they are shown, not enforced."""
    del call
    return {
        "AccountMaxReadCapacityUnits": 80_000,
        "AccountMaxWriteCapacityUnits": 80_000,
        "TableMaxReadCapacityUnits": 40_000,
        "TableMaxWriteCapacityUnits": 40_000,
    }


@dynamodb.operation()
def describe_endpoints(call: Call[DynamoDB]) -> Reply:
    """The Region's own endpoint."""
    addresses = call.region.addresses
    host = f"{addresses.hosts[call.region.name]}:{addresses.ports[call.region.name]}"
    return {"Endpoints": [{"Address": host, "CachePeriodInMinutes": 1440}]}
