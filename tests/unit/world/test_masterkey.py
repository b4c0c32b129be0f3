"""The three forms of a master key: what is kept, what opens it, and the way from one form to another."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from outlast.cloud.engine import keys
from outlast.cloud.world import home, masterkey, rekey
from outlast.cloud.world.config import WorldError
from outlast.cloud.world.masterkey import Form, Master, Offer
from tests.unit.engine.conftest import effects
from tests.unit.world.test_home import config_at
from tests.unit.world.test_rekey import REGIONS, data_keys, items, put

WORDS = b"correct horse battery staple"
COMMANDED = bytes(range(32))
OFFERS: dict[Form, Offer | None] = {
    "file": None,
    "passphrase": Offer("passphrase", WORDS),
    "command": Offer("command", COMMANDED),
}
FORMS: tuple[Form, ...] = ("file", "passphrase", "command")


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masterkey, "COST", {"n": 16, "r": 1, "p": 1})


def world_of(folder: Path, form: Form) -> bytes:
    """A world with an item in each Region; its master key."""
    master = None if form == "file" else masterkey.fresh(OFFERS[form])
    made = home.make(config_at(folder), master=master).master_key
    asyncio.run(put(folder, made))
    return made


def keys_of(folder: Path) -> dict[str, object]:
    found = home.read_keys(folder)
    assert found is not None
    return found


@pytest.mark.parametrize("form", FORMS)
def test_what_is_offered_opens_a_world_of_that_form_and_nothing_else_does(tmp_path: Path, form: Form) -> None:
    key = world_of(tmp_path, form)
    assert masterkey.unlock(keys_of(tmp_path), OFFERS[form]) == key
    for other in FORMS:
        if other != form:
            with pytest.raises(WorldError, match="master key"):
                masterkey.unlock(keys_of(tmp_path), OFFERS[other])
    for wrong in (Offer("passphrase", b"wrong horse"), Offer("command", bytes(32))):
        with pytest.raises(WorldError):
            masterkey.unlock(keys_of(tmp_path), wrong)


@pytest.mark.parametrize("form", ["passphrase", "command"])
def test_neither_the_key_nor_what_it_is_made_of_is_kept(tmp_path: Path, form: Form) -> None:
    key = world_of(tmp_path, form)
    offer = OFFERS[form]
    assert offer is not None
    for path in tmp_path.rglob("*"):
        for secret in (key, offer.secret):
            for shown in (secret, base64.b64encode(secret), secret.hex().encode()):
                assert not path.is_file() or shown not in path.read_bytes(), path
    assert "secret" not in repr(offer)
    assert repr(key) not in repr(Master("", key))


def test_a_passphrase_makes_another_key_each_time_and_must_not_be_short() -> None:
    one, two = masterkey.fresh(OFFERS["passphrase"]), masterkey.fresh(OFFERS["passphrase"])
    assert one.key != two.key
    with pytest.raises(WorldError, match="8 characters"):
        masterkey.fresh(Offer("passphrase", "äöüäöüä".encode()))


@pytest.mark.parametrize("before", FORMS)
@pytest.mark.parametrize("after", FORMS)
def test_a_rotation_leads_from_each_form_to_each(tmp_path: Path, before: Form, after: Form) -> None:
    old = world_of(tmp_path, before)
    fresh = masterkey.fresh(Offer("command", bytes(reversed(COMMANDED))) if after == "command" else OFFERS[after])
    told: list[str] = []
    rekey.rotate(tmp_path, master=fresh, data=before == after, tell=told.append, key=old)
    assert masterkey.form_of(keys_of(tmp_path)["master_key"]) == after  # type: ignore[arg-type]
    assert asyncio.run(items(tmp_path, fresh.key)) == [region.encode() for region in REGIONS]
    assert home.read_secrets(tmp_path, fresh.key).master_key == fresh.key != old
    if after != "file":
        with pytest.raises(WorldError):
            home.read_secrets(tmp_path, old)
        assert base64.b64encode(old) not in (tmp_path / "keys.json").read_bytes()
    assert masterkey.SAID[after] in told[0]


def cut_short(monkeypatch: pytest.MonkeyPatch, folder: Path, fresh: Master, key: bytes) -> None:
    """A rotation that stops after the first Region."""
    kept: Callable[..., None] = rekey.rotate_master_key

    def one_only(data_folder: Path, *others: object) -> None:
        if data_folder.parent.name != REGIONS[0]:
            raise OSError("the machine stops here")
        kept(data_folder, *others)

    with monkeypatch.context() as patch:
        patch.setattr(rekey, "rotate_master_key", one_only)
        with pytest.raises(WorldError, match="stops here"):
            rekey.rotate(folder, master=fresh, data=False, tell=lambda text: None, key=key)


@pytest.mark.parametrize("brought", ["old", "new"])
@pytest.mark.parametrize(
    ("before", "after"), [("file", "passphrase"), ("passphrase", "file"), ("passphrase", "command")]
)
def test_whoever_brings_the_old_or_the_new_ends_a_rotation_that_was_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: Form, after: Form, brought: str
) -> None:
    old = world_of(tmp_path, before)
    fresh = masterkey.fresh(OFFERS[after])
    cut_short(monkeypatch, tmp_path, fresh, old)
    found = (tmp_path / "keys.json").read_bytes()
    assert (base64.b64encode(fresh.key) in found, base64.b64encode(old) in found) == (after == "file", before == "file")
    with pytest.raises(WorldError):
        masterkey.unlock(keys_of(tmp_path), Offer("passphrase", b"wrong horse"))
    key = masterkey.unlock(keys_of(tmp_path), OFFERS[before if brought == "old" else after])
    assert key == old
    assert rekey.finish(tmp_path, key, lambda text: None) == fresh.key
    assert len(data_keys(tmp_path, fresh.key)) == len(REGIONS)
    assert rekey.finish(tmp_path, fresh.key) is None


def test_a_region_with_damaged_keys_does_not_hold_up_a_rotation(tmp_path: Path) -> None:
    old = world_of(tmp_path, "file")
    broken = tmp_path / "regions" / REGIONS[0] / "data" / "keys"
    broken.write_bytes(broken.read_bytes()[:-1])
    told: list[str] = []
    fresh = masterkey.fresh()
    with pytest.raises(WorldError, match=f"{REGIONS[0]}.*damaged"):
        rekey.rotate(tmp_path, master=fresh, data=True, tell=told.append)
    assert any(REGIONS[0] in line and "damaged" in line for line in told)
    assert any(REGIONS[1] in line and "encrypted under a new key" in line for line in told)
    doors = effects()
    assert keys.load(tmp_path / "regions" / REGIONS[1] / "data", fresh.key, doors.disk, doors.entropy)
    assert home.read_secrets(tmp_path).master_key == fresh.key != old


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"form": "wax seal"}, "no form 'wax seal'"),
        ({"form": "passphrase", "salt": "AAAA", "n": 1 << 40, "r": 8, "p": 1, "check": ""}, "out of range"),
        ({"form": "passphrase", "salt": "AAAA", "n": 15, "r": 8, "p": 1, "check": ""}, "cannot be read"),
        ({"form": "passphrase"}, "lacks"),
        ({}, "lacks 'form'"),
        ([], "cannot be read"),
    ],
)
def test_an_entry_that_is_none_gives_one_line(tmp_path: Path, entry: object, says: str) -> None:
    world_of(tmp_path, "file")
    (tmp_path / "keys.json").write_text(json.dumps(keys_of(tmp_path) | {"master_key": entry}))
    with pytest.raises(WorldError, match=says) as caught:
        with home.clear(tmp_path):
            masterkey.unlock(keys_of(tmp_path), OFFERS["passphrase"])
    assert "\n" not in str(caught.value)
