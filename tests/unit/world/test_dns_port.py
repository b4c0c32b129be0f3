"""A world that comes up again answers DNS where a deployment file says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from outlast.cli.preparing import dns_port_of
from outlast.cloud.world import config
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
