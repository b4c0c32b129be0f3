"""Engines on a temporary folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from outlast.cloud.effects import Effects, RealClock, RealDisk, RealEntropy
from outlast.cloud.effects.network import Handler, LinkDown
from outlast.cloud.engine import Engine

KEY = bytes(range(32))


class Alone:
    """A network without peers."""

    region = "us-east-1"
    peers: tuple[str, ...] = ()

    async def ask(self, peer: str, channel: str, message: bytes, timeout_s: float = 5.0) -> bytes:
        raise LinkDown(peer)

    def serve(self, channel: str, handler: Handler) -> None:
        return None


def effects() -> Effects:
    """Real doors, no peers."""
    return Effects(RealClock(), RealEntropy(), RealDisk(), Alone())


Opener = Callable[[], Awaitable[Engine]]


@pytest.fixture
async def reopen(tmp_path: Path) -> AsyncIterator[Opener]:
    """Open the engine of this test, closing the one opened before."""
    opened: list[Engine] = []

    async def again() -> Engine:
        while opened:
            await opened.pop().close()
        opened.append(await Engine.open(tmp_path / "data", region="us-east-1", key=KEY, effects=effects()))
        return opened[-1]

    yield again
    while opened:
        await opened.pop().close()


@pytest.fixture
async def engine(reopen: Opener) -> Engine:
    """An engine with nothing in it."""
    return await reopen()
