"""Rules for DynamoDB tables.

Facts: `table` (DescribeTable), `limits` (DescribeLimits), `peaks` (capacity units consumed per second).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outlast.cloud.services.arc_readiness.rules.kit import Facts, Rule, Verdicts, each, within

ALL = "DynamoDB tables"
READ, WRITE = "ReadCapacityUnits", "WriteCapacityUnits"


def _provisioned(described: Any) -> dict[str, float]:
    throughput = described.get("ProvisionedThroughput") or {}
    return {name: float(throughput[name]) for name in (READ, WRITE) if throughput.get(name)}


def _indexes(facts: Facts) -> list[Any]:
    return sorted(facts["table"].get("GlobalSecondaryIndexes", ()), key=lambda index: str(index["IndexName"]))


def _configuration(facts: Facts) -> dict[str, Any]:
    table = facts["table"]
    stream = table.get("StreamSpecification") or {}
    return {
        "keys": table["KeySchema"],
        "attributes": sorted(table["AttributeDefinitions"], key=lambda each: str(each["AttributeName"])),
        "encryption": (table.get("SSEDescription") or {}).get("SSEType", "AWS owned key"),
        "stream": stream.get("StreamViewType", "none") if stream.get("StreamEnabled") else "none",
    }


def _judge_configuration(facts: Sequence[Facts]) -> Verdicts:
    shown = [_configuration(one) for one in facts]
    different = [part for part in shown[0] if any(one[part] != shown[0][part] for one in shown)] if shown else []
    return [[f"The tables differ in their {part}: this one has {one[part]}." for part in different] for one in shown]


def _judge_capacity(facts: Sequence[Facts]) -> Verdicts:
    return within(0.8, [_provisioned(one["table"]) for one in facts])


def _judge_peaks(facts: Sequence[Facts]) -> Verdicts:
    """A table must be able to take the greatest traffic that any table of the set has had."""
    peaks = {name: max((one["peaks"].get(name, 0.0) for one in facts), default=0.0) for name in (READ, WRITE)}
    verdicts: Verdicts = []
    for one in facts:
        own = _provisioned(one["table"])
        verdicts.append(
            [
                f"{name} is {own[name]:g}, the peak of the set {peaks[name]:g}."
                for name in own
                if own[name] < peaks[name]
            ]
        )
    return verdicts


def _index_configuration(facts: Facts) -> list[Any]:
    return [[index["IndexName"], index["KeySchema"], index["Projection"]] for index in _indexes(facts)]


def _judge_indexes(facts: Sequence[Facts]) -> Verdicts:
    shown = [_index_configuration(one) for one in facts]
    if all(one == shown[0] for one in shown):
        return [[] for _ in facts]
    return [[f"The tables differ in their global indexes: this one has {[i[0] for i in one]}."] for one in shown]


def _judge_index_capacity(facts: Sequence[Facts]) -> Verdicts:
    capacities = []
    for one in facts:
        flat = {}
        for index in _indexes(one):
            flat.update({f"{index['IndexName']} {name}": value for name, value in _provisioned(index).items()})
        capacities.append(flat)
    return within(0.8, capacities)


def _index_status(facts: Facts) -> str:
    bad = [
        f"{index['IndexName']} is {index['IndexStatus']}"
        for index in _indexes(facts)
        if index["IndexStatus"] != "ACTIVE"
    ]
    return f"Global indexes are not active: {', '.join(bad)}." if bad else ""


def _status(facts: Facts) -> str:
    status = facts["table"]["TableStatus"]
    return "" if status == "ACTIVE" else f"The table is {status}."


def _quotas(facts: Facts) -> str:
    own, limits = _provisioned(facts["table"]), facts["limits"]
    over = [name for name in own if own[name] > limits.get(f"TableMax{name}", own[name])]
    return f"The table is over the account's limit of {', '.join(over)}." if over else ""


RULES = (
    Rule(
        "DynamoConfiguration",
        f"Inspects all {ALL} to ensure that they have the same keys, attributes, server-side encryption and streams.",
        _judge_configuration,
    ),
    each("DynamoTableStatus", "Inspects each DynamoDB table to ensure that it has a status of ACTIVE.", _status),
    Rule(
        "DynamoCapacity",
        f"Inspects all {ALL} to ensure that their provisioned capacities are within 20% of the greatest in the set.",
        _judge_capacity,
    ),
    Rule(
        "DynamoPeakRcuWcu",
        "Inspects each DynamoDB table to ensure that it can take the peak traffic of the other tables.",
        _judge_peaks,
    ),
    Rule("DynamoGsiConfig", f"Inspects all {ALL} to ensure that they have the same global indexes.", _judge_indexes),
    each("DynamoGsiStatus", f"Inspects all {ALL} to ensure that their global indexes are ACTIVE.", _index_status),
    Rule(
        "DynamoGsiCapacity",
        f"Inspects all {ALL} to ensure that the capacities of their global indexes are within 20% of the greatest.",
        _judge_index_capacity,
    ),
    each("DynamoQuotas", f"Inspects all {ALL} to ensure that they conform to the account's limits.", _quotas),
)
