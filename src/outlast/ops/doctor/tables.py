"""Replicas: each Region's copy of a table must take the other's place.

https://docs.aws.amazon.com/r53recovery/latest/dg/recovery-readiness.rules-resources.html (DynamoDB tables) and
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_reqs_bestpractices.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from outlast.ops.doctor.facts import Document, Facts, TableFacts
from outlast.ops.doctor.findings import Finding, Severity, unequal

Read = Callable[[TableFacts], Any]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)


def _keys(facts: TableFacts) -> dict[str, Any]:
    schema = {each["AttributeName"]: each["KeyType"] for each in facts.table.get("KeySchema", [])}
    types = {each["AttributeName"]: each["AttributeType"] for each in facts.table.get("AttributeDefinitions", [])}
    return {name: f"{kind} {types.get(name, '?')}" for name, kind in schema.items()}


def _indexes(facts: TableFacts) -> dict[str, Any]:
    """Keys and projection of each index; capacity is judged apart."""
    found = {}
    for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        for index in facts.table.get(kind) or []:
            keys = [f"{each['AttributeName']} {each['KeyType']}" for each in index.get("KeySchema", [])]
            projection = index.get("Projection") or {}
            others = sorted(projection.get("NonKeyAttributes") or [])
            found[str(index["IndexName"])] = [keys, projection.get("ProjectionType"), others, index.get("IndexStatus")]
    return found


def _time_to_live(facts: TableFacts) -> str | None:
    if facts.ttl is None:
        return None
    on = facts.ttl.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    return f"on {facts.ttl.get('AttributeName')}" if on else "off"


def billing_mode(table: Document) -> str:
    """PROVISIONED unless the table says otherwise."""
    return str((table.get("BillingModeSummary") or {}).get("BillingMode", "PROVISIONED"))


def _capacity(facts: TableFacts) -> dict[str, Any]:
    """Limits of reads and writes of the table and of each index: provisioned, or on-demand maxima."""
    wanted = {"": facts.table} | {each["IndexName"]: each for each in facts.table.get("GlobalSecondaryIndexes") or []}
    provisioned = billing_mode(facts.table) == "PROVISIONED"
    found = {}
    for name, each in wanted.items():
        limits = each.get("ProvisionedThroughput" if provisioned else "OnDemandThroughput") or {}
        members = ("ReadCapacityUnits", "WriteCapacityUnits") if provisioned else (
            "MaxReadRequestUnits", "MaxWriteRequestUnits",
        )  # fmt: skip
        found[name or "table"] = [limits.get(member, -1) for member in members]
    return found


def _encryption(facts: TableFacts) -> str:
    described = facts.table.get("SSEDescription") or {}
    key = str(described.get("KMSMasterKeyArn", ""))
    own = "AWS's key" if not described or key.endswith("alias/aws/dynamodb") else "a key of its own"
    return f"{described.get('SSEType', 'AES256')}, {own}"


def _warm(facts: TableFacts) -> Any:
    warm = facts.table.get("WarmThroughput") or {}
    return [warm.get("ReadUnitsPerSecond"), warm.get("WriteUnitsPerSecond")]


def _recovery(facts: TableFacts) -> str | None:
    if facts.backups is None:
        return None
    return str((facts.backups.get("PointInTimeRecoveryDescription") or {}).get("PointInTimeRecoveryStatus", "DISABLED"))


PARITY: Final[tuple[tuple[str, Severity, Read, str], ...]] = (
    ("keys", "serious", _keys, "requests of one Region are refused in the other"),
    ("indexes", "serious", _indexes, "queries that one Region answers fail in the other"),
    ("time to live", "warning", _time_to_live, "items expire in one Region and stay in the other"),
    ("capacity mode", "serious", lambda facts: billing_mode(facts.table), "the survivor may throttle"),
    ("capacity limits", "serious", _capacity, "the survivor throttles what the lost Region let in"),
    ("warm throughput", "warning", _warm, "the survivor throttles while it grows to a sudden load"),
    ("encryption", "warning", _encryption, "a key that is missing in one Region makes its copy unreadable"),
    (
        "class",
        "warning",
        lambda facts: (facts.table.get("TableClassSummary") or {}).get("TableClass", "STANDARD"),
        "the survivor's bill and limits are others than expected",
    ),
    ("point-in-time recovery", "warning", _recovery, "only one Region can undo a bad write"),
    (
        "deletion protection",
        "warning",
        lambda facts: bool(facts.table.get("DeletionProtectionEnabled")),
        "one Region's copy can be deleted by mistake",
    ),
    (
        "stream",
        "warning",
        lambda facts: (facts.table.get("StreamSpecification") or {}).get("StreamViewType", "none"),
        "consumers of the stream see other records in the survivor",
    ),
)
"""Name, severity, what is read, why a difference matters."""


def rules(facts: Facts) -> Iterator[Finding]:
    """All findings on replicas."""
    tables = facts.deployment.tables
    for name in (tables.customers, tables.products, tables.orders):
        copies = {region.name: region.tables[name] for region in facts.regions if name in region.tables}
        yield from _existence(name, facts, copies)
        yield from _parity(name, copies)
        for region, copy in copies.items():
            yield from _state(name, region, copy, facts.deployment.region_names)
            yield from _protection(name, region, copy)


def _existence(name: str, facts: Facts, copies: Mapping[str, TableFacts]) -> Iterator[Finding]:
    hidden = {(each.region, each.what) for each in facts.unseen}
    for region in facts.regions:
        if region.name not in copies and (region.name, f"table {name}") not in hidden:
            why = "without its data a Region can serve nobody"
            fix = f"Add a replica: `outlast replica rebuild {region.name}`."
            yield Finding("serious", "table exists", region.name, name, f"there is no table {name}", why, fix)


def _parity(name: str, copies: Mapping[str, TableFacts]) -> Iterator[Finding]:
    for what, severity, read, why in PARITY:
        values = {region: read(copy) for region, copy in copies.items()}
        known = {region: value for region, value in values.items() if value is not None}
        difference = unequal(known, _plain)
        if difference:
            arn = str(next(iter(copies.values())).table.get("TableArn", name))
            fix = f"Make {what} the same in every Region, in the template."
            yield Finding(severity, f"table {what}", "", arn, f"{what} of {name} differ: {difference}", why, fix)


def _state(name: str, region: str, copy: TableFacts, wanted: tuple[str, ...]) -> Iterator[Finding]:
    arn = str(copy.table.get("TableArn", name))
    status = copy.table.get("TableStatus")
    if status != "ACTIVE":
        why = "a table that is not active may refuse requests"
        yield Finding("serious", "table status", region, arn, f"{name} is {status}", why, "Wait, or see its events.")
    replicas = {each["RegionName"]: each.get("ReplicaStatus") for each in copy.table.get("Replicas") or []}
    missing = [each for each in wanted if each not in replicas and each != region]
    if missing:
        what = f"{name} is not replicated to {', '.join(missing)}"
        why = "what is written here never reaches the survivor"
        yield Finding("serious", "table replicas", region, arn, what, why, "Add the Region to the global table.")
    for other, state in replicas.items():
        if other in wanted and state != "ACTIVE":
            what = f"{name}'s replica in {other} is {state}"
            why = "writes do not reach it, or not in time"
            fix = "See DescribeTable's ReplicaStatusDescription; an inaccessible key is the usual reason."
            yield Finding("serious", "table replicas", region, arn, what, why, fix)


def _protection(name: str, region: str, copy: TableFacts) -> Iterator[Finding]:
    arn = str(copy.table.get("TableArn", name))
    if not copy.table.get("DeletionProtectionEnabled"):
        what, why = f"{name} may be deleted", "a script that goes wrong at night takes the data with it"
        yield Finding("warning", "table deletion protection", region, arn, what, why, "Set DeletionProtectionEnabled.")
    if copy.backups is not None and _recovery(copy) != "ENABLED":
        what, why = f"{name} has no point-in-time recovery", "a bad write is replicated everywhere at once"
        fix = "Set PointInTimeRecoverySpecification of each replica."
        yield Finding("warning", "table point-in-time recovery", region, arn, what, why, fix)
