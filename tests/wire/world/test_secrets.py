"""Keys stay where they belong: on no command line, in no log, readable to nobody else, on disk in one place alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.conftest import SECRET, World
from tests.wire.world.test_world import outlast

LINUX = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="no /proc here")


def processes_of(world: World) -> list[int]:
    """The world's processes: the Regions, and their parent."""
    regions = [int(each["pid"]) for each in world.control("status")["regions"]]
    parent = int(Path(f"/proc/{regions[0]}/stat").read_text().rpartition(")")[2].split()[1])
    return [*regions, parent]


@LINUX
def test_no_secret_stands_on_a_command_line_or_in_an_environment(world: World) -> None:
    for pid in processes_of(world):
        for name in ("cmdline", "environ"):
            assert SECRET.encode() not in Path(f"/proc/{pid}/{name}").read_bytes(), (pid, name)


@LINUX
def test_no_core_dump_would_hold_keys(world: World) -> None:
    for pid in processes_of(world):
        limits = Path(f"/proc/{pid}/limits").read_text()
        line = next(each for each in limits.splitlines() if each.startswith("Max core file size"))
        assert line.split()[4] == "0", pid


def test_every_file_is_its_owners_alone(world: World) -> None:
    world.client("acm").list_certificates()
    for path in [world.folder, *world.folder.rglob("*")]:
        if path.is_symlink():
            continue
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_secrets_are_in_two_files_and_nowhere_else(world: World) -> None:
    key = (world.folder / "ca-key.pem").read_text().splitlines()[1].encode()
    holders: dict[str, set[str]] = {"secret": set(), "key": set()}
    for path in world.folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            name = str(path.relative_to(world.folder))
            if SECRET.encode() in data:
                holders["secret"].add(name)
            if key in data or (b"PRIVATE KEY" in data and name != "ca-key.pem"):
                holders["key"].add(name)
    assert holders["secret"] == {"keys.json", "credentials"}
    assert holders["key"] == {"ca-key.pem"}


def test_keys_that_could_be_awss_are_refused(tmp_path: Path) -> None:
    done = outlast(
        "up", "-d", "--home", str(tmp_path / "w"), "--port", "0", "--network", "127.96.7",
        OUTLAST_ACCESS_KEY="AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "AWS's own" in done.stderr
    written = b"".join(path.read_bytes() for path in (tmp_path / "w").rglob("*") if path.is_file())
    assert b"wJalrXUtnFEMI" not in written
    assert b"AKIAIOSFODNN7EXAMPLE" not in written


def test_env_and_exec_take_foreign_credentials_away(world: World) -> None:
    done = outlast("env", "--home", str(world.folder), AWS_PROFILE="work", AWS_ENDPOINT_URL_S3="http://x")
    lines = done.stdout.splitlines()
    assert "unset AWS_PROFILE" in lines
    assert "unset AWS_ENDPOINT_URL_S3" in lines
    assert f"export AWS_CONFIG_FILE={world.folder}/config" in lines
    assert os.access(world.folder / "config", os.R_OK)
