"""Routing decisions: which of a group's record sets answer, how likely each, given health and place. Pure.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-how-route-53-chooses-records.html
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/routing-policy.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from outlast.cloud.services.route53.endpoints import endpoint_region
from outlast.cloud.services.route53.model import RecordSet
from outlast.cloud.services.route53.tree import Group

MOST_ANSWERS: Final = 8
"""A multivalue answer holds at most this many records."""
DEEPEST: Final = 8
"""Aliases of aliases are followed this far."""

Chosen = tuple[RecordSet, ...]
Options = list[tuple[Fraction, Chosen]]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decision rests on.

    `healthy(check id)` is this Region's view of a health check. `distance_ms(region)` is how far the client is from a
    Region. `group(name, type)` gives the zone's record sets for an alias.
    """

    healthy: Callable[[str], bool]
    distance_ms: Callable[[str], float]
    group: Callable[[bytes, str], Group]


def is_healthy(record: RecordSet, facts: Facts, depth: int = 0) -> bool:
    """A record set counts as healthy when its health check says so and, with EvaluateTargetHealth, its target does.

    An endpoint of the cloud counts as healthy: AWS makes no check of its own for API Gateway.
    """
    if record.health_check is not None and not facts.healthy(record.health_check):
        return False
    alias = record.alias
    if alias is None or not alias.evaluate_health or endpoint_region(alias.name) is not None:
        return True
    if depth >= DEEPEST:
        return False
    return any(is_healthy(each, facts, depth + 1) for each in facts.group(alias.name, record.type))


def choose(group: Group, facts: Facts) -> Options:
    """The record sets that may answer and their shares, which add up to one. Aliases are not followed yet."""
    if not group:
        return []
    policy = group[0].policy
    if policy == "simple":
        return [(Fraction(1), group[:1])]
    healthy = tuple(each for each in group if is_healthy(each, facts))
    match policy:
        case "weighted":
            return _weighted(healthy or group)
        case "latency":
            return [(Fraction(1), (nearest(healthy or group, facts),))]
        case "failover":
            return [(Fraction(1), (_failover(group, healthy),))]
        case _:
            return _multivalue(healthy or group)


def _weighted(candidates: Group) -> Options:
    """By weight; those of weight zero only when no other is there, then equally."""
    loaded = [each for each in candidates if each.weight] or list(candidates)
    total = sum(each.weight or 0 for each in loaded)
    if not total:
        return [(Fraction(1, len(loaded)), (each,)) for each in loaded]
    return [(Fraction(each.weight or 0, total), (each,)) for each in loaded]


def nearest(group: Sequence[RecordSet], facts: Facts) -> RecordSet:
    """The record of the Region with the lowest latency to the client; of equals the first by name."""
    return min(group, key=lambda each: (facts.distance_ms(each.region or ""), each.region or "", each.identifier))


def _failover(group: Group, healthy: Group) -> RecordSet:
    """The primary when it is healthy, or when nothing is; else the secondary."""
    for role in ("PRIMARY", "SECONDARY"):
        for each in healthy:
            if each.failover == role:
                return each
    return next((each for each in group if each.failover == "PRIMARY"), group[0])


def _multivalue(group: Group) -> Options:
    """Up to eight at a time; with more, each has the same chance, in a window that starts anywhere."""
    if len(group) <= MOST_ANSWERS:
        return [(Fraction(1), group)]
    share = Fraction(1, len(group))
    doubled = group + group
    return [(share, doubled[start : start + MOST_ANSWERS]) for start in range(len(group))]


def depends_on_place(group: Group) -> bool:
    """Whether the answer differs by where the client is."""
    return bool(group) and group[0].policy == "latency"
