"""The four doors' seeded twins: virtual time, links with faults, disks with faults, predictable randomness."""

from __future__ import annotations

from outlast.cloud.simulation.clock import SimulatedClock
from outlast.cloud.simulation.disk import SimulatedDisk
from outlast.cloud.simulation.engines import SimulatedEngines
from outlast.cloud.simulation.entropy import SimulatedEntropy
from outlast.cloud.simulation.loop import Stuck, VirtualLoop, simulate
from outlast.cloud.simulation.network import Link, SimulatedNet, SimulatedNetwork

__all__ = [
    "Link",
    "SimulatedClock",
    "SimulatedDisk",
    "SimulatedEngines",
    "SimulatedEntropy",
    "SimulatedNet",
    "SimulatedNetwork",
    "Stuck",
    "VirtualLoop",
    "simulate",
]
