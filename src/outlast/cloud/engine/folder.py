"""Taking hold of an engine's folder."""

from __future__ import annotations

from pathlib import Path

from outlast.cloud.effects import Disk
from outlast.cloud.effects.disk import Lock
from outlast.cloud.engine.errors import EngineBusy, Unwritable


def take(folder: Path, disk: Disk) -> Lock:
    """Make the folder if it is missing and lock it. Raises EngineBusy or Unwritable, each with one clear line."""
    try:
        disk.make_folder(folder)
        lock = disk.lock(folder / "lock")
    except OSError as error:
        raise Unwritable(f"the folder {folder} cannot be used: {error.strerror}") from None
    if lock is None:
        raise EngineBusy(f"another process has the data in {folder} open")
    return lock
