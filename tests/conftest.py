"""Fixtures for every test: a world of real processes on free ports, with boto3 clients for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config

import outlast
from outlast.cloud.world import run
from outlast.cloud.world.config import load_config
from outlast.cloud.world.home import environment

ACCESS_KEY = "AKIALOCALTESTTESTTEST"[:20]
MODELS = Path(outlast.__file__).parent / "models"
SECRET = "only-for-tests-only-for-tests-only-for-t"


making_clients = threading.Lock()  # sessions are not safe for threads, clients are


@cache
def models_read_once() -> Any:
    """One session for every client: reading botocore's files takes longer than many a test."""
    session = botocore.session.Session()
    session.get_component("data_loader").search_paths.append(str(MODELS))
    return boto3.session.Session(botocore_session=session)


@dataclass(slots=True)
class World:
    """A running world, as a test sees it."""

    folder: Path

    @property
    def config(self) -> Any:
        config = load_config(self.folder)
        assert config is not None
        return config

    def client(self, service: str, region: str = "us-east-1", **overrides: Any) -> Any:
        """A boto3 client of the Region's own endpoint (TLS, the world's authority trusted, no retries)."""
        config = self.config
        settings = {
            "region_name": region,
            "endpoint_url": f"https://{config.hosts[region]}:{config.port}",
            "verify": str(self.folder / "ca.pem"),
            "aws_access_key_id": ACCESS_KEY,
            "aws_secret_access_key": SECRET,
            "config": Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60),
            **overrides,
        }
        with making_clients:
            return models_read_once().client(service, **settings)

    def front(self, service: str, region: str = "us-east-1", **overrides: Any) -> Any:
        """A boto3 client that goes through the front door."""
        return self.client(service, region, endpoint_url=self.config.front_url, **overrides)

    def environ(self, region: str = "us-east-1") -> dict[str, str]:
        """The environment for programs such as the AWS CLI."""
        return {**os.environ, **environment(self.config, region), "AWS_PAGER": ""}

    def aws(self, *words: str, region: str = "us-east-1") -> Any:
        """Run the AWS CLI and return what it printed, parsed where it is JSON."""
        command = [str(Path(sys.executable).parent / "aws"), *words]
        done = subprocess.run(
            command, env=self.environ(region), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip().startswith(("{", "[")) else done.stdout

    def control(self, verb: str, **content: Any) -> Any:
        """Ask the supervisor (status, start-region, stop-region, fault-start, fault-end, fault-list)."""
        return run.control(self.folder, verb, content)

    def fault(self, kind: str, *regions: str, duration_s: float = 60.0, **fields: Any) -> str:
        """Start a fault and return its id; `services`, `operations` and `parameters` as in FaultSpec."""
        spec = {
            "kind": kind,
            "regions": list(regions),
            "services": fields.get("services", []),
            "operations": fields.get("operations", []),
            "duration_s": duration_s,
            "parameters": fields.get("parameters", {}),
        }
        return str(self.control("fault-start", spec=spec)["id"])

    def end_fault(self, fault_id: str) -> None:
        self.control("fault-end", id=fault_id)

    def kill(self, region: str) -> None:
        """kill -9 the Region's process, as a crash nobody asked for."""
        (pid,) = [each["pid"] for each in self.control("status")["regions"] if each["region"] == region]
        os.kill(pid, 9)


def start_world(folder: Path, *options: str, **variables: str) -> World:
    """Start a world in processes of its own and wait until it answers."""
    number = os.getpid() % 250 + 1
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    command = [
        sys.executable, "-m", "outlast.cli.main", "up", "--detach", "--home", str(folder), "--port", "0",
        "--network", f"127.{70 + int(worker)}.{number}", *options,
    ]  # fmt: skip
    environ = {**os.environ, "OUTLAST_ACCESS_KEY": f"{ACCESS_KEY}:{SECRET}", **variables}
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False, env=environ)
    assert done.returncode == 0, done.stderr + (folder / "world.log").read_text()
    return World(folder)


def stop_world(world: World) -> None:
    """Stop it; whatever its processes wrote to their log is shown when a test failed."""
    command = [sys.executable, "-m", "outlast.cli.main", "down", "--home", str(world.folder)]
    subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    print((world.folder / "world.log").read_text())


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world of five Regions for all tests that leave it as they found it; replication has no added delay."""
    started = start_world(tmp_path_factory.mktemp("world") / "w", "--replication-delay-ms", "none")
    yield started
    stop_world(started)


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Start worlds of one's own, for tests that kill or cut: `make_world("--replication-delay-ms", "none")`."""
    started: list[World] = []

    def start(*options: str) -> World:
        one = start_world(tmp_path / f"w{len(started)}", *options)
        started.append(one)
        return one

    yield start
    for each in started:
        stop_world(each)
