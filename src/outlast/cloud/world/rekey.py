"""New keys for a world's data at rest, while the world is down: the master key, the Regions' data keys, or both.

A new master key stands in `keys.json` beside the old one until every Region's data keys are wrapped by it, so that a
rotation may be cut short anywhere: the next start, or the next rotation, ends it first.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import secrets as random
from collections.abc import Callable, Iterator
from pathlib import Path

from outlast.cloud.effects import Effects, RealClock, RealDisk, RealEntropy
from outlast.cloud.effects.network import Handler, LinkDown
from outlast.cloud.engine import WrongKey, rotate_data_key, rotate_master_key
from outlast.cloud.engine.errors import EngineError
from outlast.cloud.world import home
from outlast.cloud.world.config import WorldError
from outlast.cloud.world.files import write_private

NEXT = "next_master_key"


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


def rotate(folder: Path, *, master: bool, data: bool, tell: Callable[[str], None]) -> None:
    """Give the world in `folder` a new master key, its Regions new data keys, or both; says to `tell` what is done.

    Raises WorldError (no world, a running one, a wrong key, damage, a full disk), each with one clear line.
    """
    if not (folder / "keys.json").exists():
        raise WorldError(f"There is no world with keys in {folder}.")
    held = home.hold(folder)
    try:
        finish(folder)
        if master:
            keys = json.loads((folder / "keys.json").read_text())
            keys[NEXT] = base64.b64encode(random.token_bytes(home.KEY_BYTES)).decode()
            write_private(folder / "keys.json", json.dumps(keys))
            finish(folder)
            tell("The master key is new.")
        if data:
            key = home.read_secrets(folder).master_key
            for data_folder in _data_folders(folder):
                with _clear(data_folder):
                    asyncio.run(rotate_data_key(data_folder, key, _effects()))
                tell(f"Region {data_folder.parent.name}: the data is encrypted under a new key.")
    finally:
        held.release()


def finish(folder: Path) -> bool:
    """End a rotation of the master key that was cut short; whether one was. Raises WorldError. No world may run."""
    secrets = home.read_secrets(folder)
    keys = json.loads((folder / "keys.json").read_text())
    if NEXT not in keys:
        return False
    fresh = base64.b64decode(keys[NEXT])
    for data_folder in _data_folders(folder):
        with _clear(data_folder):
            try:
                rotate_master_key(data_folder, secrets.master_key, fresh, _effects())
            except WrongKey:
                rotate_master_key(data_folder, fresh, fresh, _effects())  # it has the new one already
    keys["master_key"] = keys.pop(NEXT)
    write_private(folder / "keys.json", json.dumps(keys))
    return True


def _data_folders(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("regions/*/data/keys"))


@contextlib.contextmanager
def _clear(folder: Path) -> Iterator[None]:
    try:
        yield
    except (EngineError, OSError) as error:
        raise WorldError(f"The keys of {folder} could not be changed: {error}") from error


def _effects() -> Effects:
    return Effects(RealClock(), RealEntropy(), RealDisk(), _Unlinked())
