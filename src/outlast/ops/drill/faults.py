"""Faults behind a small interface: a local world's and AWS's are both injected through FIS.

https://docs.aws.amazon.com/fis/latest/APIReference/API_StartExperiment.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from outlast.ops.drill.file import FaultPlan

START_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Running:
    """A fault that was begun."""

    ident: str
    what: str


class Faults(Protocol):
    """Begins and ends faults."""

    def begin(self, fault: FaultPlan, regions: Sequence[str], duration_s: float) -> Running:
        """Begin it and return once it has taken hold. Raises OpsError."""
        ...

    def end(self, running: Running) -> None:
        """End it and return once its effect is gone; no error when it has ended by itself."""
        ...
