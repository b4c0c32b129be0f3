"""Faults of the world: what may be injected, what is active here, and the board that starts and ends them.

The kinds follow behaviour.md's list; AWS FIS's API is the public face (services/fis).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

FaultKind = Literal[
    "region-killed",  # its processes die, the disk stays; ends with a restart
    "region-destroyed",  # its processes die and the disk is gone
    "region-isolated",  # every link of the Region is cut both ways; clients still reach it
    "link-cut",  # regions=(from, to): messages one way are dropped
    "link-slow",  # regions=(from, to): parameters delay_ms, jitter_ms, loss (0..1)
    "replication-paused",  # regions=(from, to): only item replication waits
    "service-errors",  # parameters share (0..1), status, code: requests answer an error
    "service-latency",  # parameters share (0..1), delay_ms
    "service-throttling",  # parameters share (0..1)
    "gray-failure",  # errors and latency at once: error_share, delay_share, delay_ms
    "dns-empty",  # the Region's DNS servers answer nothing for names in scope
    "control-plane-lost",  # control-plane operations of services homed in the Region fail
    "clock-skew",  # parameters skew_ms
    "disk-full",  # writes fail with no space
    "disk-slow",  # parameters delay_ms for each sync
    "certificate-expired",  # the Region presents expired certificates
    "certificate-wrong",  # the Region presents certificates for another name
]

KINDS: Final = frozenset(FaultKind.__args__)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """One fault and its scope. Empty scopes mean "all". Ends by itself after `duration_s`."""

    kind: FaultKind
    regions: tuple[str, ...]
    services: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    duration_s: float = 600.0
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ActiveFault:
    """A fault that has begun; times in epoch milliseconds; `ended_ms` is None while it lasts."""

    id: str
    spec: FaultSpec
    started_ms: int
    ends_ms: int
    ended_ms: int | None = None
    started_by: str = ""


class FaultBoard(Protocol):
    """Held by the world outside every Region, so that a dead Region's fault can still be ended."""

    async def start(self, spec: FaultSpec, started_by: str) -> ActiveFault:
        """Begin the fault and return once it has taken hold; raises ValueError that says what is wrong."""
        ...

    async def end(self, fault_id: str) -> ActiveFault:
        """End it and return once the effect is gone; raises KeyError when there is no such fault."""
        ...

    async def list(self) -> Sequence[ActiveFault]:
        """All active faults and those that ended of late (bounded)."""
        ...


class ActiveFaults:
    """The faults that this Region's pipeline applies; empty nearly always, so asking costs one test."""

    __slots__ = ("active",)

    def __init__(self) -> None:
        self.active: tuple[ActiveFault, ...] = ()

    def of(self, kind: FaultKind, service: str = "", operation: str = "") -> ActiveFault | None:
        """The first active fault of this kind whose scope holds the service and operation."""
        for fault in self.active:
            spec = fault.spec
            if spec.kind != kind:
                continue
            if spec.services and service not in spec.services:
                continue
            if spec.operations and operation not in spec.operations:
                continue
            return fault
        return None
