"""How long a fail-over takes, in virtual time: the arithmetic of the README, neither less nor more."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from outlast.cloud.services.route53.checking import Checkers
from outlast.cloud.services.route53.health import Board, Outcome, View
from outlast.cloud.services.route53.model import Check
from outlast.cloud.simulation.clock import SimulatedClock
from outlast.cloud.simulation.entropy import SimulatedEntropy
from outlast.cloud.simulation.loop import simulate

HERE = "us-east-1"
PROBE_S = 0.05


class Endpoint:
    """Healthy until `fails_s`, and again from `heals_s`."""

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock
        self.fails_s = self.heals_s = float("inf")

    async def probe(self, _check: Check, _address: str, _port: int) -> Outcome:
        await self._clock.sleep(PROBE_S)
        ok = not self.fails_s <= self._clock.monotonic_s() < self.heals_s
        return Outcome(ok, "", self._clock.now_ms())


class Checking:
    """One Region's checkers on one endpoint, and the moments at which its conclusion turned."""

    def __init__(self, check: Check, seed: int) -> None:
        self.clock = SimulatedClock()
        self.endpoint = Endpoint(self.clock)
        self.board = Board(HERE, (HERE,))
        self.board.put(check)
        self.turned_s: list[float] = []
        region = SimpleNamespace(
            name=HERE,
            names=(HERE,),
            clock=self.clock,
            entropy=SimulatedEntropy(seed),
            settings={},
            addresses=SimpleNamespace(hosts={}, ports={}),
        )
        state: Any = SimpleNamespace(
            region=region, board=self.board, prober=self.endpoint, conclude=self._conclude, plane=None
        )
        gossip: Any = SimpleNamespace(saw=self._saw)
        self.checkers = Checkers(state, gossip)

    def _saw(self, check_id: str, view: View) -> None:
        self.board.hear(check_id, HERE, view, self.clock.monotonic_s())

    def _conclude(self) -> None:
        before = dict(self.board.status)
        if self.board.conclude(self.clock.monotonic_s()) and before:
            self.turned_s.append(self.clock.monotonic_s())

    async def run(self, until_s: float) -> None:
        while self.clock.monotonic_s() < until_s:
            await self.clock.sleep(self.checkers.start_due())
        await self.checkers.stop()


@pytest.mark.parametrize("interval_s", [10, 30])
@pytest.mark.parametrize("threshold", [1, 3, 10])
@pytest.mark.parametrize("seed", range(3))
def test_it_takes_the_interval_times_the_threshold(interval_s: int, threshold: int, seed: int) -> None:
    config = {
        "Type": "HTTP",
        "IPAddress": "192.0.2.1",
        "Port": 8080,
        "RequestInterval": interval_s,
        "FailureThreshold": threshold,
    }

    async def measure() -> tuple[float, float]:
        checking = Checking(Check("c", "r", 1, config), seed)
        fails_s = checking.endpoint.fails_s = 65.0 + 3.7 * seed
        heals_s = checking.endpoint.heals_s = fails_s + 500.0
        await asyncio.wait_for(checking.run(heals_s + 400.0), 10_000)
        assert len(checking.turned_s) == 2
        return checking.turned_s[0] - fails_s, checking.turned_s[1] - heals_s

    for took_s in simulate(measure()):
        assert interval_s * (threshold - 1) <= took_s <= interval_s * threshold + 2 * PROBE_S
