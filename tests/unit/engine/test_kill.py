"""A real process, really killed."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from outlast.cloud.engine import Engine
from tests.unit.engine.conftest import KEY, effects

LIVES = 6


def live_and_die(folder: Path, first: int, n_writes: int) -> list[int]:
    """Run the writer until it has acknowledged `n_writes`, then kill it; every number it acknowledged."""
    command = [sys.executable, "-m", "tests.unit.engine.writer", str(folder), str(first)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    acknowledged = []
    assert process.stdout.readline() == "ready\n"
    for line in process.stdout:
        acknowledged.append(int(line))
        if len(acknowledged) == n_writes:
            process.kill()
    process.wait()
    watchdog.cancel()
    assert len(acknowledged) >= n_writes
    return acknowledged


@pytest.mark.slow
async def test_no_acknowledged_write_is_lost_by_kill_9(tmp_path: Path) -> None:
    newest: dict[int, int] = {}
    first = 0
    for life in range(LIVES):
        for number in live_and_die(tmp_path, first, 137 * (life * life + 1)):
            newest[number % 500] = max(number, newest.get(number % 500, 0))
        engine = await Engine.open(tmp_path, region="us-east-1", key=KEY, effects=effects())
        space = engine.space("numbers")
        for slot, number in newest.items():
            value, mark = space.get(b"%d" % slot), space.get(b"mark %d" % slot)
            assert value is not None
            assert mark is not None
            kept = int(value.split(b" ")[0])
            assert kept >= number
            assert int(mark) == kept, "a transaction was torn"
            assert value == b"%d " % kept + bytes(kept % 2000)
            first = max(first, kept)
        await engine.close()
    assert len(newest) == 500
