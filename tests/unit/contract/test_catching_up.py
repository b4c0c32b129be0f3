"""How long a Region waits for what its home Region says that it lacks."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from outlast.cloud.contract.catching_up import BEHIND_S, LOOK_EVERY_S, WAIT_S, CatchingUp
from outlast.cloud.effects import LinkDown

HOME = "us-east-1"


class Away:
    """A Region that comes back: the copy arrives at `arrives_s`, and its home answers until `answers_s`."""

    def __init__(self, arrives_s: float, answers_s: float) -> None:
        self.now_s = 0.0
        self._arrives_s = arrives_s
        self._answers_s = answers_s
        network = SimpleNamespace(peers=(HOME,), serve=lambda _channel, _handler: None, ask=self._ask)
        clock = SimpleNamespace(monotonic_s=lambda: self.now_s, sleep=self._sleep)
        self.region: Any = SimpleNamespace(network=network, clock=clock)

    def __len__(self) -> int:
        return 1

    def digest(self) -> str:
        return "new" if self.now_s >= self._arrives_s else "old"

    async def _sleep(self, seconds: float) -> None:
        self.now_s += seconds

    async def _ask(self, _peer: str, _channel: str, _message: bytes, _timeout_s: float) -> bytes:
        if self.now_s >= self._answers_s:
            raise LinkDown("cut")
        return orjson.dumps({"shelf": "new"})


@pytest.mark.parametrize(
    ("arrives_s", "answers_s", "took_s"),
    [
        (0.0, math.inf, 0.0),
        (8.0, math.inf, 8.0),
        (math.inf, math.inf, BEHIND_S),
        (math.inf, 0.0, WAIT_S),
        (math.inf, 2.0, 2.0 + WAIT_S),
        (math.inf, 9.0, BEHIND_S),
    ],
)
async def test_a_region_that_knows_that_it_is_behind_waits_longer(
    arrives_s: float, answers_s: float, took_s: float
) -> None:
    away = Away(arrives_s, answers_s)
    shelf: Any = away
    await CatchingUp(away.region, "digests", HOME, {"shelf": shelf}).run()
    assert abs(away.now_s - took_s) <= 2 * LOOK_EVERY_S
