"""A real disk that is really full: a small one of its own, in a namespace of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

APART = ["unshare", "-rm", "sh", "-ec"]
MOUNT = "mount -t tmpfs -o size={size} none {at}"


def can_mount(at: Path) -> bool:
    try:
        done = subprocess.run([*APART, MOUNT.format(size="1m", at=at)], capture_output=True, check=False, timeout=30)
    except OSError:
        return False
    return done.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("size", ["6m", "40m", "74m"])
def test_a_full_disk_refuses_writes_reads_on_and_loses_nothing(tmp_path: Path, size: str) -> None:
    if not can_mount(tmp_path):
        pytest.skip("no namespace with a disk of its own can be made here")
    mount = MOUNT.format(size=size, at=tmp_path)
    ballast = f"head -c 2m /dev/zero | tee {tmp_path}/ballast >'{tmp_path}/more ballast'"
    play = f"exec {sys.executable} -m tests.unit.engine.filler {tmp_path}"
    done = subprocess.run(
        [*APART, f"{mount}; {ballast}; {play}"], capture_output=True, text=True, check=False, timeout=110
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("well ")
