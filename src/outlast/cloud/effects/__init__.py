"""Clock, network, disk and entropy: the four small doors through which the cloud meets the world.

Each door is a protocol with a real implementation beside it; `outlast.cloud.simulation` holds their seeded twins.
Nothing else in the cloud reads a clock, opens a socket between Regions, touches a file or draws a random number.
"""

from __future__ import annotations

from dataclasses import dataclass

from outlast.cloud.effects.clock import Clock, RealClock
from outlast.cloud.effects.disk import Disk, RealDisk
from outlast.cloud.effects.entropy import Entropy, RealEntropy
from outlast.cloud.effects.network import CannotTake, LinkDown, Network, PeerGone, Unanswered

__all__ = [
    "CannotTake",
    "Clock",
    "Disk",
    "Effects",
    "Entropy",
    "LinkDown",
    "Network",
    "PeerGone",
    "RealClock",
    "RealDisk",
    "RealEntropy",
    "Unanswered",
]


@dataclass(frozen=True, slots=True)
class Effects:
    """The four doors of one Region."""

    clock: Clock
    entropy: Entropy
    disk: Disk
    network: Network
