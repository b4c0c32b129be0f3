"""A Region whose data was put back from an older copy says so, by its replication links, until it is whole."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from outlast.cloud.services.dynamodb.ledger import world
from outlast.cloud.services.dynamodb.watching import Healing
from tests.unit.dynamodb.harness import Cloud, Home, running, until
from tests.unit.dynamodb.test_global_tables import EAST, WEST, _agree, create, has


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    async with running(tmp_path, EAST, WEST) as made:
        yield made


def links(home: Home) -> list[tuple[str, str | None]]:
    """Status and reason of what the Region sends."""
    operation: Any = world.operations["ListReplicationLinks"]
    answer = operation.function(SimpleNamespace(state=home.state, region=home.region))
    return [(link["Status"], link.get("Reason")) for link in answer["Links"]]


async def test_an_older_copy_is_told_until_everybody_has_everything(cloud: Cloud, tmp_path: Path) -> None:
    east, west = cloud.homes[EAST], cloud.homes[WEST]
    await east.table()
    await east("UpdateTable", TableName="things", ReplicaUpdates=[create(WEST)])
    await east.active("things")
    await west.active("things")
    await cloud.stop(WEST)
    shutil.copytree(tmp_path / WEST, tmp_path / "older")
    west = await cloud.start(WEST)
    await west("PutItem", TableName="things", Item={"p": {"S": "later"}})
    await until(lambda: has(east, "later"))
    assert links(west) == [("ACTIVE", None)]
    await cloud.stop(WEST)
    shutil.rmtree(tmp_path / WEST)
    (tmp_path / "older").rename(tmp_path / WEST)

    west = await cloud.start(WEST)
    west.engine.on_older_copy(lambda _: east.engine.pause_replication(WEST))

    async def sent() -> bool:
        return links(west) == [("ACTIVE", "OLDER_COPY")] and links(east) == [("CREATING", None)]

    async def over() -> bool:
        return links(west) == links(east) == [("ACTIVE", None)]

    await until(sent, 30)
    await _agree(east)
    west.state.healing.look({(EAST, "things"): "ACTIVE"}, False)
    assert links(west) == [("ACTIVE", "OLDER_COPY")], "what it has forgotten is still on its way"
    assert not await has(west, "later")
    east.engine.resume_replication(WEST)
    await until(lambda: has(west, "later"), 30)
    await until(over, 60)


def test_it_is_over_when_everything_was_sent_in_both_directions() -> None:
    healing = Healing()
    sending, sent = {("east", "one"): "CREATING"}, {("east", "one"): "ACTIVE"}
    healing.heard("east", "one", False)
    healing.found()
    healing.heard("east", "one", False)
    healing.look(sent, True)
    assert healing.reason == "OLDER_COPY", "the links are begun again a moment later"
    healing.look(sending, False)
    healing.heard("east", "one", False)
    healing.look(sent, False)
    assert healing.reason == "OLDER_COPY", "whoever had not heard of it yet spoke of before"
    healing.heard("east", "one", True)
    healing.look(sent, False)
    assert healing.reason == "OLDER_COPY"
    healing.heard("east", "one", False)
    healing.heard("south", "one", False)
    healing.look(sent | {("south", "one"): "ACTIVE"}, False)
    assert healing.reason == ""
