"""A disk without room for the base: the log has what is left, and the base goes on where it was once there is room."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from outlast.cloud.engine import base as base_module
from outlast.cloud.engine import store as store_module
from outlast.cloud.simulation import SimulatedEngines
from outlast.cloud.simulation.disk import SimulatedDisk
from tests.simulation.test_replication import until
from tests.simulation.test_storage import EAST, alone, contents, put


def test_writes_go_on_while_the_base_waits_for_room_and_it_is_written_part_by_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "TABLE_BYTES", 60_000)
    monkeypatch.setattr(store_module, "SEGMENT_BYTES", 30_000)
    monkeypatch.setattr(base_module, "TRANSACTION_BYTES", 10_000)
    monkeypatch.setattr(base_module, "LOG_ROOM_BYTES", 50_000)
    rooms: list[int] = []
    monkeypatch.setattr(SimulatedDisk, "free_bytes", lambda disk, folder: rooms.pop() if rooms else 60_000)
    written: list[int] = []
    kept = base_module.Base._write_rows

    def noted(base: base_module.Base, writer: object, rows: list[tuple[bytes, bytes | None]], *rest: object) -> None:
        written.append(len(rows))
        kept(base, writer, rows, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(base_module.Base, "_write_rows", noted)

    async def play(world: SimulatedEngines) -> None:
        engine = world.engines[EAST]
        for number in range(80):
            await put(engine, b"%04d" % number, bytes(1000))
        await asyncio.sleep(10)
        assert engine.store.log_share > 0
        assert (engine.store.base.flushed, written) == (0, [])
        await put(engine, b"after", b"v")
        rooms.extend([100_000] * 2)
        await until(lambda: not rooms)
        await asyncio.sleep(5)
        assert (engine.store.base.flushed, len(written)) == (0, 2), "two parts, each once"
        rooms.extend([1_000_000] * 100)
        await until(lambda: engine.store.log_share == 0)
        world.crash(EAST)
        found = contents(await world.start(EAST))
        assert len(found) == 81
        assert found[b"after"] == b"v"

    alone(tmp_path, play)
