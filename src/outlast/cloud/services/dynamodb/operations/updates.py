"""UpdateTable: billing, throughput, stream, encryption, class, protection, indexes and replicas.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from outlast.cloud.contract import Call, Reply
from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import definition, describe, overrides, replicas
from outlast.cloud.services.dynamodb.errors import (
    LimitExceededException,
    ResourceNotFoundException,
    invalid,
)
from outlast.cloud.services.dynamodb.lifecycle import UPDATE_MS
from outlast.cloud.services.dynamodb.names import table_resource
from outlast.cloud.services.dynamodb.operations.tables import in_use, index_entry, sse_description, stream_entry
from outlast.cloud.services.dynamodb.service import dynamodb
from outlast.cloud.services.dynamodb.state import NOT_FOUND, DynamoDB
from outlast.cloud.services.dynamodb.table import Table

INDEX_MS = 150
NOTHING = (
    "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or "
    "SSESpecification or ReplicaUpdates is required"
)
UNCHANGED = (
    "The provisioned throughput for the {what} will not change. The requested value equals the current value. "
    "Current ReadCapacityUnits provisioned for the {what}: {reads}. Requested ReadCapacityUnits: {reads}. "
    "Current WriteCapacityUnits provisioned for the {what}: {writes}. Requested WriteCapacityUnits: {writes}. "
    "Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits."
)
Given = Mapping[str, Any]


@dynamodb.operation(resource=table_resource, control_plane=True)
def update_table(
    call: Call[DynamoDB],
    *,
    table_name: str,
    attribute_definitions: list[Any] | None = None,
    billing_mode: str | None = None,
    provisioned_throughput: dict[str, Any] | None = None,
    global_secondary_index_updates: list[Any] | None = None,
    stream_specification: dict[str, Any] | None = None,
    sse_specification: dict[str, Any] | None = None,
    replica_updates: list[Any] | None = None,
    table_class: str | None = None,
    deletion_protection_enabled: bool | None = None,
    multi_region_consistency: str | None = None,
    on_demand_throughput: dict[str, Any] | None = None,
    warm_throughput: dict[str, Any] | None = None,
) -> Reply:
    """Change a table's settings, indexes or replicas; it is UPDATING until that is done."""
    wanted = {
        "AttributeDefinitions": attribute_definitions,
        "BillingMode": billing_mode,
        "ProvisionedThroughput": provisioned_throughput,
        "GlobalSecondaryIndexUpdates": global_secondary_index_updates,
        "StreamSpecification": stream_specification,
        "SSESpecification": sse_specification,
        "ReplicaUpdates": replica_updates,
        "TableClass": table_class,
        "DeletionProtectionEnabled": deletion_protection_enabled,
        "MultiRegionConsistency": multi_region_consistency,
        "OnDemandThroughput": on_demand_throughput,
        "WarmThroughput": warm_throughput,
    }
    given = {member: value for member, value in wanted.items() if value is not None and value != []}
    _check_request(given)
    table = call.state.controlled(table_name)
    if table.status != "ACTIVE":
        raise in_use(table)
    change = _Changes(call, table, given)
    change.check()
    change.apply()
    return {"TableDescription": describe.table_description(table)}


def _check_request(given: Given) -> None:
    """What can be refused without the table; raises ValidationException."""
    if not given.keys() - {"AttributeDefinitions"}:
        raise ValidationException(NOTHING)
    if given.get("MultiRegionConsistency") not in (None, "EVENTUAL"):
        raise ValidationException(
            f"MultiRegionConsistency={given['MultiRegionConsistency']} is not supported by this cloud."
        )
    if "ProvisionedThroughput" in given:
        if given.get("BillingMode") == "PAY_PER_REQUEST":
            definition.check_billing("PAY_PER_REQUEST", given["ProvisionedThroughput"])
        definition.check_throughput(given["ProvisionedThroughput"])
    if "StreamSpecification" in given:
        definition.check_stream(given["StreamSpecification"])
    names = set()
    for update in given.get("GlobalSecondaryIndexUpdates") or ():
        kinds = [kind for kind in ("Create", "Update", "Delete") if update.get(kind) is not None]
        if not kinds:
            raise invalid(
                "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
                "GlobalSecondaryIndexUpdate.Delete must not be null"
            )
        name = update[kinds[0]]["IndexName"]
        if len(kinds) > 1 or name in names:
            raise invalid(f"Only one global secondary index update per index is allowed simultaneously. Index: {name}")
        names.add(name)


class _Changes:
    """One UpdateTable on one table: all of it is checked before any of it is done."""

    def __init__(self, call: Call[DynamoDB], table: Table, given: Given) -> None:
        self.call = call
        self.table = table
        self.given = given
        self.doc = table.doc
        self.billing: str = given.get("BillingMode") or self.doc["BillingMode"]
        self.index_updates: Sequence[Given] = given.get("GlobalSecondaryIndexUpdates") or ()

    def check(self) -> None:
        """Raise the fault of whatever cannot be done."""
        given, doc = self.given, self.doc
        switching = "BillingMode" in given and self.billing != doc["BillingMode"]
        throughput = given.get("ProvisionedThroughput")
        if throughput is not None:
            if self.billing == "PAY_PER_REQUEST":
                definition.check_billing(self.billing, throughput)
            if not switching:
                self._check_changed("table", doc.get("ProvisionedThroughput") or {}, throughput)
        elif switching and self.billing == "PROVISIONED":
            definition.check_billing(self.billing, None)
        if "WarmThroughput" in given:
            definition.check_warm(given["WarmThroughput"], describe.warm(doc), "current")
        self._check_stream()
        self._check_indexes()
        if given.get("ReplicaUpdates"):
            replicas.check_updates(self.call, self.table, given["ReplicaUpdates"])

    def _check_changed(self, what: str, old: Given, new: Given) -> None:
        reads, writes = new["ReadCapacityUnits"], new["WriteCapacityUnits"]
        if (old.get("ReadCapacityUnits"), old.get("WriteCapacityUnits")) == (reads, writes):
            raise ValidationException(UNCHANGED.format(what=what, reads=reads, writes=writes))

    def _check_stream(self) -> None:
        wanted = self.given.get("StreamSpecification")
        if wanted is None:
            return
        enabled = bool((self.doc.get("Stream") or {}).get("Enabled"))
        if wanted["StreamEnabled"] and enabled:
            raise ValidationException(f"Table already has an enabled stream: TableName: {self.table.name}")
        if not wanted["StreamEnabled"]:
            if not enabled:
                raise ValidationException(f"Table has no stream to disable: TableName: {self.table.name}")
            if self.doc.get("Replicas"):
                raise ValidationException("Disabling the stream of a Global Table is not allowed: Global Table")

    def _check_indexes(self) -> None:
        creates = [update["Create"] for update in self.index_updates if update.get("Create")]
        deletes = [update["Delete"] for update in self.index_updates if update.get("Delete")]
        if len(creates) + len(deletes) > 1:
            raise LimitExceededException(
                "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"
            )
        present = {entry["IndexName"]: entry for entry in self.doc["Indexes"]}
        for create in creates:
            if create["IndexName"] in present:
                raise invalid("Attempting to create an index which already exists")
            definition.check_global_index(create, self.given.get("AttributeDefinitions") or (), self.billing)
            self._check_types(create)
            globals_ = [entry for entry in present.values() if entry["Global"]]
            if len(globals_) >= definition.MAX_GLOBAL:
                raise LimitExceededException(
                    "Subscriber limit exceeded: GlobalSecondaryIndex count exceeds the per-table limit of 20"
                )
            definition.check_index_names([*present.values(), create])
        for update in self.index_updates:
            named = update.get("Delete") or update.get("Update")
            if named is None:
                continue
            entry = present.get(named["IndexName"])
            if entry is None or not entry["Global"]:
                raise ResourceNotFoundException(NOT_FOUND)
            throughput = named.get("ProvisionedThroughput")
            if throughput is not None:
                if self.billing == "PAY_PER_REQUEST":
                    definition.check_billing(self.billing, throughput)
                definition.check_throughput(throughput)
                self._check_changed(f"index {named['IndexName']}", entry.get("ProvisionedThroughput") or {}, throughput)

    def _check_types(self, create: Given) -> None:
        """An attribute that is part of a key already keeps its type."""
        known = {each["AttributeName"]: each["AttributeType"] for each in self.doc["AttributeDefinitions"]}
        said = {each["AttributeName"]: each["AttributeType"] for each in self.given["AttributeDefinitions"]}
        for element in create["KeySchema"]:
            name, kind = element["AttributeName"], element["KeyType"]
            if known.get(name, said[name]) != said[name]:
                raise invalid(
                    "Attributes cannot be redefined. Please check that your attribute has the same type as previously "
                    f"defined. Existing schema: Schema:[SchemaElement: key{{{name}:{known[name]}:{kind}}}] "
                    f"New schema: Schema:[SchemaElement: key{{{name}:{said[name]}:{kind}}}]"
                )

    def _definitions(self) -> list[Given]:
        """The definitions after the update: what is stored wins over what is said again."""
        known = {each["AttributeName"]: each for each in self.given.get("AttributeDefinitions") or ()}
        known.update({each["AttributeName"]: each for each in self.doc["AttributeDefinitions"]})
        return list(known.values())

    def apply(self) -> None:
        """Do it, and let the timer finish what takes time."""
        doc, state, now_ms, here = self.doc, self.call.state, self.call.now_ms, self.call.region.name
        overrides.undo(doc)
        synchronised = replicas.settings(doc), orjson.dumps(doc.get("Replicas"))
        given = overrides.absorb(doc, here, self.given)
        self.index_updates = given.get("GlobalSecondaryIndexUpdates") or ()
        if self.billing != doc["BillingMode"]:
            doc["BillingMode"] = self.billing
            if self.billing == "PAY_PER_REQUEST":
                doc["BilledOnDemandMs"] = now_ms
                doc.pop("ProvisionedThroughput", None)
                for entry in doc["Indexes"]:
                    entry.pop("ProvisionedThroughput", None)
        if "ProvisionedThroughput" in given:
            doc["ProvisionedThroughput"] = changed_throughput(
                doc.get("ProvisionedThroughput"), given["ProvisionedThroughput"], now_ms
            )
        for member in ("TableClass", "DeletionProtectionEnabled", "WarmThroughput"):
            if member in given:
                doc[member] = given[member]
        if "OnDemandThroughput" in given:
            doc["OnDemandThroughput"] = {**(doc.get("OnDemandThroughput") or {}), **given["OnDemandThroughput"]}
        if "TableClass" in given:
            doc["ClassChangedMs"] = now_ms
        if "SSESpecification" in given:
            doc["SSE"] = sse_description(self.call, given["SSESpecification"])
        if "StreamSpecification" in given:
            set_stream(self.call, self.table, given["StreamSpecification"])
        waiting = self._apply_indexes()
        doc["Status"] = "UPDATING"
        if given.get("ReplicaUpdates"):
            replicas.begin_updates(self.call, self.table, given["ReplicaUpdates"])
            waiting = True
        if not waiting:
            state.schedule(self.table, "active", UPDATE_MS)
        if doc.get("Replicas"):
            replicas.protect(self.table, here)
            if (replicas.settings(doc), orjson.dumps(doc["Replicas"])) != synchronised:
                replicas.changed(state, self.table)
            overrides.apply(doc, here)
        state.save(self.table)

    def _apply_indexes(self) -> bool:
        """Note new and leaving indexes; whether the table stays UPDATING until they are done."""
        doc, state = self.doc, self.call.state
        waiting = False
        for update in self.index_updates:
            if update.get("Create"):
                add_index(self.table, update["Create"], self._definitions())
                state.schedule(self.table, "fill-index", INDEX_MS, Index=update["Create"]["IndexName"])
                waiting = True
                continue
            named = update.get("Delete") or update["Update"]
            entry = next(each for each in doc["Indexes"] if each["IndexName"] == named["IndexName"])
            if update.get("Delete"):
                entry.pop("Next", None)
                entry["Status"] = "DELETING"
                state.schedule(self.table, "drop-index", INDEX_MS, Index=named["IndexName"])
                waiting = True
                continue
            if named.get("ProvisionedThroughput") is not None:
                entry["ProvisionedThroughput"] = changed_throughput(
                    entry.get("ProvisionedThroughput"), named["ProvisionedThroughput"], self.call.now_ms
                )
            if named.get("OnDemandThroughput") is not None:
                entry["OnDemandThroughput"] = {**(entry.get("OnDemandThroughput") or {}), **named["OnDemandThroughput"]}
            if named.get("WarmThroughput") is not None:
                entry["WarmThroughput"] = named["WarmThroughput"]
        return waiting


def add_index(table: Table, given: Given, definitions: Sequence[Given]) -> None:
    """Add a global index that is to be filled, with the definitions that its key needs."""
    doc = table.doc
    doc["IndexCount"] = doc.get("IndexCount", len(doc["Indexes"])) + 1
    doc["Indexes"].append(index_entry(given, True, "CREATING", f"{doc['IndexCount']:06d}"))
    used = {each["AttributeName"] for part in (doc, *doc["Indexes"]) for each in part["KeySchema"]}
    doc["AttributeDefinitions"] = [each for each in definitions if each["AttributeName"] in used]


def changed_throughput(old: Given | None, new: Given, now_ms: int) -> dict[str, Any]:
    """The throughput after a change, with the times of the last increase and decrease."""
    before = dict(old or {})
    after = {**before, **new}
    for member in ("ReadCapacityUnits", "WriteCapacityUnits"):
        if before.get(member) is None or after[member] == before[member]:
            continue
        if after[member] > before[member]:
            after["LastIncreaseDateTime"] = now_ms
        else:
            after["LastDecreaseDateTime"] = now_ms
            after["NumberOfDecreasesToday"] = before.get("NumberOfDecreasesToday", 0) + 1
    return after


def set_stream(call: Call[DynamoDB], table: Table, wanted: Given) -> None:
    """Begin a new stream, or end the present one; its records stay for a day."""
    doc = table.doc
    if wanted["StreamEnabled"]:
        if doc.get("Stream"):
            doc.setdefault("OldStreams", []).append(doc["Stream"])
        doc["StreamCount"] = doc.get("StreamCount", 0) + 1
        doc["Stream"] = stream_entry(call, doc["StreamCount"], wanted["StreamViewType"])
        return
    stream = doc["Stream"]
    stream["Enabled"] = False
    stream["DisabledMs"] = call.now_ms
    if table.stream is not None:
        stream["Shards"][-1]["End"] = table.stream.next
        stream["Shards"][-1]["ClosedMs"] = call.now_ms
