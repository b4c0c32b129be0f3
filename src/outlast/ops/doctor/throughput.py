"""From AWS's own answers to what a Region's tables and indexes let in and consume. Pure.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeLimits.html and
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTableReplicaAutoScaling.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from outlast.ops.doctor.facts import Document, RegionFacts, Traffic
from outlast.ops.doctor.tables import billing_mode
from outlast.ops.plan.throughput import EVERY_TABLE, KINDS, NOW, Throughput

INDEXES: Final = "GlobalSecondaryIndexes"


def of(region: RegionFacts, at_s: float) -> Throughput:
    """What the Region's tables and indexes let in and consume."""
    limits = {name: found for name, table in _tables(region) for name, found in _limits(region, name, table)}
    used = _used(region.traffic)
    provisioned = [name for name, table in _tables(region) if billing_mode(table) == "PROVISIONED"]
    if provisioned:
        account = {kind: _known({"the account's quota": _quota(region, "Account", kind)}) for kind in KINDS}
        limits[EVERY_TABLE] = account
        if used is not None:
            mine = [each for name, each in used.items() if name.partition("/")[0] in provisioned]
            used[EVERY_TABLE] = {kind: sum(each.get(kind, 0.0) for each in mine) for kind in KINDS}
    return Throughput(at_s, limits, used)


def resources(region_tables: dict[str, Any]) -> list[str]:
    """The names of tables, and of their indexes as `table/index`, whose consumption CloudWatch tells."""
    return [
        each
        for name, copy in region_tables.items()
        for each in (name, *(f"{name}/{index['IndexName']}" for index in copy.table.get(INDEXES) or []))
    ]


def _tables(region: RegionFacts) -> Iterator[tuple[str, Document]]:
    for name, copy in region.tables.items():
        yield name, copy.table


def _limits(region: RegionFacts, name: str, table: Document) -> Iterator[tuple[str, dict[str, dict[str, float]]]]:
    """The limits of a table, and of each of its indexes."""
    provisioned = billing_mode(table) == "PROVISIONED"
    scaling = (region.scaling or {}).get(name) or {}
    told = {
        kind: _own(table, kind, "the table's", provisioned, _most(scaling, f"Replica{_part(kind)}")) for kind in KINDS
    }
    for kind in KINDS:
        told[kind] |= _known({f"the {kind} quota": _quota(region, "Table", kind)})
    yield name, told
    scaled = {each["IndexName"]: each for each in scaling.get(INDEXES) or []}
    for index in table.get(INDEXES) or []:
        own = scaled.get(index["IndexName"], {})
        yield (
            f"{name}/{index['IndexName']}",
            {kind: _own(index, kind, "the index's", provisioned, _most(own, _part(kind))) for kind in KINDS},
        )


def _part(kind: str) -> str:
    return f"Provisioned{kind.capitalize()}CapacityAutoScalingSettings"


def _most(scaling: Document, member: str) -> Any:
    """How far autoscaling goes; None where it is off."""
    settings = scaling.get(member) or {}
    return None if settings.get("AutoScalingDisabled") else settings.get("MaximumUnits")


def _own(held: Document, kind: str, whose: str, provisioned: bool, most: Any) -> dict[str, float]:
    """What a table or an index itself lets in."""
    word = kind.capitalize()
    if not provisioned:
        return _known({f"{whose} {kind} limit": (held.get("OnDemandThroughput") or {}).get(f"Max{word}RequestUnits")})
    now = (held.get("ProvisionedThroughput") or {}).get(f"{word}CapacityUnits")
    if most is None:
        return _known({f"{whose} {kind} limit": now})
    return _known({NOW: now, f"{whose} maximum of autoscaling": most})


def _quota(region: RegionFacts, scope: str, kind: str) -> Any:
    return (region.table_limits or {}).get(f"{scope}Max{kind.capitalize()}CapacityUnits")


def _known(limits: dict[str, Any]) -> dict[str, float]:
    """Those that there are: -1 is none."""
    return {whose: float(limit) for whose, limit in limits.items() if limit is not None and float(limit) >= 0}


def _used(traffic: Traffic) -> dict[str, dict[str, float]] | None:
    names = {*traffic.read_units, *traffic.write_units}
    if not names:
        return None
    return {
        name: {"read": traffic.read_units.get(name, 0.0), "write": traffic.write_units.get(name, 0.0)} for name in names
    }
