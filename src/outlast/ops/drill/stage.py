"""What a drill plays on: the target, what it can ask of it, and where its traces go."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from outlast.ops.act.arc import Try
from outlast.ops.act.audit import AuditLog
from outlast.ops.act.boards import board_of
from outlast.ops.act.evacuate import Board
from outlast.ops.act.weights import FULL, Weights
from outlast.ops.clients import Clients
from outlast.ops.deployment import Deployment
from outlast.ops.drill.faults import Faults
from outlast.ops.drill.journal import Journal
from outlast.ops.observe.facts import capacities, gather, throughputs
from outlast.ops.outcome import RefusedError
from outlast.ops.plan.facts import Capacity, Facts
from outlast.ops.plan.throughput import Throughput
from outlast.ops.signing import Credentials
from outlast.ops.watch import Watch

WRITE_SHARE: Final = 0.6


@dataclass(slots=True)
class Stage:
    """What a drill plays on. What is done there goes to the audit log in `folder`."""

    clients: Clients
    deployment: Deployment
    keys: Callable[[], Credentials]
    faults: Faults
    folder: Path
    variables: Mapping[str, str]
    who: str
    journal: Journal
    now_s: Callable[[], float] = time.time
    audit: AuditLog = field(init=False)
    _capacity: Mapping[str, Capacity] = field(init=False, default_factory=dict)
    _throughput: Mapping[str, Throughput] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.audit = AuditLog(self.folder / "audit.jsonl", self.who, self.now_s)

    def check_switches(self) -> None:
        """Learn what each Region lets in. Raises RefusedError where an evacuation or a failback is under way."""
        off = [region for region, on in self.board().states().items() if not on]
        if off:
            raise RefusedError(f"{', '.join(off)} is evacuated already: `outlast failback {off[0]}` first.")
        weights = Weights(self.clients, self.deployment)
        for region in self.deployment.region_names:
            percent = weights.percent(region)
            if percent < FULL:
                raise RefusedError(f"{region} has {percent} % of its traffic: `outlast failback {region}` first.")
        self._capacity = capacities(self.clients, self.deployment)
        self._throughput = throughputs(self.clients, self.deployment, self.now_s())

    def named(self, region: str) -> str:
        """A Region of a fault, by its name or its place in the deployment."""
        parts = self.deployment.regions
        return {"first": parts[0].name, "second": parts[-1].name}.get(region, region)

    def board(self) -> Board:
        """The switch; every try of it is written down."""
        return board_of(None, self.clients, self.deployment, self._note_try)

    def facts(self, watch: Watch) -> Facts:
        """What a plan rests on, as of now."""
        return gather(
            self.clients,
            self.deployment,
            watch.latest,
            watch.decision,
            self.now_s(),
            capacity=self._capacity,
            throughput=self._throughput,
            write_share=WRITE_SHARE,
        )

    def _note_try(self, tried: Try) -> None:
        if tried.operation != "GetRoutingControlState" or tried.error:
            self.audit.add("tried", operation=tried.operation, endpoint=tried.endpoint, error=tried.error)
