"""A world's folder: private, made once, refused when it could hold AWS's own keys."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from outlast.cloud.world import home
from outlast.cloud.world.authority import Authority
from outlast.cloud.world.config import Settings, WorldConfig, WorldError, load_config, read_config, write_config
from outlast.cloud.world.files import write_private


def config_at(folder: Path) -> WorldConfig:
    return WorldConfig(
        folder=str(folder),
        regions=("us-east-1",),
        hosts={"us-east-1": "127.66.0.11"},
        front_host="127.0.0.1",
        port=4566,
        link_port=4567,
        dns_port=53,
        settings=Settings(),
    )


@pytest.mark.parametrize("key", ["AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", "AKIA2E0A8F3B244C9986"])
def test_a_key_that_could_be_awss_own_is_refused_unwritten(tmp_path: Path, key: str) -> None:
    with pytest.raises(WorldError, match="AWS's own"):
        home.make(config_at(tmp_path), (key, "secret-that-must-not-be-written"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["AKIALOCALAAAAAAAAAAA", "testtesttesttest", "AKIALOCALTESTTESTTES"])
def test_made_up_keys_are_taken(tmp_path: Path, key: str) -> None:
    secrets = home.make(config_at(tmp_path), (key, "made-up-secret"))
    assert (secrets.root_access_key_id, secrets.root_secret_access_key) == (key, "made-up-secret")


def test_generated_keys_tell_where_they_are_from(tmp_path: Path) -> None:
    secrets = home.make(config_at(tmp_path))
    assert secrets.root_access_key_id.startswith("AKIALOCAL")
    assert (len(secrets.root_access_key_id), len(secrets.root_secret_access_key)) == (20, 40)


def test_what_exists_is_kept(tmp_path: Path) -> None:
    first = home.make(config_at(tmp_path))
    second = home.make(config_at(tmp_path), ("AKIALOCALAAAAAAAAAAA", "other"))
    assert first.root_access_key_id == second.root_access_key_id
    assert first.authority.pair == second.authority.pair
    assert first.master_key == second.master_key


def test_an_authority_that_ends_soon_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = home.make(config_at(tmp_path))
    old = Authority.create("w", dt.datetime.now(dt.UTC) - dt.timedelta(days=3400))
    write_private(tmp_path / "ca-key.pem", old.pair.key_pem)
    write_private(tmp_path / "ca.pem", old.pair.certificate_pem)
    second = home.make(config_at(tmp_path))
    assert second.authority.pair not in (first.authority.pair, old.pair)
    assert second.authority.outlives(dt.datetime.now(dt.UTC))
    assert second.root_access_key_id == first.root_access_key_id


def test_every_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        home.make(config_at(tmp_path))
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}, modes


def test_a_private_file_takes_the_place_of_a_public_one(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)
    assert [each.name for each in tmp_path.iterdir()] == ["f"]


def test_a_configuration_comes_back_as_it_was(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    assert read_config(json.loads(json.dumps(write_config(config)))) == config
    assert load_config(tmp_path) is None
    home.make(config)
    assert load_config(tmp_path) == config


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1}', '{"version": 99}', "nonsense"])
def test_a_configuration_that_is_none_gives_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "world.json").write_text(text)
    with pytest.raises(WorldError, match="cannot be read"):
        load_config(tmp_path)


@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("place", ["file", "file/below", "odd"])
def test_a_folder_that_cannot_hold_a_world_is_named_in_one_line(tmp_path: Path, place: str, detached: bool) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "odd" / "world.log").mkdir(parents=True)
    (tmp_path / "odd" / "world.lock").mkdir()
    folder = tmp_path / place
    command = [sys.executable, "-m", "outlast.cli.main", "up", "--port", "0", "--home", str(folder)]
    done = subprocess.run([*command, *["--detach"] * detached], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(rf"outlast: The folder {folder} cannot be used: [A-Z][a-z ]+\.\n", done.stderr)
    assert done.stdout == ""


@pytest.mark.parametrize("name", ["keys.json", "ca-key.pem"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_keys_that_others_may_read_are_refused(tmp_path: Path, name: str, mode: int) -> None:
    home.make(config_at(tmp_path))
    (tmp_path / name).chmod(mode)
    with pytest.raises(WorldError, match=rf"{name} is open to others \(mode {mode:o}\)"):
        home.make(config_at(tmp_path))
    (tmp_path / name).chmod(0o400)
    home.make(config_at(tmp_path))
