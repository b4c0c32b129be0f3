"""Rotation of the master key and of the data key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from outlast.cloud.engine import Engine, EngineBusy, WrongKey, keys, rotate_data_key, rotate_master_key, rotation
from tests.unit.engine.conftest import KEY, Opener, effects

OTHER = bytes(range(32, 64))


async def fill(engine: Engine) -> dict[bytes, bytes]:
    space = engine.space("a")
    with engine.begin() as tx:
        for number in range(300):
            tx.put(space, b"%d" % number, b"%d" % number * 100)
    await engine.settled()
    return dict(space.range())


async def test_a_new_master_key_opens_and_the_old_one_does_not(reopen: Opener, tmp_path: Path) -> None:
    engine = await reopen()
    expected = await fill(engine)
    with pytest.raises(EngineBusy):
        rotate_master_key(tmp_path / "data", KEY, OTHER, effects())
    await engine.close()
    with pytest.raises(WrongKey):
        rotate_master_key(tmp_path / "data", OTHER, KEY, effects())
    rotate_master_key(tmp_path / "data", KEY, OTHER, effects())
    with pytest.raises(WrongKey):
        await Engine.open(tmp_path / "data", region="us-east-1", key=KEY, effects=effects())
    engine = await Engine.open(tmp_path / "data", region="us-east-1", key=OTHER, effects=effects())
    assert dict(engine.space("a").range()) == expected
    await engine.close()
    rotate_master_key(tmp_path / "data", OTHER, KEY, effects())


async def test_a_new_data_key_encrypts_everything_anew(reopen: Opener, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    engine = await reopen()
    expected = await fill(engine)
    await engine.close()
    old = keys.load(folder, KEY, effects().disk, effects().entropy)
    await rotate_data_key(folder, KEY, effects())
    new = keys.load(folder, KEY, effects().disk, effects().entropy)
    assert list(new) == [2]
    assert new[2] not in old.values()
    engine = await reopen()
    assert dict(engine.space("a").range()) == expected
    await engine.close()
    await rotate_data_key(folder, KEY, effects())
    assert dict((await reopen()).space("a").range()) == expected


async def test_a_rotation_cut_short_leaves_a_folder_that_opens(
    reopen: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await reopen()
    expected = await fill(engine)
    await engine.close()

    def stop(*_: object) -> None:
        raise OSError("the machine stops here")

    def stop_at_the_end(folder: Path, data_keys: keys.DataKeys, *others: Any) -> None:
        if len(data_keys) == 1:
            stop()
        keep(folder, data_keys, *others)

    keep = keys.store
    for module, name, patched in ((rotation, "change_key", stop), (keys, "store", stop_at_the_end)):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, patched)
            with pytest.raises(OSError, match="stops here"):
                await rotate_data_key(tmp_path / "data", KEY, effects())
        engine = await reopen()
        assert dict(engine.space("a").range()) == expected
        with engine.begin() as tx:
            tx.put(engine.space("a"), b"0", b"0" * 100)
        await engine.settled()
        expected = dict(engine.space("a").range())
        await engine.close()
    await rotate_data_key(tmp_path / "data", KEY, effects())
    assert dict((await reopen()).space("a").range())[b"0"] == b"0" * 100
