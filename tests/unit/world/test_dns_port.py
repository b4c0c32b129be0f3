"""A world that comes up again listens where it did, and answers DNS where a deployment file says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from outlast.cli.preparing import dns_port_of, prepare
from outlast.cloud.world import config, home
from outlast.cloud.world.config import WorldConfig, WorldError
from tests.unit.world.test_home import config_at

HOSTS = ("127.66.0.11",)


@pytest.mark.parametrize(
    ("before", "taken", "expected"),
    [(None, (), 53), (40053, (), 40053), (40053, (53,), 40053), (None, (53,), 50053), (40053, (53, 40053), 50053)],
)
def test_the_port_of_before_is_kept_while_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int | None, taken: tuple[int, ...], expected: int
) -> None:
    def is_free(_host: str, port: int, *, udp: bool) -> bool:
        return udp and port not in taken

    monkeypatch.setattr(config, "is_free", is_free)
    monkeypatch.setattr(config, "free_port", lambda _hosts, *, udp: 50053 if udp else 0)
    known = None if before is None else replace(config_at(tmp_path), dns_port=before)
    assert dns_port_of(known, HOSTS) == expected


def came_up(folder: Path, port: int | None, network: str | None, host: str | None = None) -> WorldConfig:
    return prepare(folder, port, network, host, (), "none", 0.0, https_port=0)


def test_a_world_keeps_its_port_and_addresses_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "is_free", lambda *_, **__: True)
    new = came_up(tmp_path, None, None)
    assert (new.port, new.front_host, new.hosts["us-west-2"]) == (4566, "127.0.0.1", "127.66.0.12")
    made = replace(new, port=40566, front_host="127.0.0.9", hosts=config.hosts_of(new.regions, "127.77.3"))
    config.save(made)
    again = came_up(tmp_path, None, None)
    assert (again.port, again.front_host, again.hosts) == (40566, "127.0.0.9", made.hosts)
    told = came_up(tmp_path, 4577, "127.66.9", "127.0.0.1")
    assert (told.port, told.front_host, told.hosts["us-west-2"]) == (4577, "127.0.0.1", "127.66.9.12")
    assert came_up(tmp_path, 0, None).port not in (0, 4566)


def test_a_world_of_other_hosts_is_told_by_its_file_and_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "is_free", lambda *_, **__: True)
    config.save(replace(came_up(tmp_path, None, None), hosts={"us-east-1": "10.0.0.1"}, regions=("us-east-1",)))
    assert came_up(tmp_path, None, None).hosts == {"us-east-1": "127.66.0.11"}


@pytest.mark.parametrize("existed", [True, False])
def test_a_world_that_is_refused_leaves_nothing_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existed: bool
) -> None:
    monkeypatch.setattr(home, "is_free", lambda *_, **__: False)
    folder = tmp_path / "w"
    if existed:
        folder.mkdir()
    held = home.hold(folder)
    with pytest.raises(WorldError, match="in use"):
        home.check_ports(config_at(folder), existed)
    held.release()
    assert folder.exists() is existed
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []
    made = config_at(folder)
    config.make_folder(folder)
    config.save(made)
    held = home.hold(folder)
    with pytest.raises(WorldError, match="in use"):
        home.check_ports(made, True)
    held.release()
    assert sorted(path.name for path in folder.iterdir()) == ["world.json", "world.lock"]
