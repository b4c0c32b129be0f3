"""DynamoDB of several Regions in virtual time, from one seed: races that a second run repeats."""

from __future__ import annotations

import asyncio
from pathlib import Path

from outlast.cloud.effects import Effects
from outlast.cloud.engine import Engine
from outlast.cloud.simulation.clock import SimulatedClock
from outlast.cloud.simulation.disk import SimulatedDisk
from outlast.cloud.simulation.entropy import SimulatedEntropy
from outlast.cloud.simulation.network import SimulatedNet
from tests.unit.dynamodb.harness import KEY, Cloud, Home


class VirtualCloud(Cloud):
    """Regions on a virtual loop, whose clocks may drift and whose processes may die. Messages take up to 0.3 s."""

    def __init__(self, folder: Path, names: tuple[str, ...], seed: int = 0) -> None:
        super().__init__(folder, names)
        self.seed = seed
        self.net = SimulatedNet(names, SimulatedEntropy(f"{seed} net"))
        self.clocks = {name: SimulatedClock() for name in names}
        self.disks: dict[str, SimulatedDisk] = {}
        self._lives = dict.fromkeys(names, 0)
        self._disks = dict.fromkeys(names, 0)
        for link in self.net.links.values():
            link.min_delay_s, link.max_delay_s = 0.01, 0.3

    async def start(self, name: str = "us-east-1") -> Home:
        self._lives[name] += 1
        entropy = SimulatedEntropy(f"{self.seed} {name} {self._lives[name]}")
        self.disks[name] = disk = SimulatedDisk()
        effects = Effects(self.clocks[name], entropy, disk, self.net.join(name))
        folder = self.folder / name / str(self._disks[name])
        engine = await Engine.open(folder, region=name, key=KEY, effects=effects)
        self.homes[name] = Home(self, name, engine, effects)
        return self.homes[name]

    async def crash(self, name: str) -> None:
        """The Region's process dies in the middle of whatever it does."""
        home = self.homes.pop(name)
        self.net.leave(name)
        home.engine.abandon()
        while pending := [timer for timer in home.timers if not timer.done()]:
            for timer in pending:
                timer.cancel()
            await asyncio.sleep(0)

    async def destroy(self, name: str) -> None:
        """The Region's process dies, and its disk with it."""
        await self.crash(name)
        self._disks[name] += 1
