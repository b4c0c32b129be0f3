"""What a readiness rule is, and the shapes that most of them have; pure.

A rule that inspects *each* resource judges it alone. A rule that inspects *all* compares them; when they differ, none
of them is ready, except where the rule says that a greater value makes the others not ready.

https://docs.aws.amazon.com/r53recovery/latest/dg/recovery-readiness.rules-resources.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

Facts = Mapping[str, Any]
Verdicts = list[list[str]]
"""For each resource, in order, what is wrong with it; nothing is well."""
Read = Callable[[Facts], Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """`judge` takes the facts of all resources of a set. `counts` is False where the rule does not affect readiness."""

    id: str
    description: str
    judge: Callable[[Sequence[Facts]], Verdicts]
    counts: bool = True


def same(id: str, noun: str, what: str, read: Read, *, counts: bool = True, description: str = "") -> Rule:
    """All resources have the same value."""

    def judge(facts: Sequence[Facts]) -> Verdicts:
        values = [read(each) for each in facts]
        if len({_key(value) for value in values}) <= 1:
            return [[] for _ in facts]
        return [[f"The {noun} differ in {what}: this one has {_shown(value)}."] for value in values]

    told = description or f"Inspects all {noun} to ensure that they have the same {what}."
    return Rule(id, told, judge, counts)


def greatest(id: str, noun: str, what: str, read: Callable[[Facts], float]) -> Rule:
    """All resources have the same value; where one has more, the others are not ready."""

    def judge(facts: Sequence[Facts]) -> Verdicts:
        values = [read(each) for each in facts]
        top = max(values, default=0)
        return [[] if value == top else [f"The {what} is {value:g}, another one's {top:g}."] for value in values]

    told = f"Inspects all {noun} to ensure that they have the same {what}. If one has more, the others are not ready."
    return Rule(id, told, judge)


def each(id: str, description: str, complaint: Callable[[Facts], str], *, counts: bool = True) -> Rule:
    """Every resource is judged alone; an empty complaint is none."""

    def judge(facts: Sequence[Facts]) -> Verdicts:
        return [[text] if (text := complaint(one)) else [] for one in facts]

    return Rule(id, description, judge, counts)


def within(share: float, capacities: Sequence[Mapping[str, float]]) -> Verdicts:
    """Every capacity is at least `share` of the greatest of its name; a resource without a name is not compared."""
    verdicts: Verdicts = []
    for own in capacities:
        said = []
        for name, value in own.items():
            top = max(other[name] for other in capacities if name in other)
            if value < top * share:
                said.append(f"{name} is {value:g}, less than {share:.0%} of another one's {top:g}.")
        verdicts.append(said)
    return verdicts


def _key(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else _key(value).decode()
    return text if len(text) <= 200 else f"{text[:200]}…"
