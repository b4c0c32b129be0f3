"""Append-only files on the real disk: room made ready, cuts, what is found again; and where their syncs run."""

from __future__ import annotations

import asyncio
import errno
import threading
from pathlib import Path

import pytest

from outlast.cloud.effects import RealDisk
from outlast.cloud.effects.disk import PromptWorker

READY = 4096


def test_room_is_made_ready_once_and_then_used(tmp_path: Path) -> None:
    path = tmp_path / "file"
    file = RealDisk().append_to(path)
    file.append(b"first", READY)
    assert path.read_bytes() == b"first" + bytes(READY)
    file.append(b"second", READY)
    assert path.read_bytes() == b"firstsecond" + bytes(READY - len(b"second")), "it grew although there was room"
    file.append(b"x" * READY, READY)
    assert path.read_bytes() == b"firstsecond" + b"x" * READY + bytes(READY)
    file.close()


def test_what_is_cut_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "file"
    file = RealDisk().append_to(path)
    file.append(b"kept", READY)
    file.append(b"half of a", READY)
    file.cut(4)
    assert path.read_bytes() == b"kept"
    file.append(b"!", READY)
    assert path.read_bytes() == b"kept!" + bytes(READY)
    file.close()


def test_a_file_that_is_opened_again_goes_on_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for part in (b"one", b"two"):
        file = RealDisk().append_to(path)
        file.append(part)
        file.sync()
        file.close()
    assert path.read_bytes() == b"onetwo"


class Syncs:
    """Jobs for a prompt worker, each as long as it says by a clock of its own, and where each ran."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        self.patient = False
        monkeypatch.setattr("outlast.cloud.effects.disk.time.perf_counter", lambda: self.now_s)
        self.worker = PromptWorker("sync", lambda: self.patient)

    async def on_loop(self, took_s: float, error: Exception | None = None) -> bool:
        """Run one; whether it ran on the loop."""
        loop, here = asyncio.get_running_loop(), threading.get_ident()
        over: asyncio.Future[tuple[int, Exception | None]] = loop.create_future()
        ran: list[int] = []

        def job() -> None:
            ran.append(threading.get_ident())
            self.now_s += took_s
            if error is not None:
                raise error

        self.worker.run(job, lambda failure: over.set_result((threading.get_ident(), failure)))
        done_on, failure = await asyncio.wait_for(over, 10)
        assert done_on == here, "done was called off the loop"
        assert failure is error
        return ran == [here]


async def test_quick_syncs_change_no_thread_and_slow_ones_hold_up_no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(monkeypatch)
    assert await syncs.on_loop(0.0001)
    assert await syncs.on_loop(0.050), "it was quick until then"
    assert not await syncs.on_loop(0.0001), "the last one held the loop up"
    turns = 0
    while not await syncs.on_loop(0.0001):
        turns += 1
        assert turns < 60, "it never comes back to the loop"
    assert turns > 5, "one quick sync after a slow one says little"
    syncs.worker.close()


async def test_syncs_that_are_known_to_be_slow_never_run_on_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(monkeypatch)
    syncs.patient = True
    assert not await syncs.on_loop(0.0)
    syncs.patient = False
    assert await syncs.on_loop(0.0)
    syncs.worker.close()


@pytest.mark.parametrize("patient", [False, True])
async def test_a_failed_sync_is_told_wherever_it_ran(monkeypatch: pytest.MonkeyPatch, patient: bool) -> None:
    syncs = Syncs(monkeypatch)
    syncs.patient = patient
    assert await syncs.on_loop(0.0, OSError(errno.EIO, "sync")) is not patient
    syncs.worker.close()
