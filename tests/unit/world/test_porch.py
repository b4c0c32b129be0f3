"""The porch's process: what ends it is told, and is no quiet end."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

import pytest

from outlast.cloud.world import porch
from outlast.cloud.world.porch import Porch


class Failing:
    """Certificates that cannot be made anew."""

    def renew(self) -> None:
        raise RuntimeError("no certificate")


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(porch, "settle_memory", lambda: None)
    ours, theirs = socket.socketpair()
    with ours:
        yield ours, theirs


async def test_what_ends_it_early_is_raised(theirs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(porch, "SWEEP_S", 0.0)
    with pytest.raises(RuntimeError, match="no certificate"):
        await asyncio.wait_for(Porch(lambda _: cast(Any, Failing())).run(theirs[1]), 10)


async def test_it_ends_with_its_region(theirs: Any) -> None:
    ours, connection = theirs
    running = asyncio.ensure_future(Porch(lambda _: cast(Any, Failing())).run(connection))
    await asyncio.sleep(0)
    ours.close()
    await asyncio.wait_for(running, 10)
