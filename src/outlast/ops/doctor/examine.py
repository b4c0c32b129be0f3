"""All rules over the facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from outlast.ops.doctor import alarms, apis, capacity, dependencies, functions, records, sight, switch, tables
from outlast.ops.doctor.facts import Facts
from outlast.ops.doctor.findings import Finding, ordered

FAMILIES: Final[tuple[Callable[[Facts], Iterator[Finding]], ...]] = (
    tables.rules,
    functions.rules,
    apis.rules,
    alarms.rules,
    capacity.rules,
    records.rules,
    switch.rules,
    dependencies.rules,
    sight.rules,
)


def examine(facts: Facts) -> tuple[Finding, ...]:
    """Every finding, the worst first."""
    return ordered(finding for family in FAMILIES for finding in family(facts))
