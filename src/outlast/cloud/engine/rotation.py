"""Rotation of keys, on a folder that no engine has open.

The master key wraps the data keys, so changing it rewrites one small file. Changing the data key rewrites everything:
the log is emptied into the base under a second key, then the base is encrypted anew in one transaction. A crash in
between leaves both keys in the key file; the folder opens as usual and the rotation can be run again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from outlast.cloud.effects import Effects
from outlast.cloud.engine import keys
from outlast.cloud.engine.base import change_key
from outlast.cloud.engine.folder import take
from outlast.cloud.engine.store import Store


@contextmanager
def held(folder: Path, effects: Effects) -> Iterator[None]:
    """Hold the folder's lock. Raises EngineBusy or Unwritable, each with one clear line."""
    lock = take(folder, effects.disk)
    try:
        yield
    finally:
        lock.release()


def rotate_master_key(folder: Path, old: bytes, new: bytes, effects: Effects) -> None:
    """Wrap the data keys under another master key. Raises EngineBusy, WrongKey, Damaged."""
    with held(folder, effects):
        data_keys = keys.load(folder, old, effects.disk, effects.entropy)
        keys.store(folder, data_keys, new, effects.disk, effects.entropy)


async def rotate_data_key(folder: Path, master: bytes, effects: Effects) -> None:
    """Encrypt everything anew under a fresh data key. Raises EngineBusy, WrongKey, Damaged, StorageUnavailable."""
    with held(folder, effects):
        old = keys.load(folder, master, effects.disk, effects.entropy)
        fresh = max(old) + 1
        both = {**old, fresh: effects.entropy.token(keys.KEY_BYTES)}
        keys.store(folder, both, master, effects.disk, effects.entropy)
        store = Store(folder, both, effects.disk, effects.entropy, effects.clock)
        try:
            await store.drain()
            base_key = both[store.base.key_number]
            path = store.base.path
        finally:
            await store.close()
        change_key(path, base_key, both[fresh])
        keys.store(folder, {fresh: both[fresh]}, master, effects.disk, effects.entropy)
