"""Engines of several Regions in one process, in virtual time, from one seed."""

from __future__ import annotations

from pathlib import Path

from outlast.cloud.effects import Effects
from outlast.cloud.engine import Engine
from outlast.cloud.simulation.clock import SimulatedClock
from outlast.cloud.simulation.disk import SimulatedDisk
from outlast.cloud.simulation.entropy import SimulatedEntropy
from outlast.cloud.simulation.network import SimulatedNet

KEY = bytes(range(32))


class SimulatedEngines:
    """A small world of engines that can crash, start again, lose their disk and drift in time."""

    def __init__(self, folder: Path, regions: tuple[str, ...], seed: int) -> None:
        self.folder = folder
        self.regions = regions
        self.seed = seed
        self.trace: list[str] = []
        self.net = SimulatedNet(regions, SimulatedEntropy(f"{seed} net"), self.trace.append)
        self.clocks = {region: SimulatedClock() for region in regions}
        self.engines: dict[str, Engine] = {}
        self.disks: dict[str, SimulatedDisk] = {}
        self._lives = dict.fromkeys(regions, 0)

    async def start(self, region: str) -> Engine:
        """Open the engine of a Region; its data is what the last life made durable."""
        self._lives[region] += 1
        self.disks[region] = disk = SimulatedDisk()
        effects = Effects(
            self.clocks[region],
            SimulatedEntropy(f"{self.seed} {region} {self._lives[region]}"),
            disk,
            self.net.join(region),
        )
        folder = self.folder / region / str(self._disk(region))
        engine = await Engine.open(folder, region=region, key=KEY, effects=effects)
        self.engines[region] = engine
        return engine

    def _disk(self, region: str) -> int:
        return len(list((self.folder / region).glob("*.lost")))

    def crash(self, region: str, *, power: bool = False) -> None:
        """The Region's process dies; with `power`, its machine does: what was not synced is lost, torn or wrong."""
        engine = self.engines.pop(region, None)
        if engine is not None:
            self.net.leave(region)
            engine.abandon()
            if power:
                self.disks[region].lose_power(SimulatedEntropy(f"{self.seed} {region} {self._lives[region]} power"))

    def destroy(self, region: str) -> None:
        """The Region dies and its disk with it."""
        self.crash(region)
        folder = self.folder / region
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self._disk(region)}.lost").write_bytes(b"")

    async def close(self) -> None:
        """Stop everything in good order."""
        for engine in self.engines.values():
            await engine.close()
        for region in self.regions:
            self.net.leave(region)
        self.engines.clear()
