"""New keys for a world's data, cut short or not; and keys that are missing or no keys."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from outlast.cloud.engine import Engine, keys
from outlast.cloud.world import home, masterkey, rekey
from outlast.cloud.world.config import WorldError
from outlast.cloud.world.files import write_private
from tests.unit.engine.conftest import effects
from tests.unit.world.test_home import config_at

REGIONS = ("us-east-1", "us-west-2")


async def put(folder: Path, master: bytes) -> None:
    """An item in each Region of a world."""
    for region in REGIONS:
        engine = await Engine.open(folder / "regions" / region / "data", region=region, key=master, effects=effects())
        with engine.begin() as tx:
            tx.put(engine.space("t"), b"k", region.encode())
        await engine.close()


async def items(folder: Path, master: bytes) -> list[bytes | None]:
    found = []
    for region in REGIONS:
        engine = await Engine.open(folder / "regions" / region / "data", region=region, key=master, effects=effects())
        found.append(engine.space("t").get(b"k"))
        await engine.close()
    return found


def data_keys(folder: Path, master: bytes) -> list[keys.DataKeys]:
    doors = effects()
    folders = [folder / "regions" / region / "data" for region in REGIONS]
    return [keys.load(each, master, doors.disk, doors.entropy) for each in folders]


@pytest.fixture
def world(tmp_path: Path) -> Path:
    asyncio.run(put(tmp_path, home.make(config_at(tmp_path)).master_key))
    return tmp_path


def test_both_keys_of_every_region_change_and_the_data_stays(world: Path) -> None:
    old = home.read_secrets(world)
    before = data_keys(world, old.master_key)
    told: list[str] = []
    rekey.rotate(world, master=masterkey.fresh(), data=True, tell=told.append)
    new = home.read_secrets(world)
    assert new.master_key != old.master_key
    assert (new.sealing_key, new.root_access_key_id) == (old.sealing_key, old.root_access_key_id)
    after = data_keys(world, new.master_key)
    assert all(set(one.values()).isdisjoint(two.values()) for one, two in zip(before, after, strict=True))
    assert asyncio.run(items(world, new.master_key)) == [region.encode() for region in REGIONS]
    assert len(told) == 1 + len(REGIONS)
    assert (world / "keys.json").stat().st_mode & 0o777 == 0o600


def test_a_rotation_that_is_cut_short_is_ended_later(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = home.read_secrets(world).master_key
    kept = rekey.rotate_master_key

    def one_only(folder: Path, *others: object) -> None:
        if folder.parent.name != REGIONS[0]:
            raise OSError("the machine stops here")
        kept(folder, *others)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(rekey, "rotate_master_key", one_only)
        with pytest.raises(WorldError, match="stops here"):
            rekey.rotate(world, master=masterkey.fresh(), data=False, tell=print)
    assert home.read_secrets(world).master_key == old
    new = rekey.finish(world)
    assert new == home.read_secrets(world).master_key != old
    assert len(data_keys(world, new)) == 2
    assert rekey.finish(world) is None


def test_a_running_world_is_left_alone(world: Path) -> None:
    held = home.hold(world)
    try:
        with pytest.raises(WorldError, match="running"):
            rekey.rotate(world, master=masterkey.fresh(), data=True, tell=print)
    finally:
        held.release()


def test_a_folder_without_a_world_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="no world"):
        rekey.rotate(tmp_path, master=masterkey.fresh(), data=True, tell=print)
    assert list(tmp_path.iterdir()) == []


def test_keys_are_not_made_anew_over_data_that_needs_the_old_ones(world: Path) -> None:
    saved, authority = (world / "keys.json").read_text(), (world / "ca.pem").read_text()
    (world / "keys.json").unlink()
    with pytest.raises(WorldError, match=r"keys\.json is missing"):
        home.make(config_at(world))
    assert not (world / "keys.json").exists()
    assert (world / "ca.pem").read_text() == authority
    write_private(world / "keys.json", saved)
    home.make(config_at(world))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"master_key": "AAAA"}, "master_key has 3 bytes"),
        ({"master_key": "%%%"}, "cannot be read"),
        ({"master_key": 7}, "cannot be read"),
        ({"master_key": None}, "lacks 'master_key'"),
        ({"access_key_id": None}, "lacks 'access_key_id'"),
    ],
)
def test_keys_that_are_none_give_one_line(world: Path, change: dict[str, object], expected: str) -> None:
    found = json.loads((world / "keys.json").read_text()) | change
    (world / "keys.json").write_text(json.dumps({name: value for name, value in found.items() if value is not None}))
    with pytest.raises(WorldError, match=expected):
        home.read_secrets(world)
