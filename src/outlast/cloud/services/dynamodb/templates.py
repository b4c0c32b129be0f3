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
READ_SETTINGS = ("ReadProvisionedThroughputSettings", "ReadOnDemandThroughputSettings")
REPLICA_PROPERTIES = frozenset(
    {
        "DeletionProtectionEnabled", "GlobalSecondaryIndexes", "PointInTimeRecoverySpecification", "Region",
        "ResourcePolicy", "SSESpecification", "TableClass", "Tags", *READ_SETTINGS,
    }
)  # fmt: skip
REPLICA_INDEX_PROPERTIES = frozenset({"IndexName", *READ_SETTINGS})


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
    for index in replica.get("GlobalSecondaryIndexes") or ():
        unknown = sorted(set(index) - REPLICA_INDEX_PROPERTIES)
        if unknown:
            raise ValidationException(f"The property {unknown[0]} of a replica's index is not supported by this cloud.")


def replica_settings(replica: Properties) -> dict[str, Any]:
    """What a replica has of its own, as UpdateTable's replica updates name it.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-dynamodb-globaltable-replicaspecification.html
    """
    given = typed(replica)
    own = _own_reads(given)
    if given.get("TableClass"):
        own["TableClassOverride"] = given["TableClass"]
    if (given.get("SSESpecification") or {}).get("KMSMasterKeyId"):
        own["KMSMasterKeyId"] = given["SSESpecification"]["KMSMasterKeyId"]
    indexes = [{"IndexName": each["IndexName"], **_own_reads(each)} for each in given.get("GlobalSecondaryIndexes", ())]
    if indexes:
        own["GlobalSecondaryIndexes"] = indexes
    return own


def _own_reads(given: Properties) -> dict[str, Any]:
    own: dict[str, Any] = {}
    units = _units(given, "Read")
    if units is not None:
        own["ProvisionedThroughputOverride"] = {"ReadCapacityUnits": units}
    if given.get("ReadOnDemandThroughputSettings"):
        own["OnDemandThroughputOverride"] = dict(given["ReadOnDemandThroughputSettings"])
    return own


def of_home(properties: Properties, region: str) -> dict[str, Any]:
    """A global table's properties, with what the replica in the stack's Region has of its own at their side."""
    home: Properties = next((each for each in properties.get("Replicas", ()) if each.get("Region") == region), {})
    indexes = {each["IndexName"]: each for each in home.get("GlobalSecondaryIndexes") or ()}
    merged = {**properties, **_read_settings(home)}
    if properties.get("GlobalSecondaryIndexes"):
        merged["GlobalSecondaryIndexes"] = [
            {**each, **_read_settings(indexes.get(each["IndexName"], {}))}
            for each in properties["GlobalSecondaryIndexes"]
        ]
    key = (home.get("SSESpecification") or {}).get("KMSMasterKeyId")
    if key and properties.get("SSESpecification"):
        merged["SSESpecification"] = {**properties["SSESpecification"], "KMSMasterKeyId": key}
    return merged


def _read_settings(part: Properties) -> dict[str, Any]:
    return {member: part[member] for member in READ_SETTINGS if part.get(member)}


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
        params["GlobalSecondaryIndexes"] = [
            _index(each, is_global, params["BillingMode"]) for each in given["GlobalSecondaryIndexes"]
        ]
    if is_global and params["BillingMode"] == "PROVISIONED":
        params["ProvisionedThroughput"] = _global_throughput(given)
    if is_global and _on_demand(given):
        params["OnDemandThroughput"] = _on_demand(given)
    stream = given.get("StreamSpecification")
    if stream:
        params["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": stream["StreamViewType"]}
    sse = given.get("SSESpecification")
    if sse and sse.get("SSEEnabled"):
        params["SSESpecification"] = {"Enabled": True, "SSEType": sse.get("SSEType", "KMS")}
        if sse.get("KMSMasterKeyId"):
            params["SSESpecification"]["KMSMasterKeyId"] = sse["KMSMasterKeyId"]
    return params


def _index(given: Properties, is_global: bool, billing: str) -> dict[str, Any]:
    index = {member: given[member] for member in ("IndexName", "KeySchema", "Projection")}
    for member in ("ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput"):
        if given.get(member) is not None:
            index[member] = given[member]
    if is_global and billing == "PROVISIONED":
        index["ProvisionedThroughput"] = _global_throughput(given)
    if is_global and _on_demand(given):
        index["OnDemandThroughput"] = _on_demand(given)
    return index


def _on_demand(given: Properties) -> dict[str, int]:
    """The limits of on-demand capacity of a global table or its index; empty when it has none."""
    return {
        **(given.get("ReadOnDemandThroughputSettings") or {}),
        **(given.get("WriteOnDemandThroughputSettings") or {}),
    }


def _global_throughput(given: Properties) -> dict[str, int]:
    """Provisioned units of a global table: the least that its auto scaling settings allow."""
    read, write = _units(given, "Read"), _units(given, "Write")
    return {"ReadCapacityUnits": 5 if read is None else read, "WriteCapacityUnits": 5 if write is None else write}


def _units(given: Properties, kind: str) -> int | None:
    """The units that reads or writes are given; None when nothing says."""
    settings = given.get(f"{kind}ProvisionedThroughputSettings") or {}
    scaling = settings.get(f"{kind}CapacityAutoScalingSettings") or {}
    found = scaling.get("MinCapacity") or settings.get(f"{kind}CapacityUnits")
    return None if found is None else int(found)


def table_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """UpdateTable's settings that lead from one set of CreateTable's parameters to another.

    What is not said any more goes back to what a table has that never said it; warm throughput is never lowered.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_OnDemandThroughput.html
    """
    change = {
        member: after[member]
        for member in ("BillingMode", "ProvisionedThroughput", "WarmThroughput")
        if after.get(member) is not None and after[member] != before.get(member)
    }
    for member, unsaid in (("TableClass", "STANDARD"), ("SSESpecification", {"Enabled": False})):
        wanted, present = after.get(member) or unsaid, before.get(member) or unsaid
        if wanted != present:
            change[member] = wanted
    limits = _limits(before, after)
    if limits and after["BillingMode"] == "PAY_PER_REQUEST":
        change["OnDemandThroughput"] = limits
    return change


def _limits(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, int]:
    """The limits of on-demand capacity that differ; -1 takes one away."""
    old, new = (each.get("OnDemandThroughput") or {} for each in (before, after))
    wanted = {**dict.fromkeys(old, -1), **new}
    return {} if wanted == old else wanted


def replica_changes(
    old: Properties, new: Properties, table: Mapping[str, Any], shown: Mapping[str, Any]
) -> dict[str, Any]:
    """What a replica update must say so that the replica has what its properties say.

    `table` describes the table in the stack's Region, `shown` is its entry of the replica. What the properties do not
    say any more becomes what a replica has that never said it: the table's.
    """
    before, after = replica_settings(old), replica_settings(new)
    wanted = {**_unsaid(before, table), **after}
    for given in before.get("GlobalSecondaryIndexes", ()):
        index = next((each for each in table.get("GlobalSecondaryIndexes", ()) if _same_name(each, given)), None)
        indexes = wanted.setdefault("GlobalSecondaryIndexes", [])
        said = next((each for each in indexes if _same_name(each, given)), None)
        if said is not None and index is not None:
            said.update({**_unsaid(given, {**index, **_billing_of(table)}), **said})
        elif index is not None:
            unsaid = _unsaid(given, {**index, **_billing_of(table)})
            indexes.append({"IndexName": given["IndexName"], **unsaid})
    present = {**shown, "TableClassOverride": (shown.get("ReplicaTableClassSummary") or {}).get("TableClass")}
    found = {
        member: value
        for member, value in wanted.items()
        if member != "GlobalSecondaryIndexes" and _differs(member, value, present, after)
    }
    changed = [
        index
        for index in wanted.get("GlobalSecondaryIndexes", ())
        if index != next((each for each in shown.get("GlobalSecondaryIndexes", ()) if _same_name(each, index)), None)
        and len(index) > 1
    ]
    return {**found, "GlobalSecondaryIndexes": changed} if changed else found


def _same_name(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return bool(one["IndexName"] == other["IndexName"])


def _billing_of(table: Mapping[str, Any]) -> dict[str, Any]:
    return {"BillingModeSummary": table.get("BillingModeSummary") or {}}


def _differs(member: str, value: Any, present: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether an override must be said: one that is only to go need not be, where there is none."""
    held = present.get(member)
    return bool(held != value and (member in after or held is not None))


def _unsaid(before: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides in `before`, each with the value of the table or index that `part` describes."""
    on_demand = (part.get("BillingModeSummary") or {}).get("BillingMode") == "PAY_PER_REQUEST"
    values: dict[str, Any] = {"TableClassOverride": (part.get("TableClassSummary") or {}).get("TableClass", "STANDARD")}
    if on_demand:
        limit = (part.get("OnDemandThroughput") or {}).get("MaxReadRequestUnits", -1)
        values["OnDemandThroughputOverride"] = {"MaxReadRequestUnits": limit}
    else:
        units = part["ProvisionedThroughput"]["ReadCapacityUnits"]
        values["ProvisionedThroughputOverride"] = {"ReadCapacityUnits": units}
    if part.get("SSEDescription"):
        values["KMSMasterKeyId"] = "alias/aws/dynamodb"
    return {member: values[member] for member in before if member in values}


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
        else:
            change = {
                member: index[member]
                for member in ("ProvisionedThroughput", "WarmThroughput")
                if index.get(member) not in (None, old[name].get(member))
            }
            limits = _limits(old[name], index)
            if limits and after["BillingMode"] == "PAY_PER_REQUEST":
                change["OnDemandThroughput"] = limits
            if change:
                yield {"Update": {"IndexName": name, **change}}
