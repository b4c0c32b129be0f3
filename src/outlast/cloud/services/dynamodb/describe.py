"""TableDescription and its parts, from a table's document.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outlast.cloud.services.dynamodb.table import Table

ON_DEMAND_READS = 12_000
ON_DEMAND_WRITES = 4_000
Shown = dict[str, Any]


def throughput(given: Mapping[str, Any] | None) -> Shown:
    """ProvisionedThroughputDescription; on-demand tables show zeros."""
    shown: Shown = {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
    for member, value in (given or {}).items():
        shown[member] = value / 1000 if member.endswith("DateTime") else value
    return shown


def warm(doc: Mapping[str, Any], given: Mapping[str, Any] | None = None) -> Shown:
    """WarmThroughput: what was asked for, at least what the table is provisioned for."""
    entry = given if given is not None else doc
    asked = entry.get("WarmThroughput") or {}
    provisioned = entry.get("ProvisionedThroughput") or {}
    on_demand = doc.get("BillingMode") == "PAY_PER_REQUEST"
    return {
        "ReadUnitsPerSecond": asked.get("ReadUnitsPerSecond")
        or (ON_DEMAND_READS if on_demand else provisioned.get("ReadCapacityUnits", 0)),
        "WriteUnitsPerSecond": asked.get("WriteUnitsPerSecond")
        or (ON_DEMAND_WRITES if on_demand else provisioned.get("WriteCapacityUnits", 0)),
        "Status": "ACTIVE",
    }


def table_description(table: Table) -> Shown:
    """The table as DescribeTable shows it."""
    doc = table.doc
    shown: Shown = {
        "AttributeDefinitions": doc["AttributeDefinitions"],
        "TableName": table.name,
        "KeySchema": doc["KeySchema"],
        "TableStatus": doc["Status"],
        "CreationDateTime": doc["CreatedMs"] / 1000,
        "ProvisionedThroughput": throughput(doc.get("ProvisionedThroughput")),
        "TableSizeBytes": max(table.size, 0),
        "ItemCount": max(table.count, 0),
        "TableArn": table.arn,
        "TableId": doc["TableId"],
        "DeletionProtectionEnabled": bool(doc.get("DeletionProtectionEnabled")),
        "WarmThroughput": warm(doc),
    }
    if doc["BillingMode"] == "PAY_PER_REQUEST" or doc.get("BilledOnDemandMs"):
        shown["BillingModeSummary"] = {"BillingMode": doc["BillingMode"]}
        if doc.get("BilledOnDemandMs"):
            shown["BillingModeSummary"]["LastUpdateToPayPerRequestDateTime"] = doc["BilledOnDemandMs"] / 1000
    for kind, is_global in (("LocalSecondaryIndexes", False), ("GlobalSecondaryIndexes", True)):
        described = [index_description(table, entry) for entry in doc["Indexes"] if entry["Global"] is is_global]
        if described:
            shown[kind] = described
    _add_stream(shown, table)
    _add_settings(shown, table)
    return shown


def _add_stream(shown: Shown, table: Table) -> None:
    stream = table.doc.get("Stream")
    if stream:
        if stream["Enabled"]:
            shown["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": stream["ViewType"]}
        shown["LatestStreamLabel"] = stream["Label"]
        shown["LatestStreamArn"] = f"{table.arn}/stream/{stream['Label']}"


def _add_settings(shown: Shown, table: Table) -> None:
    doc = table.doc
    if doc.get("SSE"):
        shown["SSEDescription"] = doc["SSE"]
    if doc.get("TableClass"):
        shown["TableClassSummary"] = {"TableClass": doc["TableClass"]}
        if doc.get("ClassChangedMs"):
            shown["TableClassSummary"]["LastUpdateDateTime"] = doc["ClassChangedMs"] / 1000
    if doc.get("OnDemandThroughput"):
        shown["OnDemandThroughput"] = doc["OnDemandThroughput"]
    if doc.get("Restored"):
        restored = doc["Restored"]
        shown["RestoreSummary"] = {
            **{member: value for member, value in restored.items() if member != "RestoreMs"},
            "RestoreDateTime": restored["RestoreMs"] / 1000,
        }
    if doc.get("Replicas"):
        shown["GlobalTableVersion"] = "2019.11.21"
        shown["Replicas"] = [
            replica_description(each) for name, each in doc["Replicas"].items() if name != table.region
        ]
        shown["MultiRegionConsistency"] = "EVENTUAL"


def replica_description(entry: Mapping[str, Any]) -> Shown:
    """ReplicaDescription of an entry of a document's Replicas."""
    shown: Shown = {"RegionName": entry["RegionName"], "ReplicaStatus": entry["Status"]}
    for member in (
        "ReplicaStatusDescription",
        "KMSMasterKeyId",
        "ProvisionedThroughputOverride",
        "OnDemandThroughputOverride",
    ):
        if entry.get(member):
            shown[member] = entry[member]
    if entry.get("Arn"):
        shown["ReplicaArn"] = entry["Arn"]
    if entry.get("Percent") is not None and entry["Status"] == "CREATING":
        shown["ReplicaStatusPercentProgress"] = str(entry["Percent"])
    if entry.get("TableClass"):
        shown["ReplicaTableClassSummary"] = {"TableClass": entry["TableClass"]}
    if entry.get("GlobalSecondaryIndexes"):
        shown["GlobalSecondaryIndexes"] = entry["GlobalSecondaryIndexes"]
    return shown


def index_description(table: Table, entry: Mapping[str, Any]) -> Shown:
    """Local or GlobalSecondaryIndexDescription of an entry of a document's Indexes."""
    entries, size = table.index_counts.get(entry["Number"], (0, 0))
    shown: Shown = {
        "IndexName": entry["IndexName"],
        "KeySchema": entry["KeySchema"],
        "Projection": entry["Projection"],
        "IndexSizeBytes": max(size, 0),
        "ItemCount": max(entries, 0),
        "IndexArn": f"{table.arn}/index/{entry['IndexName']}",
    }
    if entry["Global"]:
        shown["IndexStatus"] = entry["Status"]
        if entry["Status"] == "CREATING":
            shown["Backfilling"] = bool(entry.get("Backfilling"))
        shown["ProvisionedThroughput"] = throughput(entry.get("ProvisionedThroughput"))
        shown["WarmThroughput"] = warm(table.doc, entry)
        if entry.get("OnDemandThroughput"):
            shown["OnDemandThroughput"] = entry["OnDemandThroughput"]
    return shown
