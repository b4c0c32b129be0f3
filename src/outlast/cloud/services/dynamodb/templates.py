"""From the properties of CloudFormation's types to the parameters of the API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from outlast.cloud.contract.fault import ValidationException

Properties = Mapping[str, Any]
_BOOLEANS = frozenset(
    {
        "DeletionProtectionEnabled",
        "Enabled",
        "PointInTimeRecoveryEnabled",
        "SSEEnabled",
        "StreamEnabled",
    }
)
_NUMBERS = frozenset(
    {
        "MaxReadRequestUnits",
        "MaxWriteRequestUnits",
        "ReadCapacityUnits",
        "ReadUnitsPerSecond",
        "RecoveryPeriodInDays",
        "WriteCapacityUnits",
        "WriteUnitsPerSecond",
    }
)
REPLICA_PROPERTIES = frozenset(
    {
        "DeletionProtectionEnabled", "PointInTimeRecoverySpecification", "Region", "ResourcePolicy", "SSESpecification",
        "TableClass", "Tags",
    }
)  # fmt: skip


def typed(value: Any) -> Any:
    """A copy with the booleans and numbers that templates may hold as text turned into what the API wants."""
    if isinstance(value, Mapping):
        return {member: _typed_member(member, held) for member, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [typed(each) for each in value]
    return value


def _typed_member(member: str, held: Any) -> Any:
    if member in _BOOLEANS and isinstance(held, str):
        return held.lower() == "true"
    if member in _NUMBERS and isinstance(held, str):
        return int(held)
    return typed(held)


def as_tags(given: Any) -> dict[str, str]:
    """Tags by key."""
    return {each["Key"]: str(each["Value"]) for each in given or ()}


def refuse_unknown(replica: Properties) -> None:
    """Raise for a replica's property that this cloud does not support."""
    unknown = sorted(set(replica) - REPLICA_PROPERTIES)
    if unknown:
        raise ValidationException(f"The property {unknown[0]} of a replica is not supported by this cloud.")


def table_params(name: str, properties: Properties, is_global: bool = False) -> dict[str, Any]:
    """CreateTable's parameters."""
    given = typed(properties)
    is_global = is_global or "Replicas" in properties
    params: dict[str, Any] = {"TableName": name}
    for member in (
        "AttributeDefinitions",
        "KeySchema",
        "LocalSecondaryIndexes",
        "TableClass",
        "OnDemandThroughput",
        "WarmThroughput",
        "DeletionProtectionEnabled",
    ):
        if given.get(member) is not None and not (is_global and member == "DeletionProtectionEnabled"):
            params[member] = given[member]
    params["BillingMode"] = given.get("BillingMode") or "PROVISIONED"
    if given.get("ProvisionedThroughput") is not None:
        params["ProvisionedThroughput"] = given["ProvisionedThroughput"]
    if given.get("GlobalSecondaryIndexes"):
        params["GlobalSecondaryIndexes"] = [_index(each, is_global) for each in given["GlobalSecondaryIndexes"]]
    if is_global and params["BillingMode"] == "PROVISIONED":
        params["ProvisionedThroughput"] = _global_throughput(given)
    stream = given.get("StreamSpecification")
    if stream:
        params["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": stream["StreamViewType"]}
    sse = given.get("SSESpecification")
    if sse and sse.get("SSEEnabled"):
        params["SSESpecification"] = {"Enabled": True, "SSEType": sse.get("SSEType", "KMS")}
        if sse.get("KMSMasterKeyId"):
            params["SSESpecification"]["KMSMasterKeyId"] = sse["KMSMasterKeyId"]
    return params


def _index(given: Properties, is_global: bool) -> dict[str, Any]:
    index = {member: given[member] for member in ("IndexName", "KeySchema", "Projection")}
    for member in ("ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput"):
        if given.get(member) is not None:
            index[member] = given[member]
    if is_global and given.get("WriteProvisionedThroughputSettings"):
        index["ProvisionedThroughput"] = _global_throughput(given)
    return index


def _global_throughput(given: Properties) -> dict[str, int]:
    """Provisioned units of a global table: the least that its auto scaling settings allow."""
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    for member, kind in (
        ("WriteProvisionedThroughputSettings", "Write"),
        ("ReadProvisionedThroughputSettings", "Read"),
    ):
        settings = given.get(member) or {}
        scaling = settings.get(f"{kind}CapacityAutoScalingSettings") or {}
        found = scaling.get("MinCapacity") or settings.get(f"{kind}CapacityUnits")
        if found is not None:
            units[f"{kind}CapacityUnits"] = int(found)
    return units


def index_updates(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The GlobalSecondaryIndexUpdates, one at a time, that lead from one set of indexes to another."""
    old = {each["IndexName"]: each for each in before.get("GlobalSecondaryIndexes", ())}
    new = {each["IndexName"]: each for each in after.get("GlobalSecondaryIndexes", ())}
    for name, index in old.items():
        same = name in new and all(index[part] == new[name][part] for part in ("KeySchema", "Projection"))
        if not same:
            yield {"Delete": {"IndexName": name}}
    for name, index in new.items():
        same = name in old and all(index[part] == old[name][part] for part in ("KeySchema", "Projection"))
        if not same:
            yield {"Create": index}
        elif index.get("ProvisionedThroughput") not in (None, old[name].get("ProvisionedThroughput")):
            yield {"Update": {"IndexName": name, "ProvisionedThroughput": index["ProvisionedThroughput"]}}
