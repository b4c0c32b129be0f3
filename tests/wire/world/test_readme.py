"""The README's five minutes, typed as they stand: the blocks are taken from the page and run by a shell."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import World
from tests.documents import ROOT, blocks

WITHOUT = ("make ", "outlast up", "outlast down")
"""What the test's own world has done already."""


def script(text: str) -> str:
    """The block as a shell runs it; a read of what takes a second to arrive is made again until it is there."""
    lines = []
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith(WITHOUT):
            continue
        if line.startswith("aws dynamodb get-item"):
            line = f'until found=$({line.split("#")[0]}) && [ "$found" ]; do sleep 0.2; done; echo "$found"'
        lines.append(line)
    return "\n".join(["set -eu", *lines])


@pytest.fixture
def shell(world: World) -> Iterator[dict[str, str]]:
    """The environment of a stranger's shell: nothing of AWS's in it, the virtual environment active."""
    mixed = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "OUTLAST_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{mixed['PATH']}"
    yield {**mixed, "PATH": path, "OUTLAST_HOME": str(world.folder), "AWS_PAGER": "", "AWS_PROFILE": "somebody-else"}
    for region in ("us-west-2", "us-east-1"):
        drop(world.client("dynamodb", region), "notes")


def drop(client: Any, table: str) -> None:
    """Delete the table if it is there, once a replica that goes has sent what it owes."""
    until_s = time.monotonic() + 90
    while table in client.list_tables()["TableNames"]:
        with contextlib.suppress(client.exceptions.ResourceInUseException, client.exceptions.ResourceNotFoundException):
            client.delete_table(TableName=table)
        assert time.monotonic() < until_s, "the table stays in use"
        time.sleep(0.2)


@pytest.mark.timeout(400)
def test_the_cloud_by_hand(shell: dict[str, str]) -> None:
    start, cloud = blocks(ROOT / "README.md", "sh")[1:3]
    assert 'eval "$(outlast env)"' in start
    assert "put-item" in cloud
    text = script(start) + "\n" + script(cloud)
    done = subprocess.run(["bash", "-c", text], env=shell, capture_output=True, text=True, timeout=380, check=False)
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-4000:]
    assert '"S": "hello"' in done.stdout
    assert "somebody-else" not in done.stderr
