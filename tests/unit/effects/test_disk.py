"""Append-only files on the real disk: room made ready, cuts, and what is found again."""

from __future__ import annotations

from pathlib import Path

from outlast.cloud.effects import RealDisk

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
