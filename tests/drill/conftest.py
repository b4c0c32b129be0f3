"""One deployed world for all whole drills, and how tests ask it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from outlast.ops import deployment as deployments
from outlast.ops.load.client import aimed_at
from outlast.ops.names import Stub
from tests.conftest import World, start_world, stop_world


def outlast(world: World, *words: str, code: int | None = 0, typed: str = "") -> str:
    """Run the command, answer it, and return what it printed; `code` None takes any exit status."""
    command = [sys.executable, "-m", "outlast.cli.main", *words]
    environment = {**world.environ(), "OUTLAST_HOME": str(world.folder)}
    done = subprocess.run(
        command, env=environment, input=typed + "\n", capture_output=True, text=True, timeout=300, check=False
    )
    assert code in (None, done.returncode), done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world of its own, with replication as slow as AWS's, and the order service in it."""
    started = start_world(tmp_path_factory.mktemp("drill") / "w")
    outlast(started, "deploy")
    yield started
    stop_world(started)


def told(world: World) -> set[str]:
    """The Regions that customers of both coasts are sent to now."""
    deployment = deployments.load(world.folder / "deployment-local.json")

    async def ask() -> set[str]:
        stubs = [Stub(deployment.name_servers, subnet) for subnet in ("192.0.2.0/24", "198.51.100.0/24")]
        return {aimed_at((await stub.resolve(deployment.service_name)).names) for stub in stubs}

    return asyncio.run(ask())


def began(world: World, *words: str) -> subprocess.Popen[str]:
    """The command, running by itself, as at a terminal: Ctrl-C ends it even where the tests run without one."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what is ignored here would be ignored there
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "outlast.cli.main", *words],
            env={**world.environ(), "OUTLAST_HOME": str(world.folder)},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
