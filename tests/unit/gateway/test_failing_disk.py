"""What a client is told when the disk below fails: over the request path, from signed bytes to bytes of replies."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path as Folder
from typing import Any

import apsw
import orjson
import pytest
import pytest_asyncio
from bench import path as path_module
from bench import workloads, wrk
from bench.path import Path

from outlast.cloud.effects import RealDisk
from outlast.cloud.effects.disk import AppendFile
from outlast.cloud.engine import Engine, StorageUnavailable
from tests.unit.engine.conftest import effects


@dataclass
class Trouble:
    """What fails now: appends (after half of their data) and syncs, each with an error number."""

    append: int = 0
    sync: int = 0


TROUBLE = Trouble()


class FailingFile:
    """An append-only file on a disk in trouble."""

    def __init__(self, file: AppendFile) -> None:
        self._file = file
        self.cut = file.cut
        self.close = file.close

    def append(self, data: bytes, ready_bytes: int = 0) -> None:
        if TROUBLE.append:
            self._file.append(data[: len(data) // 2])
            raise OSError(TROUBLE.append, os.strerror(TROUBLE.append))
        self._file.append(data, ready_bytes)

    def make_ready(self, n_bytes: int) -> None:
        self._file.make_ready(n_bytes)

    def sync(self) -> None:
        if TROUBLE.sync:
            raise OSError(TROUBLE.sync, os.strerror(TROUBLE.sync))
        self._file.sync()


class FailingDisk(RealDisk):
    def append_to(self, path: Folder) -> AppendFile:
        return FailingFile(super().append_to(path))


class Asked(Path):
    """The request path, one request at a time: what is said matters, not how fast."""

    def _answered(self, reply: bytes) -> None:
        self.last = reply
        if self._done is not None:
            self._done.set_result(None)

    async def ask(self, operation: str, **params: Any) -> tuple[int, dict[str, Any]]:
        """Status and body of one signed request's answer."""
        target = f"DynamoDB_20120810.{operation}"
        body = orjson.dumps({"TableName": workloads.TABLE, **params})
        request = wrk.signed("http://127.0.0.1:1", target, body, self.key, "dynamodb", path_module.REGION)
        self._done = asyncio.get_running_loop().create_future()
        self.connections[0].data_received(request)
        await self._done
        head, _, content = self.last.partition(b"\r\n\r\n")
        return int(head.split()[1]), orjson.loads(content)

    async def put(self, number: int) -> tuple[int, dict[str, Any]]:
        return await self.ask("PutItem", Item=item(number))

    async def get(self, number: int) -> bool:
        status, body = await self.ask("GetItem", Key=workloads.key(number), ConsistentRead=True)
        assert status == 200, body
        return bool(body.get("Item"))


def item(number: int) -> dict[str, Any]:
    return {**workloads.key(number), "v": {"S": f"fresh {number}"}}


@pytest_asyncio.fixture
async def path(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Asked]:
    monkeypatch.setattr(path_module, "RealDisk", FailingDisk)
    monkeypatch.setattr(workloads, "fill", lambda: iter(()))
    made = await Asked.make()
    assert isinstance(made, Asked)
    assert (await made.put(1))[0] == 200
    yield made
    TROUBLE.append = TROUBLE.sync = 0
    await made.close()


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (Trouble(append=errno.ENOSPC), "the disk is full"),
        (Trouble(append=errno.EDQUOT), "the disk is full"),
        (Trouble(append=errno.EIO), "Input/output error"),
        (Trouble(sync=errno.EIO), "Input/output error"),
    ],
)
async def test_writes_are_refused_loudly_and_reads_go_on(path: Asked, trouble: Trouble, says: str) -> None:
    TROUBLE.append, TROUBLE.sync = trouble.append, trouble.sync
    for number in (2, 3):
        status, body = await path.put(number)
        assert status == 503, body
        assert says in body["message"]
    assert (await path.get(1), await path.get(2), await path.get(3)) == (True, False, False)
    status, body = await path.ask("Query", KeyConditionExpression="pk = :p", ExpressionAttributeValues={
        ":p": workloads.key(1)["pk"]})  # fmt: skip
    assert (status, body["Count"]) == (200, 1)
    TROUBLE.append = TROUBLE.sync = 0
    await path.gate.region.clock.sleep(2.0)
    status, body = await path.put(4)
    assert status == (200 if says == "the disk is full" else 503), body  # a sync that failed is not trusted again


async def test_a_condition_that_fails_rests_on_nothing_that_could_be_lost(path: Asked) -> None:
    engine = path.gate.region.engine
    TROUBLE.sync = errno.EIO
    with engine.begin() as tx:  # applied and not synced: what follows sees it
        tx.put(engine.space(engine.spaces("dynamodb/")[0]), b"unsynced", b"v")
    lost: asyncio.Future[StorageUnavailable | None] = asyncio.get_running_loop().create_future()
    engine.when_settled(lost.set_result)
    status, body = await path.ask("PutItem", Item=item(1), ConditionExpression="attribute_not_exists(pk)")
    assert (status, "Input/output error" in body["message"]) == (503, True), body
    assert await lost is not None


async def test_who_waits_only_after_the_loss_of_what_it_saw_is_told_of_it(path: Asked) -> None:
    engine = path.gate.region.engine
    losses = engine.losses
    TROUBLE.sync = errno.EIO
    with engine.begin() as tx:
        tx.put(engine.space(engine.spaces("dynamodb/")[0]), b"unsynced", b"v")
    lost: asyncio.Future[StorageUnavailable | None] = asyncio.get_running_loop().create_future()
    engine.when_settled(lost.set_result)
    assert await lost is not None
    await engine.settled()  # nothing is under way
    with pytest.raises(StorageUnavailable, match="Input/output error"):
        await engine.settled(losses)
    await engine.settled(engine.losses)


async def test_a_base_that_cannot_be_read_is_told(path: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    base = path.gate.region.engine.store.base

    def fails(error: Exception) -> Callable[..., Any]:
        def read(*arguments: Any) -> Any:
            raise error

        return read

    monkeypatch.setattr(base, "_get", fails(apsw.IOError("disk I/O error")))
    status, body = await path.ask("GetItem", Key=workloads.key(77), ConsistentRead=True)
    assert (status, "items.db cannot be read: disk I/O error" in body["message"]) == (503, True), body
    monkeypatch.setattr(base, "_get", fails(apsw.CorruptError("malformed")))
    status, body = await path.ask("GetItem", Key=workloads.key(77), ConsistentRead=True)
    assert (status, "items.db is damaged: malformed" in body["message"]) == (500, True), body
    assert await path.get(1)  # it is in memory


async def test_short_writes_lose_nothing(tmp_path: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, many = os.pwrite, os.pwritev

    def short(descriptor: int, data: Any, at: int) -> int:
        return whole(descriptor, bytes(data)[:97], at)

    def short_many(descriptor: int, pieces: Any, at: int) -> int:
        return many(descriptor, [b"".join(bytes(each) for each in pieces)[:131]], at)

    monkeypatch.setattr(os, "pwrite", short)
    monkeypatch.setattr(os, "pwritev", short_many)

    async def opened() -> Engine:
        return await Engine.open(tmp_path, region="us-east-1", key=bytes(32), effects=effects())

    engine = await opened()
    for number in range(40):
        with engine.begin() as tx:
            tx.put(engine.space("t"), b"%d" % number, b"%d " % number + bytes(500))
        await engine.settled()
    engine.abandon()
    engine = await opened()
    assert (engine.dropped, len(dict(engine.space("t").range()))) == ((), 40)
    await engine.close()
