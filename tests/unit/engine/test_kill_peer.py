"""A real Region, really killed in the middle of a backfill and of catching up."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from outlast.cloud.effects.links import Shape
from outlast.cloud.engine import Engine, Space
from outlast.cloud.world.authority import Authority
from tests.unit.engine.conftest import KEY, effects
from tests.unit.engine.peer import EAST, WEST, opened

ITEMS = 4000
BYTES_PER_S = 2_000_000
"""So slow that the peer dies between one batch and the next."""


def prepare(folder: Path) -> None:
    """Addresses and an authority for two Regions."""
    addresses = {}
    for region in (EAST, WEST):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            addresses[region] = ["127.0.0.1", probe.getsockname()[1]]
    (folder / "addresses.json").write_text(json.dumps(addresses))
    pair = Authority.create("test", dt.datetime.now(dt.UTC)).pair
    (folder / "authority.json").write_text(json.dumps([pair.certificate_pem, pair.key_pem]))


def start_peer(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.unit.engine.peer", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def fill(engine: Engine, space: Space, mark: bytes) -> None:
    for first in range(0, ITEMS, 50):
        with engine.begin() as tx:
            for number in range(first, first + 50):
                tx.put(space, b"%05d" % number, mark + bytes(200))
    await engine.settled()


@pytest.mark.slow
async def test_a_peer_killed_in_backfill_and_in_catching_up_ends_equal(tmp_path: Path) -> None:
    prepare(tmp_path)
    engine, network = await opened(tmp_path, EAST)
    space = engine.space("t")
    network.outgoing[WEST] = Shape(bytes_per_s=BYTES_PER_S)
    await fill(engine, space, b"before")
    space.set_replicas((WEST,))
    stream = engine.replication.outbox_numbered(space.number).streams[WEST]  # type: ignore[union-attr]
    peer = await asyncio.to_thread(start_peer, tmp_path)
    await until(lambda: stream.fill_acked > b"")
    peer.kill()
    assert space.replica_status()[WEST].status == "CREATING"
    await fill(engine, space, b"after")
    assert len(list(engine.stranded(WEST))) >= ITEMS
    peer = await asyncio.to_thread(start_peer, tmp_path)
    await until(lambda: stream.acked > 0)
    peer.kill()
    peer.wait()
    peer = await asyncio.to_thread(start_peer, tmp_path)
    await until(lambda: space.replica_status()[WEST].backlog == 0 and space.replica_status()[WEST].status == "ACTIVE")
    peer.terminate()
    assert await asyncio.to_thread(peer.wait, 30) == 0
    other = await Engine.open(tmp_path / WEST / "data", region=WEST, key=KEY, effects=effects())
    assert list(other.space("t").range()) == list(space.range())
    assert len(list(space.range())) == ITEMS
    await other.close()
    await network.close()
    await engine.close()
