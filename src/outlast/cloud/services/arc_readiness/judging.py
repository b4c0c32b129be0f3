"""From facts to readiness: rules to resources, resources to checks, checks to cells and groups; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outlast.cloud.services.arc_readiness.model import Part
from outlast.cloud.services.arc_readiness.rules.kit import Facts, Rule

READY, NOT_READY, UNKNOWN = "READY", "NOT_READY", "UNKNOWN"
_ORDER = (NOT_READY, UNKNOWN, READY)


def worst(readiness: Iterable[str]) -> str:
    """NOT_READY before UNKNOWN before READY; UNKNOWN when there is nothing to judge."""
    found = set(readiness)
    return next((each for each in _ORDER if each in found), UNKNOWN)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one rule says of one resource."""

    rule: str
    readiness: str
    messages: tuple[str, ...]
    counts: bool


@dataclass(frozen=True, slots=True)
class Audit:
    """One resource as judged; `rulings` are empty when it could not be read."""

    part: Part
    rulings: tuple[Ruling, ...]
    readiness: str
    checked_s: float


@dataclass(frozen=True, slots=True)
class Unread:
    """Why a resource could not be read."""

    message: str
    is_missing: bool


def judge(
    rules: Sequence[Rule], parts: Sequence[Part], facts: Sequence[Facts | Unread], now_s: float
) -> tuple[Audit, ...]:
    """Judge the resources of a set together. One that is missing is not ready; one that cannot be read is unknown."""
    readable = [(part, fact) for part, fact in zip(parts, facts, strict=True) if not isinstance(fact, Unread)]
    rulings: dict[str, list[Ruling]] = {part.id: [] for part in parts}
    for rule in rules:
        verdicts = rule.judge([fact for _, fact in readable])
        for (part, _), messages in zip(readable, verdicts, strict=True):
            readiness = NOT_READY if messages else READY
            rulings[part.id].append(Ruling(rule.id, readiness, tuple(messages), rule.counts))
    for part, fact in zip(parts, facts, strict=True):
        if isinstance(fact, Unread):
            readiness = NOT_READY if fact.is_missing else UNKNOWN
            rulings[part.id] = [Ruling(rule.id, readiness, (fact.message,), rule.counts) for rule in rules]
    return tuple(Audit(part, tuple(rulings[part.id]), _of(rulings[part.id]), now_s) for part in parts)


def _of(rulings: Iterable[Ruling]) -> str:
    counting = [ruling.readiness for ruling in rulings if ruling.counts]
    return worst(counting) if counting else READY


def within(scope: str, nested: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """A cell's or group's ARN and those of all cells nested in it; `nested` maps each ARN to those right below it."""
    found: set[str] = set()
    waiting = [scope]
    while waiting:
        arn = waiting.pop()
        if arn not in found:
            found.add(arn)
            waiting.extend(nested.get(arn, ()))
    return frozenset(found)


def recommendations(group: str, cells: Mapping[str, Sequence[Any]], targets: int, unscoped: int) -> list[str]:
    """What would make the application more resilient.

    `cells` maps the group's cells to (resource type, Region) of what is in them; `targets` counts DNS target resources
    of the group; `unscoped` counts resources of checks that belong to no cell.
    """
    said = []
    if len(cells) < 2:
        said.append(f"The recovery group {group} has {len(cells)} cells. Make at least two, one in each Region.")
    regions: dict[str, list[str]] = {}
    for name, resources in cells.items():
        own = {region for _, region in resources if region}
        if not resources:
            said.append(f"No checked resource is in the cell {name}. Set the readiness scopes of its resources.")
        if len(own) > 1:
            said.append(f"The cell {name} has resources in several Regions ({', '.join(sorted(own))}).")
        for region in own:
            regions.setdefault(region, []).append(name)
    for region, names in regions.items():
        if len(names) > 1:
            said.append(f"The cells {', '.join(names)} are all in {region}: they fail together.")
    kinds = [{kind for kind, _ in resources} for resources in cells.values()]
    for name, own in zip(cells, kinds, strict=True):
        lacking = set().union(*kinds) - own
        if lacking and own:
            said.append(f"The cell {name} has no {', '.join(sorted(lacking))}, though another cell has.")
    if not targets:
        said.append("Make a DNS target resource for the application's name, so that its routing is checked too.")
    if unscoped:
        said.append(f"{unscoped} checked resources belong to no cell. Set their readiness scopes.")
    return said
