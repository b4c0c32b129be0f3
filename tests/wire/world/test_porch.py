"""A Region is two processes: what one of them holds and what happens when one of them dies."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from outlast.cloud.world.porch import BUFFER_BYTES
from tests.conftest import ACCESS_KEY, SECRET, World, start_world
from tests.wire.world.test_world import status_of, wait_until

REGION = "us-west-2"
pytestmark = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core: a Region is one process")


def process_of(world: World, region: str = REGION) -> int:
    (pid,) = [each["pid"] for each in world.control("status")["regions"] if each["region"] == region]
    return int(pid)


def porch_of(world: World, region: str = REGION) -> int:
    """The process that listens where the Region does."""
    where = f"{world.config.hosts[region]}:{world.config.port}"
    listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    (line,) = [each for each in listening.splitlines() if each.split()[3] == where]
    return int(line.partition("pid=")[2].partition(",")[0])


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


@contextmanager
def one(tmp_path: Path, *options: str) -> Iterator[World]:
    world = start_world(tmp_path / "world", "--region", REGION, *options)
    try:
        yield world
    finally:
        subprocess.run(
            [sys.executable, "-m", "outlast.cli.main", "down", "--home", str(world.folder)],
            check=False,
            capture_output=True,
        )


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world of one Region, which tests may kill and leave running."""
    with one(tmp_path_factory.mktemp("porch")) as world:
        yield world


def test_connections_are_held_beside_the_process_that_answers(world: World) -> None:
    porch, region = porch_of(world), process_of(world)
    assert porch != region
    assert Path(f"/proc/{porch}/stat").read_text().rpartition(") ")[2].split()[1] == str(region), "not its child"


def test_a_region_whose_porch_is_killed_is_reported_and_comes_back_with_its_data(alone: World) -> None:
    world = alone
    client = world.client("logs", REGION)
    client.create_log_group(logGroupName="kept")
    region = process_of(world)
    os.kill(porch_of(world), signal.SIGKILL)
    wait_until(lambda: status_of(world, REGION) == "down")
    assert not is_there(region)
    world.control("start-region", region=REGION)
    groups = world.client("logs", REGION).describe_log_groups()["logGroups"]
    assert [each["logGroupName"] for each in groups] == ["kept"]


def test_a_killed_region_leaves_no_porch(alone: World) -> None:
    world = alone
    address = (world.config.hosts[REGION], world.config.port)
    for _ in range(3):
        porch = porch_of(world)
        with socket.create_connection(address, 5) as open_one:
            world.kill(REGION)
            wait_until(lambda: status_of(world, REGION) == "down")
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address, 5)
            open_one.settimeout(5)
            with suppress(ConnectionResetError):
                assert open_one.recv(1) == b""
        assert not is_there(porch)
        world.control("start-region", region=REGION)


def test_a_stopped_world_leaves_no_process_of_either_kind(tmp_path: Path) -> None:
    with one(tmp_path) as world:
        pids = [process_of(world), porch_of(world)]
        assert all(is_there(pid) for pid in pids)
    assert not any(is_there(pid) for pid in pids)


def test_the_date_of_an_answer_is_by_the_regions_clock(make_world: Callable[..., World]) -> None:
    world = make_world()

    def ahead_s() -> float:
        host, port = world.config.hosts[REGION], world.config.port
        with socket.create_connection((host, port), 5) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: dynamodb.us-west-2.amazonaws.com\r\nConnection: close\r\n\r\n")
            answer = b""
            while piece := connection.recv(65_536):
                answer += piece
        date = answer.partition(b"Date: ")[2].partition(b"\r\n")[0].decode()
        return parsedate_to_datetime(date).timestamp() - time.time()

    assert abs(ahead_s()) < 60
    fault = world.fault("clock-skew", REGION, parameters={"skew_ms": 3_600_000})
    try:
        assert 3_500 < ahead_s() < 3_700
    finally:
        world.end_fault(fault)
    assert abs(ahead_s()) < 60


def test_a_body_larger_than_what_lies_between_them_arrives_whole(world: World) -> None:
    storage = world.client("s3", REGION, config=None)
    storage.create_bucket(Bucket="porch", CreateBucketConfiguration={"LocationConstraint": REGION})
    body = os.urandom(3 * BUFFER_BYTES + 17)
    storage.put_object(Bucket="porch", Key="large", Body=body)
    assert storage.get_object(Bucket="porch", Key="large")["Body"].read() == body
    storage.delete_object(Bucket="porch", Key="large")
    storage.delete_bucket(Bucket="porch")


def test_on_one_core_a_region_is_one_process(tmp_path: Path) -> None:
    core = min(os.sched_getaffinity(0))
    folder = tmp_path / "world"
    command = [
        "taskset", "-c", str(core), sys.executable, "-m", "outlast.cli.main", "up", "--detach", "--home", str(folder),
        "--port", "0", "--region", REGION, "--network", f"127.101.{os.getpid() % 250 + 1}",
        "--access-key", f"{ACCESS_KEY}:{SECRET}",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=90)
    world = World(folder)
    try:
        assert porch_of(world) == process_of(world)
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            world.client("dynamodb", REGION).describe_table(TableName="none")
    finally:
        subprocess.run(
            [sys.executable, "-m", "outlast.cli.main", "down", "--home", str(folder)], check=False, capture_output=True
        )
