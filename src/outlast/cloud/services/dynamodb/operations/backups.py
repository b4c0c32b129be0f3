"""On-demand backups, continuous backups and restores.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateBackup.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlast.cloud.contract import Call, Reply
from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import describe
from outlast.cloud.services.dynamodb.errors import (
    BackupInUseException,
    BackupNotFoundException,
    InvalidRestoreTimeException,
    PointInTimeRecoveryUnavailableException,
    TableAlreadyExistsException,
    TableNotFoundException,
)
from outlast.cloud.services.dynamodb.names import arn_resource, table_arn, table_name, table_of_arn, table_resource
from outlast.cloud.services.dynamodb.operations.tables import in_use, named, sse_description
from outlast.cloud.services.dynamodb.restoring import KEPT, Rewind, backup_space_name, begin_backup, new_table
from outlast.cloud.services.dynamodb.service import dynamodb
from outlast.cloud.services.dynamodb.state import DynamoDB
from outlast.cloud.services.dynamodb.table import Document, Table

DAY_MS = 24 * 3600 * 1000
PERIOD_DAYS = 35
PAGE = 100


def _table(call: Call[DynamoDB], given: str) -> Table:
    name = table_name(given, call.region)
    table = call.state.tables.get(name)
    if table is None:
        raise TableNotFoundException(f"Table not found: {name}")
    return table


def _backup(call: Call[DynamoDB], arn: str) -> Document:
    _, _, name, rest = table_of_arn(arn)
    doc = call.state.backups.get(rest.removeprefix("/backup/")) if rest.startswith("/backup/") else None
    if doc is None or doc["Arn"] != arn or not name:
        raise BackupNotFoundException(f"Backup not found: {arn}")
    return doc


def _details(doc: Mapping[str, Any]) -> Document:
    return {
        "BackupArn": doc["Arn"],
        "BackupName": doc["Name"],
        "BackupSizeBytes": doc["SizeBytes"],
        "BackupStatus": doc["Status"],
        "BackupType": "USER",
        "BackupCreationDateTime": doc["CreatedMs"] / 1000,
    }


@dynamodb.operation(resource=table_resource, control_plane=True)
def create_backup(call: Call[DynamoDB], *, table_name: str, backup_name: str) -> Reply:
    """Copy a table as it is now; the copy is AVAILABLE shortly."""
    table = _table(call, table_name)
    if table.status not in ("ACTIVE", "UPDATING"):
        raise in_use(table)
    backup_id = f"{call.now_ms:014d}-{call.region.entropy.hex(8)}"
    doc = {
        "Arn": f"{table.arn}/backup/{backup_id}",
        "Name": backup_name,
        "Status": "CREATING",
        "SizeBytes": max(table.size, 0),
        "ItemCount": max(table.count, 0),
        "CreatedMs": call.now_ms,
        "Table": {member: table.doc[member] for member in KEPT if table.doc.get(member) is not None},
    }
    call.state.backups.put(backup_id, doc)
    begin_backup(call.state, table, backup_id)
    return {"BackupDetails": _details(doc)}


def _description(call: Call[DynamoDB], doc: Mapping[str, Any]) -> Document:
    source = doc["Table"]
    throughput = source.get("ProvisionedThroughput") or {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
    features: Document = {}
    for kind, is_global in (("LocalSecondaryIndexes", False), ("GlobalSecondaryIndexes", True)):
        found = [_index(entry) for entry in source["Indexes"] if entry["Global"] is is_global]
        if found:
            features[kind] = found
    stream, ttl = source.get("Stream"), source.get("TimeToLive")
    if stream and stream["Enabled"]:
        features["StreamDescription"] = {"StreamEnabled": True, "StreamViewType": stream["ViewType"]}
    if ttl:
        features["TimeToLiveDescription"] = {"TimeToLiveStatus": "ENABLED", "AttributeName": ttl["AttributeName"]}
    if source.get("SSE"):
        features["SSEDescription"] = source["SSE"]
    return {
        "BackupDetails": _details(doc),
        "SourceTableDetails": {
            "TableName": source["TableName"],
            "TableId": source["TableId"],
            "TableArn": table_arn(call.region, source["TableName"]),
            "TableSizeBytes": doc["SizeBytes"],
            "KeySchema": source["KeySchema"],
            "TableCreationDateTime": source["CreatedMs"] / 1000,
            "ProvisionedThroughput": {m: throughput[m] for m in ("ReadCapacityUnits", "WriteCapacityUnits")},
            "ItemCount": doc["ItemCount"],
            "BillingMode": source["BillingMode"],
        },
        "SourceTableFeatureDetails": features,
    }


def _index(entry: Mapping[str, Any]) -> Document:
    shown = {member: entry[member] for member in ("IndexName", "KeySchema", "Projection")}
    if entry["Global"] and entry.get("ProvisionedThroughput"):
        given = entry["ProvisionedThroughput"]
        shown["ProvisionedThroughput"] = {m: given[m] for m in ("ReadCapacityUnits", "WriteCapacityUnits")}
    return shown


@dynamodb.operation(resource=arn_resource("BackupArn"), control_plane=True)
def describe_backup(call: Call[DynamoDB], *, backup_arn: str) -> Reply:
    """Describe a backup and the table it was made of."""
    return {"BackupDescription": _description(call, _backup(call, backup_arn))}


@dynamodb.operation(resource=arn_resource("BackupArn"), control_plane=True)
def delete_backup(call: Call[DynamoDB], *, backup_arn: str) -> Reply:
    """Delete a backup."""
    doc = _backup(call, backup_arn)
    if doc["Status"] != "AVAILABLE":
        raise BackupInUseException(
            f"There is another ongoing conflicting backup control plane operation on {backup_arn}"
        )
    backup_id = backup_arn.rpartition("/")[2]
    call.state.backups.delete(backup_id)
    name = backup_space_name(backup_id)
    if name in call.state.engine.spaces(name):
        call.state.engine.drop(call.state.engine.space(name))
    return {"BackupDescription": _description(call, {**doc, "Status": "DELETED"})}


@dynamodb.operation(control_plane=True)
def list_backups(
    call: Call[DynamoDB],
    *,
    table_name: str | None = None,
    limit: int | None = None,
    time_range_lower_bound: float | None = None,
    time_range_upper_bound: float | None = None,
    exclusive_start_backup_arn: str | None = None,
    backup_type: str | None = None,
) -> Reply:
    """List backups in the order in which they were made."""
    found = []
    wanted = _name_of(call, table_name)
    for backup_id, doc in call.state.backups.items():
        made_s = doc["CreatedMs"] / 1000
        if wanted is not None and doc["Table"]["TableName"] != wanted:
            continue
        if backup_type not in (None, "USER", "ALL"):
            continue
        if time_range_lower_bound is not None and made_s < time_range_lower_bound:
            continue
        if time_range_upper_bound is not None and made_s >= time_range_upper_bound:
            continue
        if exclusive_start_backup_arn is not None and backup_id <= exclusive_start_backup_arn.rpartition("/")[2]:
            continue
        found.append(doc)
    most = limit or PAGE
    reply: dict[str, Any] = {"BackupSummaries": [_summary(call, doc) for doc in found[:most]]}
    if len(found) > most:
        reply["LastEvaluatedBackupArn"] = found[most - 1]["Arn"]
    return reply


def _name_of(call: Call[DynamoDB], given: str | None) -> str | None:
    return None if given is None else table_name(given, call.region)


def _summary(call: Call[DynamoDB], doc: Mapping[str, Any]) -> Document:
    source = doc["Table"]
    return {
        "TableName": source["TableName"],
        "TableId": source["TableId"],
        "TableArn": table_arn(call.region, source["TableName"]),
        **_details(doc),
    }


def _restored(
    call: Call[DynamoDB], source: Mapping[str, Any], target: str, overrides: Mapping[str, Any], restored: Document
) -> Table:
    name = named(call, target)
    if name in call.state.tables:
        raise TableAlreadyExistsException(f"Table already exists: {name}")
    doc = new_table(source, name, overrides, call.region.entropy.uuid(), call.now_ms)
    if overrides.get("SSESpecificationOverride") is not None:
        doc["SSE"] = sse_description(call, overrides["SSESpecificationOverride"])
    doc["Restored"] = {
        **restored,
        "SourceTableArn": table_arn(call.region, source["TableName"]),
        "RestoreInProgress": True,
    }
    return call.state.add(doc)


@dynamodb.operation(resource=arn_resource("BackupArn"), control_plane=True)
def restore_table_from_backup(
    call: Call[DynamoDB],
    *,
    target_table_name: str,
    backup_arn: str,
    billing_mode_override: str | None = None,
    global_secondary_index_override: list[Any] | None = None,
    local_secondary_index_override: list[Any] | None = None,
    provisioned_throughput_override: dict[str, Any] | None = None,
    on_demand_throughput_override: dict[str, Any] | None = None,
    sse_specification_override: dict[str, Any] | None = None,
) -> Reply:
    """Make a new table from a backup; it is ACTIVE once it is filled."""
    backup = _backup(call, backup_arn)
    if backup["Status"] != "AVAILABLE":
        raise BackupInUseException(f"Backup is being created: {backup_arn}")
    overrides = {
        "BillingModeOverride": billing_mode_override,
        "GlobalSecondaryIndexOverride": global_secondary_index_override,
        "LocalSecondaryIndexOverride": local_secondary_index_override,
        "ProvisionedThroughputOverride": provisioned_throughput_override,
        "OnDemandThroughputOverride": on_demand_throughput_override,
        "SSESpecificationOverride": sse_specification_override,
    }
    restored = {"SourceBackupArn": backup_arn, "RestoreMs": backup["CreatedMs"]}
    table = _restored(call, backup["Table"], target_table_name, overrides, restored)
    call.state.schedule(table, "restore", 0, Backup=backup_arn.rpartition("/")[2])
    call.state.save(table)
    return {"TableDescription": describe.table_description(table)}


def source_arn(params: Mapping[str, Any], region: Any) -> str:
    """The ARN of the table to restore from."""
    given = params.get("SourceTableArn") or params.get("SourceTableName") or "*"
    return given if str(given).startswith("arn:") else table_arn(region, given)


# ---- continuous backups


def _continuous(call: Call[DynamoDB], table: Table) -> Document:
    recovery = table.doc.get("Recovery")
    shown: Document = {"PointInTimeRecoveryStatus": "ENABLED" if recovery else "DISABLED"}
    if recovery:
        shown["RecoveryPeriodInDays"] = recovery["Days"]
        shown["EarliestRestorableDateTime"] = _earliest_ms(recovery, call.now_ms) / 1000
        shown["LatestRestorableDateTime"] = call.now_ms / 1000
    return {
        "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": shown,
        }
    }


def _earliest_ms(recovery: Mapping[str, Any], now_ms: int) -> int:
    return max(int(recovery["SinceMs"]), now_ms - int(recovery["Days"]) * DAY_MS)


@dynamodb.operation(resource=table_resource, control_plane=True)
def describe_continuous_backups(call: Call[DynamoDB], *, table_name: str) -> Reply:
    """Whether point-in-time recovery is on, and how far back it reaches."""
    return _continuous(call, _table(call, table_name))


@dynamodb.operation(resource=table_resource, control_plane=True)
def update_continuous_backups(
    call: Call[DynamoDB], *, table_name: str, point_in_time_recovery_specification: dict[str, Any]
) -> Reply:
    """Turn point-in-time recovery on or off."""
    table = _table(call, table_name)
    days = point_in_time_recovery_specification.get("RecoveryPeriodInDays")
    if point_in_time_recovery_specification["PointInTimeRecoveryEnabled"]:
        since_ms = (table.doc.get("Recovery") or {}).get("SinceMs", call.now_ms)
        table.doc["Recovery"] = {"SinceMs": since_ms, "Days": days or PERIOD_DAYS}
    else:
        if days is not None:
            raise ValidationException(
                "RecoveryPeriodInDays can be specified only when point in time recovery is enabled"
            )
        history = table.history
        table.doc["Recovery"] = None
        if history is not None:
            call.state.engine.drop(history.space)
    call.state.save(table)
    return _continuous(call, table)


@dynamodb.operation(resource=source_arn, control_plane=True)
def restore_table_to_point_in_time(
    call: Call[DynamoDB],
    *,
    target_table_name: str,
    source_table_name: str | None = None,
    source_table_arn: str | None = None,
    use_latest_restorable_time: bool = False,
    restore_date_time: float | None = None,
    billing_mode_override: str | None = None,
    global_secondary_index_override: list[Any] | None = None,
    local_secondary_index_override: list[Any] | None = None,
    provisioned_throughput_override: dict[str, Any] | None = None,
    on_demand_throughput_override: dict[str, Any] | None = None,
    sse_specification_override: dict[str, Any] | None = None,
) -> Reply:
    """Make a new table as another was at a moment of its recovery window."""
    given = source_table_arn or source_table_name
    if given is None:
        raise ValidationException("One of SourceTableName or SourceTableArn must be specified")
    if use_latest_restorable_time == (restore_date_time is not None):
        raise ValidationException("One of UseLatestRestorableTime or RestoreDateTime must be specified, and not both")
    source = _table(call, given)
    recovery = source.doc.get("Recovery")
    if not recovery:
        raise PointInTimeRecoveryUnavailableException(
            f"Point in time recovery is not enabled for table '{source.name}'"
        )
    moment_ms = call.now_ms if restore_date_time is None else int(restore_date_time * 1000)
    if not _earliest_ms(recovery, call.now_ms) <= moment_ms <= call.now_ms:
        raise InvalidRestoreTimeException("RestoreDateTime is out of the recovery window of the table")
    overrides = {
        "BillingModeOverride": billing_mode_override,
        "GlobalSecondaryIndexOverride": global_secondary_index_override,
        "LocalSecondaryIndexOverride": local_secondary_index_override,
        "ProvisionedThroughputOverride": provisioned_throughput_override,
        "OnDemandThroughputOverride": on_demand_throughput_override,
        "SSESpecificationOverride": sse_specification_override,
    }
    table = _restored(call, source.doc, target_table_name, overrides, {"RestoreMs": moment_ms})
    call.state.restores[table.name] = Rewind(source, moment_ms)
    call.state.schedule(table, "restore", 0, Source=source.name, MomentMs=moment_ms)
    call.state.save(table)
    return {"TableDescription": describe.table_description(table)}
