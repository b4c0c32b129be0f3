"""DynamoDB's throughput: what one Region's tables and indexes let in, against what all Regions consume together.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html,
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode-max-throughput.html and
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/AutoScaling.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

KINDS: Final = ("read", "write")
EVERY_TABLE: Final = "all provisioned tables"
"""The resource that the account's quota is for."""
NOW: Final = "what is provisioned now"
"""A limit that autoscaling raises by itself, within minutes."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """One Region's, as of `at_s` (epoch seconds), in units a second. Indexes are `table/index`.

    `limits`: by resource, kind and whose limit it is. `used`: by resource and kind, at the busiest minute of the day
    before; None where nobody could tell.
    """

    at_s: float
    limits: Mapping[str, Mapping[str, Mapping[str, float]]]
    used: Mapping[str, Mapping[str, float]] | None

    def document(self) -> dict[str, Any]:
        """As JSON members."""
        return asdict(self)

    def filled(self, noted: Throughput | None) -> Throughput:
        """With what was noted earlier where this one knows nothing; as old as the oldest of it."""
        if noted is None or (self.limits and self.used is not None):
            return self
        used = noted.used if self.used is None else self.used
        return Throughput(min(self.at_s, noted.at_s), self.limits or noted.limits, used)


def parse(read: Mapping[str, Any]) -> Throughput:
    """The throughput in JSON members. Raises KeyError, TypeError, ValueError, AttributeError."""
    limits = {
        resource: {kind: {whose: float(each) for whose, each in held.items()} for kind, held in kinds.items()}
        for resource, kinds in read["limits"].items()
    }
    used = read["used"]
    if used is not None:
        used = {resource: {kind: float(each) for kind, each in kinds.items()} for resource, kinds in used.items()}
    return Throughput(float(read["at_s"]), limits, used)


@dataclass(frozen=True, slots=True)
class Load:
    """What is to come to one table or index, against one limit of it, in units a second."""

    resource: str
    kind: str
    coming: float
    limit: float
    whose: str

    @property
    def share(self) -> float:
        """The share of the limit that is used."""
        return self.coming / max(self.limit, 1e-9)

    @property
    def unit(self) -> str:
        """What is counted."""
        return f"{self.kind} units a second of {self.resource}"


def coming(
    resource: str, kind: str, known: Mapping[str, Throughput], *, writes_counted_everywhere: bool
) -> float | None:
    """What all Regions consume together; None where one of them does not tell.

    AWS counts a write in every replica, so each Region's count is of all writes already; a local world's counts those
    that were made there.
    """
    used = [each.used.get(resource, {}).get(kind, 0.0) for each in known.values() if each.used is not None]
    if len(used) < len(known) or not used:
        return None
    return max(used) if kind == "write" and writes_counted_everywhere else sum(used)


def loads(region: str, known: Mapping[str, Throughput], *, writes_counted_everywhere: bool) -> Iterator[Load]:
    """Everything that is to come to `region` against its limits, as far as both are known."""
    for resource, kinds in known[region].limits.items():
        for kind, limits in kinds.items():
            to_come = coming(resource, kind, known, writes_counted_everywhere=writes_counted_everywhere)
            for whose, limit in limits.items():
                if to_come is not None:
                    yield Load(resource, kind, to_come, limit, whose)
