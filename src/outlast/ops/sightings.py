"""What a vantage point saw of a Region: the one thing that observing hands to deciding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Side = Literal["customer", "region", "data", "provider"]
"""Who says so: customer (from outside, as customers see it), region (its own word), data (replication), provider."""

SIDES: Final[dict[str, Side]] = {
    "observer-canary": "customer",
    "observer-alarm": "customer",
    "probe-fresh": "customer",
    "probe-pooled": "customer",
    "region-canary": "region",
    "region-alarm": "region",
    "endpoint-metrics": "region",
    "component-metrics": "region",
    "heartbeat": "data",
    "health-events": "provider",
}
"""The vantage points that there are. A fresh probe opens a connection each time; a pooled one keeps it."""

PLACES: Final[dict[str, str]] = {
    "observer-canary": "observer",
    "observer-alarm": "observer",
    "probe-fresh": "operator",
    "probe-pooled": "operator",
    "region-canary": "region",
    "region-alarm": "region",
    "endpoint-metrics": "region",
    "component-metrics": "region",
    "heartbeat": "data",
    "health-events": "provider",
}
"""Where each looks from: what breaks a place's own sight, or lies there, spoils all of its vantage points."""

LAGGING: Final = frozenset({"observer-alarm", "region-alarm", "health-events"})
"""Those that go on telling of a failure after it is over: they count against a Region, yet do not delay recovery."""

QUICK: Final = frozenset({"probe-fresh", "probe-pooled"})
"""Customers' vantage points that look often enough to say within a second that it is over."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. `bad`: what was seen is not what a customer should get. `at_s` epoch seconds."""

    at_s: float
    vantage: str
    region: str
    bad: bool
    detail: str = ""

    @property
    def side(self) -> Side:
        """Who says so."""
        return SIDES[self.vantage]
