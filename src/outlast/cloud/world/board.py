"""The fault board: which faults hold, since when and until when. A fault ends by itself when its time is over."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from outlast.cloud.contract import ActiveFault, FaultSpec, Service
from outlast.cloud.contract.faults import KINDS
from outlast.cloud.effects import Clock, Entropy

MAX_ACTIVE = 100
KEPT_ENDED = 200
MAX_DURATION_S = 12 * 3600.0
PAIRS: Final = frozenset({"link-cut", "link-slow", "replication-paused"})
DEADLY: Final = frozenset({"region-killed", "region-destroyed"})
DOMAIN: Final = re.compile(r"\.|[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
MAX_DELAY_MS: Final = 600_000.0
LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    **dict.fromkeys(("share", "error_share", "delay_share", "loss"), (0.0, 1.0)),
    **dict.fromkeys(("delay_ms", "jitter_ms"), (0.0, MAX_DELAY_MS)),
    "bytes_per_s": (0.0, 1e12),
    "status": (400.0, 599.0),
    "skew_ms": (-MAX_DURATION_S * 1000, MAX_DURATION_S * 1000),
}
"""The numbers that make sense, ends included; `nan` is in no range."""
PARAMETERS: Final = {
    "link-slow": {"delay_ms", "jitter_ms", "loss", "bytes_per_s"},
    "service-errors": {"share", "status", "code"},
    "service-latency": {"share", "delay_ms"},
    "service-throttling": {"share"},
    "gray-failure": {"error_share", "delay_share", "delay_ms"},
    "clock-skew": {"skew_ms"},
    "disk-slow": {"delay_ms"},
    "dns-empty": {"names"},
}
EMPTY: Final = frozenset({"link-slow", "clock-skew", "disk-slow"})
"""Faults that do nothing unless one of their parameters is not zero."""


@dataclass(frozen=True, slots=True)
class Scopes:
    """What faults may be limited to: every service by its name, with its operations, and which of the services
    have a control plane that can be lost. A service that serves HTTP of its own (a door) has no operations."""

    operations: Mapping[str, frozenset[str]]
    controlled: frozenset[str]


def scopes_of(services: Sequence[Service[Any]]) -> Scopes:
    """The scopes of a world with these services."""
    operations = {service.name: frozenset(service.operations) for service in services}
    doors: dict[str, frozenset[str]] = {
        door.signing_name: frozenset() for service in services for door in service.doors
    }
    controlled = {
        service.name for service in services if any(each.control_plane for each in service.operations.values())
    }
    return Scopes(doors | operations, frozenset(controlled))


class Hands(Protocol):
    """What the board may do to Regions."""

    async def kill_region(self, name: str) -> None: ...
    async def start_region(self, name: str) -> None: ...
    def destroy_disk(self, name: str) -> None: ...
    async def push_faults(self) -> None: ...


class Board:
    """Implements the contract's FaultBoard in the supervisor."""

    def __init__(
        self,
        hands: Hands,
        regions: Sequence[str],
        clock: Clock,
        entropy: Entropy,
        scopes: Scopes,
        here: Sequence[str] = (),
    ) -> None:
        """`here` are the Regions that this host runs; empty when it runs all."""
        self._hands = hands
        self._scopes = scopes
        self._regions = tuple(regions)
        self._here = frozenset(here or regions)
        self._clock = clock
        self._entropy = entropy
        self._active: dict[str, ActiveFault] = {}
        self._ended: deque[ActiveFault] = deque(maxlen=KEPT_ENDED)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def active(self) -> list[ActiveFault]:
        """The faults that hold now, oldest first."""
        return list(self._active.values())

    async def list(self) -> Sequence[ActiveFault]:
        return [*self._active.values(), *self._ended]

    async def start(self, spec: FaultSpec, started_by: str) -> ActiveFault:
        self._check(spec)
        now_ms = self._clock.now_ms()
        fault = ActiveFault(
            id=f"fault-{self._entropy.hex(12)}",
            spec=spec,
            started_ms=now_ms,
            ends_ms=now_ms + int(spec.duration_s * 1000),
            started_by=started_by,
        )
        self._active[fault.id] = fault
        self._timers[fault.id] = asyncio.get_running_loop().call_later(spec.duration_s, self._time_over, fault.id)
        if spec.kind in DEADLY:
            for region in spec.regions:
                await self._hands.kill_region(region)
                if spec.kind == "region-destroyed":
                    self._hands.destroy_disk(region)
        await self._hands.push_faults()
        return fault

    def _time_over(self, fault_id: str) -> None:
        if fault_id in self._active:
            task = asyncio.get_running_loop().create_task(self._end(fault_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _end(self, fault_id: str) -> None:
        await self.end(fault_id)

    async def end(self, fault_id: str) -> ActiveFault:
        fault = self._active.pop(fault_id)
        self._timers.pop(fault_id).cancel()
        ended = replace(fault, ended_ms=self._clock.now_ms())
        self._ended.append(ended)
        if fault.spec.kind in DEADLY:
            still_dead = {region for other in self._active.values() if other.spec.kind in DEADLY
                          for region in other.spec.regions}  # fmt: skip
            for region in fault.spec.regions:
                if region not in still_dead:
                    await self._hands.start_region(region)
        await self._hands.push_faults()
        return ended

    def _check(self, spec: FaultSpec) -> None:
        """Raise ValueError for a fault that could not do what it says."""
        if spec.kind not in KINDS:
            raise ValueError(f"There is no fault of the kind {spec.kind}.")
        unknown = [region for region in spec.regions if region not in self._regions]
        if unknown or not spec.regions:
            raise ValueError(f"This world has no Region {unknown[0]}." if unknown else "A fault needs a Region.")
        if spec.kind in PAIRS and (len(spec.regions) != 2 or spec.regions[0] == spec.regions[1]):
            raise ValueError(f"{spec.kind} needs two Regions: from and to.")
        elsewhere = [region for region in spec.regions[: 1 if spec.kind in PAIRS else None] if region not in self._here]
        if elsewhere:
            raise ValueError(f"{elsewhere[0]} runs on another host: start {spec.kind} there.")
        if not 0 < spec.duration_s <= MAX_DURATION_S:
            raise ValueError(f"The duration must be over 0 and at most {MAX_DURATION_S:.0f} seconds.")
        self._check_parameters(spec)
        self._check_scope(spec)
        if len(self._active) >= MAX_ACTIVE:
            raise ValueError(f"{MAX_ACTIVE} faults hold already.")

    def _check_parameters(self, spec: FaultSpec) -> None:
        extra = set(spec.parameters) - PARAMETERS.get(spec.kind, set())
        if extra:
            raise ValueError(f"{spec.kind} has no parameter {sorted(extra)[0]}.")
        for name, (low, high) in LIMITS.items():
            if name in spec.parameters and not low <= float(spec.parameters[name]) <= high:
                raise ValueError(f"{name} must be between {low:g} and {high:g}.")
        if spec.kind in EMPTY and not any(map(float, spec.parameters.values())):
            needed = " or ".join(sorted(PARAMETERS[spec.kind]))
            raise ValueError(f"{spec.kind} needs {needed} that is not 0: without, nothing would happen.")
        names = spec.parameters.get("names")
        for each in names or ("",) if names is not None else ():
            if DOMAIN.fullmatch(str(each)) is None:
                raise ValueError(f"names must be domain names, separated by commas, not {each!r}.")

    def _check_scope(self, spec: FaultSpec) -> None:
        limited = spec.services or spec.operations
        if limited and not spec.kind.startswith(("service-", "gray-", "control-")):
            raise ValueError(f"{spec.kind} cannot be limited to services or operations.")
        for service in spec.services:
            if service not in self._scopes.operations:
                raise ValueError(f"There is no service {service} here.")
            if spec.kind == "control-plane-lost" and service not in self._scopes.controlled:
                raise ValueError(f"{service} has no control plane that could be lost.")
        for operation in spec.operations:
            among = spec.services or tuple(self._scopes.operations)
            if not any(operation in self._scopes.operations[service] for service in among):
                raise ValueError(f"No service in scope has an operation {operation}.")
