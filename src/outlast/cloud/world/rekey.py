"""New keys for a world's data at rest, while the world is down: the master key, the Regions' data keys, or both.

A new master key stands in `keys.json` beside the old one, each under the other, until every Region's data keys are
wrapped by it, so that a rotation may be cut short anywhere: the next start, or the next rotation, ends it first.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from outlast.cloud.effects import Effects, RealClock, RealDisk, RealEntropy
from outlast.cloud.effects.network import Handler, LinkDown
from outlast.cloud.engine import Damaged, WrongKey, rotate_data_key, rotate_master_key
from outlast.cloud.engine.errors import EngineError
from outlast.cloud.world import home, masterkey
from outlast.cloud.world.config import WorldError
from outlast.cloud.world.files import write_private
from outlast.cloud.world.masterkey import NEXT, Master


class _Unlinked:
    """No network: a rotation speaks to nobody."""

    region = ""
    peers: tuple[str, ...] = ()

    async def ask(self, peer: str, channel: str, message: bytes, timeout_s: float = 5.0) -> bytes:
        """Nobody answers."""
        raise LinkDown(peer)

    async def tell(self, peer: str, channel: str, message: bytes, timeout_s: float = 5.0) -> None:
        """Nobody hears."""
        raise LinkDown(peer)

    def serve(self, channel: str, handler: Handler) -> None:
        """Nobody asks."""


def rotate(
    folder: Path,
    *,
    master: Master | None,
    data: bool,
    tell: Callable[[str], None],
    key: bytes | None = None,
) -> None:
    """Give the world in `folder` the master key `master`, its Regions new data keys, or both; `tell` hears of it.

    `key` is the present master key when the world does not keep it itself. A damaged Region does not hold up the
    others. Raises WorldError (no world, a running one, a wrong key, damage, a full disk), with one clear line.
    """
    if not (folder / "keys.json").exists():
        raise WorldError(f"There is no world with keys in {folder}.")
    held = home.hold(folder)
    try:
        key = finish(folder, key, tell) or home.read_secrets(folder, key).master_key
        if master is not None:
            keys = home.read_keys(folder) or {}
            keys[NEXT] = masterkey.under_way(key, master)
            write_private(folder / "keys.json", json.dumps(keys))
            key = finish(folder, key, tell) or key
        if data:
            _rotate_data(folder, key, tell)
    finally:
        held.release()


def _rotate_data(folder: Path, key: bytes, tell: Callable[[str], None]) -> None:
    failed: list[WorldError] = []
    for data_folder in _data_folders(folder):
        try:
            with _clear(data_folder):
                asyncio.run(rotate_data_key(data_folder, key, _effects()))
        except WorldError as error:
            failed.append(error)
        else:
            tell(f"Region {data_folder.parent.name}: the data is encrypted under a new key.")
    if failed:
        raise WorldError(" ".join(map(str, failed)))


def finish(folder: Path, key: bytes | None = None, tell: Callable[[str], None] = print) -> bytes | None:
    """End a rotation of the master key that was begun; the new key, None when there was none. No world may run.

    A Region whose key file is damaged, or opens with neither key, stays as it is: its start tells. Raises WorldError.
    """
    keys = home.read_keys(folder)
    old = home.read_secrets(folder, key).master_key
    with home.clear(folder):
        fresh = masterkey.following(keys or {}, old)
    if keys is None or fresh is None:
        return None
    for data_folder in _data_folders(folder):
        with _clear(data_folder):
            try:
                _rewrap(data_folder, old, fresh)
            except (Damaged, WrongKey) as error:
                tell(f"The keys of Region {data_folder.parent.name} stay as they are: {error}.")
    keys["master_key"] = keys.pop(NEXT)["entry"]
    write_private(folder / "keys.json", json.dumps(keys))
    tell(f"The master key is new: it {masterkey.SAID[masterkey.form_of(keys['master_key'])]}.")
    return fresh


def _rewrap(data_folder: Path, old: bytes, fresh: bytes) -> None:
    try:
        rotate_master_key(data_folder, old, fresh, _effects())
    except WrongKey:
        rotate_master_key(data_folder, fresh, fresh, _effects())  # it has the new one already


def _data_folders(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("regions/*/data/keys"))


@contextlib.contextmanager
def _clear(folder: Path) -> Iterator[None]:
    try:
        yield
    except (EngineError, OSError) as error:
        raise WorldError(f"The keys of {folder} could not be changed: {error}.") from error


def _effects() -> Effects:
    return Effects(RealClock(), RealEntropy(), RealDisk(), _Unlinked())
