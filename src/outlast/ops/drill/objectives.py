"""Objectives as people write them: `rto <= 90 s`, `lost_writes == 0`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from outlast.ops.outcome import Exit, UsageError

FORM: Final = re.compile(r"\s*([a-z_]+)\s*(<=|>=|==|<|>)\s*([0-9]+(?:\.[0-9]+)?)\s*(s|ms|%|)\s*")
COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
UNITS: Final[Mapping[str, str]] = {
    "rto": "s",
    "detection": "s",
    "decision": "s",
    "switch": "s",
    "drain": "s",
    "stubborn_rto": "s",
    "rpo_writes": "",
    "torn_writes": "",
    "lost_writes": "",
    "double_sales": "",
    "bad_share": "%",
    "bad_share_elsewhere": "%",
    "unequal_orders": "",
    "failback_bad_share": "%",
}
"""What can be an objective, and the unit it is measured in."""


@dataclass(frozen=True, slots=True)
class Objective:
    """One objective. `text` as it was written."""

    text: str
    name: str
    relation: str
    limit: float

    @classmethod
    def parse(cls, text: str, units: Mapping[str, str] = UNITS) -> Objective:
        """The objective in a text, of the figures in `units`; raises UsageError naming what is wrong."""
        found = FORM.fullmatch(text)
        if found is None:
            raise UsageError(f"{text!r} is no objective; write for example `rto <= 90 s`.")
        name, relation, limit, unit = found.groups()
        if name not in units:
            raise UsageError(f"{name} is not measured; there are {', '.join(sorted(units))}.")
        value = float(limit)
        if unit == "ms" and units[name] == "s":
            value /= 1000
        elif unit and unit != units[name]:
            raise UsageError(f"{name} is measured in {units[name] or 'plain numbers'}, not in {unit}.")
        return cls(text.strip(), name, relation, value)


@dataclass(frozen=True, slots=True)
class Judged:
    """An objective and what was measured; `met` is None when it could not be measured."""

    objective: Objective
    value: float | None
    met: bool | None


def judge(objectives: list[Objective], measured: Mapping[str, float | None]) -> list[Judged]:
    """Each objective against its figure."""
    found = []
    for objective in objectives:
        value = measured.get(objective.name)
        met = None if value is None else COMPARE[objective.relation](value, objective.limit)
        found.append(Judged(objective, value, met))
    return found


def verdict(judged: list[Judged]) -> Exit:
    """The exit code: a missed objective outweighs one that could not be measured."""
    if any(each.met is False for each in judged):
        return Exit.MISSED
    if any(each.met is None for each in judged):
        return Exit.UNDECIDED
    return Exit.GOOD
