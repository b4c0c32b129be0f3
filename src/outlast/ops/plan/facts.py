"""What a plan rests on. A fact that is not known is None, and the plan says so; nothing is guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from outlast.ops.plan.throughput import Throughput

SWITCH_S: Final = 2.0
"""Seconds from an ARC answer to changed DNS answers: the health check follows its control within a few."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one Region lets in: requests a second by the API's throttle, and concurrent function runs."""

    throttle_rps: float | None = None
    concurrency: int | None = None

    def filled(self, other: Capacity) -> Capacity:
        """With what another has where this one knows nothing."""
        return Capacity(
            other.throttle_rps if self.throttle_rps is None else self.throttle_rps,
            other.concurrency if self.concurrency is None else self.concurrency,
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a plan looks at, as of `at_s` (epoch seconds).

    `states`: whether each Region is switched on. `rates`: requests a second, by Region. `health`: the finding on each
    Region, in one word. `lag_ms`: age of each origin's heartbeat elsewhere. `write_share`: writes among requests.
    `healing`: what is not whole of a Region's data, in words, empty where all is; a Region that nobody asked is absent.
    `throughput`: what DynamoDB lets in and what is consumed, by Region; `writes_counted_everywhere`: whether a Region's
    count has the writes of the others. `durations_ms`: how long a function run takes at the 90th percentile, by Region.
    `switch_s`: from the switch to changed answers. `request_usd`: what a request costs on AWS.
    """

    at_s: float
    states: Mapping[str, bool]
    rates: Mapping[str, float | None] = field(default_factory=dict)
    health: Mapping[str, str] = field(default_factory=dict)
    lag_ms: Mapping[str, float | None] = field(default_factory=dict)
    capacity: Mapping[str, Capacity] = field(default_factory=dict)
    throughput: Mapping[str, Throughput] = field(default_factory=dict)
    writes_counted_everywhere: bool = True
    healing: Mapping[str, str] = field(default_factory=dict)
    ttl_s: int = 60
    switch_s: float = SWITCH_S
    write_share: float = 1.0
    durations_ms: Mapping[str, float] = field(default_factory=dict)
    request_usd: float | None = None
    offline: bool = False
    noted_s: float | None = None
    """When what is known of capacity was written down; None: it is of now."""
