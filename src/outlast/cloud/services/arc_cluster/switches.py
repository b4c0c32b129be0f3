"""The states of a cluster's routing controls, and what the safety rules allow; pure.

All states of a cluster are one value, so that a change of several is one change. A state that was never set is Off.

https://docs.aws.amazon.com/r53recovery/latest/dg/routing-control.safety-rules.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

FORGET_AFTER_MS = 3_600_000
"""States of controls that are no longer configured are dropped from the value after this time without a change."""


@dataclass(frozen=True, slots=True)
class Switch:
    """One state, and when it last changed (epoch milliseconds of the endpoint that changed it)."""

    on: bool = False
    changed_ms: int = 0


OFF = Switch()
Switches = Mapping[str, Switch]


def parse(value: bytes | None) -> dict[str, Switch]:
    """Switches by the routing control's id."""
    if value is None:
        return {}
    return {key: Switch(on, changed_ms) for key, (on, changed_ms) in orjson.loads(value).items()}


def pack(switches: Switches) -> bytes:
    """The value that the endpoints agree on."""
    return orjson.dumps({key: (each.on, each.changed_ms) for key, each in switches.items()})


@dataclass(frozen=True, slots=True)
class Rule:
    """A safety rule as the data plane needs it."""

    id: str
    panel: str
    name: str
    kind: str
    judged: tuple[str, ...]
    targets: tuple[str, ...]
    type: str
    threshold: int
    inverted: bool
    wait_ms: int

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Rule:
        """The rule of a configuration document."""
        return cls(
            id=document["id"],
            panel=document["panel"],
            name=document["name"],
            kind=document["kind"],
            judged=tuple(document["judged"]),
            targets=tuple(document["targets"]),
            type=document["type"],
            threshold=document["threshold"],
            inverted=document["inverted"],
            wait_ms=document["wait_ms"],
        )

    @property
    def guarded(self) -> tuple[str, ...]:
        """The controls whose changes this rule judges."""
        return self.judged if self.kind == "assertion" else self.targets

    def holds(self, switches: Switches) -> bool:
        """Whether the rule's criterion is met in these states."""
        on = sum(switches.get(each, OFF).on for each in self.judged)
        if self.type == "ATLEAST":
            met = on >= self.threshold
        elif self.type == "AND":
            met = on == len(self.judged)
        else:
            met = on > 0
        return met is not self.inverted


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that stands against a change, and why."""

    rule: Rule
    why: str


def change(
    value: bytes | None, wanted: Mapping[str, bool], rules: Iterable[Rule], now_ms: int, configured: frozenset[str]
) -> tuple[bytes | None, Violation | None]:
    """The value after setting `wanted` (control id -> on), or the same value and what forbids it.

    Setting a control to the state it has changes nothing and is always allowed.
    """
    before = parse(value)
    moved = [key for key, on in wanted.items() if before.get(key, OFF).on is not on]
    if not moved:
        return value, None
    after = before | {key: Switch(wanted[key], now_ms) for key in moved}
    for rule in rules:
        why = _objection(rule, before, after, moved, now_ms)
        if why:
            return value, Violation(rule, why)
    return pack(_without_forgotten(after, configured, now_ms)), None


def _objection(rule: Rule, before: Switches, after: Switches, moved: Sequence[str], now_ms: int) -> str:
    if not any(key in rule.guarded for key in moved):
        return ""
    if rule.kind == "assertion" and not rule.holds(after):
        return "its assertion would not hold after the change"
    if rule.kind == "gating" and not rule.holds(before):
        return "its gate is closed"
    last_ms = max((before[key].changed_ms for key in rule.guarded if key in before), default=0)
    if last_ms and abs(now_ms - last_ms) < rule.wait_ms:  # clocks differ: a time to come counts no longer than one past
        return f"its wait period of {rule.wait_ms} ms is not over"
    return ""


def _without_forgotten(switches: Switches, configured: frozenset[str], now_ms: int) -> dict[str, Switch]:
    return {
        key: each for key, each in switches.items() if key in configured or now_ms - each.changed_ms < FORGET_AFTER_MS
    }
