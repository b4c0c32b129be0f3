"""World files: what they say, what they may not say, and the delays that come of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from outlast.cloud.world.config import Settings, WorldConfig, WorldError, read_config, write_config
from outlast.cloud.world.faultwire import shapes_of
from outlast.cloud.world.worldfile import read_world

EAST, WEST, OHIO = "us-east-1", "us-west-2", "us-east-2"
HOSTS = {EAST: {"host": "127.0.0.1"}, WEST: {"host": "127.0.0.2"}, OHIO: {"host": "192.0.2.7"}}


def read(tmp_path: Path, document: Any) -> WorldConfig:
    path = tmp_path / "world-file.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return read_world(path, tmp_path / "home", "127.0.0.1", Settings())


def test_a_host_runs_the_regions_whose_addresses_it_has(tmp_path: Path) -> None:
    config = read(tmp_path, {"regions": HOSTS})
    assert config.regions == (EAST, WEST, OHIO)
    assert config.local == (EAST, WEST)
    assert (config.port, config.link_port, config.dns_port, config.https_port) == (4566, 4567, 4568, 0)
    assert config.settings.replication_delay_ms == (600.0, 1200.0)
    assert read_config(json.loads(json.dumps(write_config(config)))) == config


def test_a_pair_has_its_own_delays_in_both_directions(tmp_path: Path) -> None:
    pair = {"regions": [EAST, WEST], "replication_delay_ms": [30, 60], "link_delay_ms": [5, 9]}
    config = read(tmp_path, {"regions": HOSTS, "replication_delay_ms": [100, 200], "pairs": [pair]})
    shapes = {name: shapes_of(name, set(HOSTS) - {name}, config.settings, ()) for name in HOSTS}
    for one, other in ((EAST, WEST), (WEST, EAST)):
        assert shapes[one][other].channel_delay_ms == {"replication": (30.0, 60.0)}
        assert shapes[one][other].delay_ms == (5.0, 9.0)
    assert shapes[EAST][OHIO].channel_delay_ms == {"replication": (100.0, 200.0)}
    assert shapes[EAST][OHIO].delay_ms == (0.0, 0.0)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "cannot be read"),
        ([], "one JSON object"),
        ({}, "needs `regions`"),
        ({"regions": {EAST: "127.0.0.1"}}, "needs an address"),
        ({"regions": {EAST: {"host": "127.0.0.1", "zone": 1}}}, "There is no zone"),
        ({"regions": {EAST: {"host": "127.0.0.1"}, WEST: {"host": "127.0.0.1"}}}, "given to two Regions"),
        ({"regions": {EAST: {"host": "192.0.2.7"}}}, "None of the addresses"),
        ({"regions": HOSTS, "porridge": 1}, "There is no porridge"),
        ({"regions": HOSTS, "port": 70_000}, "port must be a port"),
        ({"regions": HOSTS, "port": 4567}, "differ from one another"),
        ({"regions": HOSTS, "link_delay_ms": [3]}, "link_delay_ms must be"),
        ({"regions": HOSTS, "link_delay_ms": [9, 3]}, "link_delay_ms must be"),
        ({"regions": HOSTS, "pairs": [{"regions": [EAST, EAST]}]}, "two `regions`"),
        ({"regions": HOSTS, "pairs": [{"regions": [EAST, WEST], "jitter": 1}]}, "There is no jitter"),
    ],
)
def test_what_a_world_file_may_not_say(tmp_path: Path, document: Any, message: str) -> None:
    with pytest.raises(WorldError, match=message):
        read(tmp_path, document)
