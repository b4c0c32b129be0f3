"""The world as a user meets it: it starts, stops, says one clear line when it cannot, and outlives a crash."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outlast.cloud.world import run
from tests.conftest import World


def outlast(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "outlast.cli.main", *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=90, check=False, env={**os.environ, **environment}
    )


def wait_until(truth: Callable[[], Any], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def status_of(world: World, region: str) -> str:
    return next(str(each["status"]) for each in world.control("status")["regions"] if each["region"] == region)


def test_every_region_answers_as_soon_as_up_returns(make_world: Callable[..., World]) -> None:
    world = make_world()
    for region in world.config.regions:
        assert world.client("sts", region).get_caller_identity()["Account"] == world.config.account_id
    assert len(world.config.regions) == 5


def test_env_prints_what_a_shell_needs(world: World) -> None:
    done = outlast("env", "--home", str(world.folder), "--region", "us-west-2")
    lines = dict(line.removeprefix("export ").split("=", 1) for line in done.stdout.splitlines())
    assert lines["AWS_ENDPOINT_URL"] == world.config.front_url
    assert lines["AWS_DEFAULT_REGION"] == "us-west-2"
    assert Path(lines["AWS_CA_BUNDLE"]).read_text().startswith("-----BEGIN CERTIFICATE")
    assert outlast("env", "--home", str(world.folder), "--region", "mars-1").returncode == 2


def test_keys_are_private(world: World) -> None:
    for name in ("keys.json", "ca-key.pem", "credentials", "world.json"):
        assert (world.folder / name).stat().st_mode & 0o077 == 0, name


def test_one_clear_line_for_what_cannot_be(world: World, tmp_path: Path) -> None:
    again = outlast("up", "--home", str(world.folder), "--port", "0")
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert "running" in again.stderr
    taken = outlast("up", "--home", str(tmp_path / "p"), "--port", str(world.config.port), "--network", "127.91.8")
    assert (taken.returncode, taken.stderr.count("\n")) == (1, 1)
    assert "in use" in taken.stderr
    blocked = tmp_path / "file"
    blocked.write_text("")
    unwritable = outlast("up", "--home", str(blocked / "w"), "--port", "0", "--network", "127.91.8")
    assert (unwritable.returncode, unwritable.stderr.count("\n")) == (1, 1)
    nothing = outlast("down", "--home", str(tmp_path / "none"))
    assert (nothing.returncode, nothing.stderr.count("\n")) == (1, 1)
    for words, says in (
        (("--network", "10.0.0"), "loopback network"),
        (("--network", "abc"), "not abc.11"),
        (("--host", "localhost"), "not localhost"),
        (("--region", "../mars-1"), "not the name of a Region"),
        (("--region", "us-east-1", "--region", "us-east-1"), "each once"),
        (("--replication-delay-ms", "fast"), "LOW-HIGH"),
        (("--access-key", "no colon"), "ACCESS_KEY_ID:SECRET"),
    ):
        refused = outlast("up", "--home", str(tmp_path / "r"), *words)
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1), refused.stderr
        assert says in refused.stderr
    for words in (("--port", "99999"), ("--port", "-1"), ("--output", "yaml"), ("--health-interval-s", "-3")):
        assert outlast("up", "--home", str(tmp_path / "r"), *words).returncode == 2
    assert not (tmp_path / "r").exists()
    assert "Traceback" not in again.stderr + taken.stderr + unwritable.stderr + nothing.stderr


def test_nothing_listens_beyond_loopback(world: World) -> None:
    listening = subprocess.run(["ss", "-Hltnup"], capture_output=True, text=True, check=False).stdout
    pids = [str(each["pid"]) for each in world.control("status")["regions"]]
    ours = [line for line in listening.splitlines() if any(f"pid={pid}," in line for pid in pids)]
    assert all(line.split()[4].startswith("127.") for line in ours)


def test_a_crashed_region_is_known_and_comes_back(make_world: Callable[..., World]) -> None:
    world = make_world()
    world.kill("us-west-2")
    wait_until(lambda: status_of(world, "us-west-2") == "down")
    assert status_of(world, "us-east-1") == "ready"
    done = outlast("restart", "us-west-2", "--home", str(world.folder))
    assert done.returncode == 0, done.stderr
    assert status_of(world, "us-west-2") == "ready"
    assert outlast("down", "--home", str(world.folder)).returncode == 0
    log = (world.folder / "world.log").read_text()
    assert '{"event": "crashed", "region": "us-west-2", "reason": "signal 9"}' in log
    assert "BrokenPipe" not in log


def test_a_killed_region_is_really_gone_until_the_fault_ends(make_world: Callable[..., World]) -> None:
    world = make_world()
    address = (world.config.hosts["us-east-1"], world.config.port)
    fault = world.fault("region-killed", "us-east-1")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, 2)
    world.end_fault(fault)
    socket.create_connection(address, 2).close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_world_in_the_foreground_clean(tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-m", "outlast.cli.main", "up", "--home", str(tmp_path / "w"), "--port", "0"]
    one = subprocess.Popen(
        [*command, "--network", f"127.92.{os.getpid() % 250 + 1}", "--region", "us-east-1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert one.stdout is not None
    assert any("The world is up" in line for line in one.stdout)
    (pid,) = [each["pid"] for each in run.control(tmp_path / "w", "status")["regions"]]
    if number == signal.SIGINT:
        os.killpg(one.pid, number)  # as a terminal does
    else:
        os.kill(one.pid, number)
    rest, errors = one.communicate(timeout=30)
    assert (one.returncode, errors) == (0, "")
    assert "crashed" not in rest
    assert not alive(pid)
    assert not (tmp_path / "w" / "control.sock").exists()


def test_ctrl_c_before_the_world_is_up_is_silent(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "outlast.cloud.world", str(tmp_path / "w"), "text"]
    one = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: "orjson" in Path(f"/proc/{one.pid}/maps").read_text(), 60.0)  # it is busy importing
    os.kill(one.pid, signal.SIGINT)
    assert one.communicate(timeout=30) == ("", "")
    assert one.returncode == -signal.SIGINT


def test_a_dead_parent_leaves_no_process_behind(make_world: Callable[..., World]) -> None:
    world = make_world()
    pids = [each["pid"] for each in world.control("status")["regions"]]
    parent = int(Path(f"/proc/{pids[0]}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    wait_until(lambda: not any(alive(pid) for pid in pids))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_front_door_names_a_region_that_does_not_answer(make_world: Callable[..., World]) -> None:
    world = make_world()
    world.fault("region-killed", "us-west-2")
    request = urllib.request.Request(
        world.config.front_url,
        headers={
            "Authorization": "AWS4-HMAC-SHA256 Credential=X/20260101/us-west-2/dynamodb/aws4_request, "
            "SignedHeaders=host, Signature=0"
        },
        method="GET",
    )
    context = ssl.create_default_context(cafile=str(world.folder / "ca.pem"))
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, context=context, timeout=10)
    assert caught.value.code == 503
    assert b"us-west-2" in caught.value.read()
