"""The pipeline's stages, each refused in its turn."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from outlast.cloud.contract import ActiveFault, Fault, FaultSpec
from outlast.cloud.engine.layout import Writes
from outlast.cloud.gateway import pipeline
from outlast.cloud.gateway.answers import Held
from outlast.cloud.gateway.gate import Gate
from outlast.cloud.wire import Request, Response
from tests.unit.gateway.doubles import ROOT, Notes, Policies, make_gate, signed


class ResourceNotFoundException(Fault):
    """As the model has it."""


class Site:
    def __init__(self, gate: Gate, notes: Notes, policies: Policies) -> None:
        self.gate, self.notes, self.policies = gate, notes, policies

    async def send(self, request: Request) -> tuple[int, dict[str, Any]]:
        response: Response = await pipeline.respond(self.gate, request, "127.0.0.1")
        return response.status, orjson.loads(response.body)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    gate, notes, policies = await make_gate(tmp_path)
    yield Site(gate, notes, policies)
    await gate.region.engine.close()


async def test_a_good_request_runs_through_every_stage(site: Site) -> None:
    site.notes.outcome = {"Table": {"TableName": "orders"}}
    status, body = await site.send(signed("DescribeTable", b'{"TableName": "orders"}'))
    assert (status, body) == (200, {"Table": {"TableName": "orders"}})
    assert site.notes.calls == [("DescribeTable", {"table_name": "orders"})]
    assert site.policies.judged == [("dynamodb:DescribeTable", "arn:aws:dynamodb:us-east-1:111122223333:table/orders")]


@pytest.mark.parametrize(
    ("operation", "body", "signature", "code"),
    [
        ("DescribeTable", b"{}", {"secret": "wrong"}, "InvalidSignatureException"),
        ("DescribeTable", b"{}", {"key_id": "AKIAIOSFODNN7EXAMPLE"}, "UnrecognizedClientException"),
        ("DescribeTable", b"{}", {"region": "us-west-2"}, "InvalidSignatureException"),
        ("DescribeTable", b"{}", {"service": "s3"}, "InvalidSignatureException"),
        ("DescribeTable", b"{", {}, "SerializationException"),
        ("DescribeTable", b"{}", {}, "ValidationException"),
        ("NoSuchOperation", b"{}", {}, "UnknownOperationException"),
        ("DescribeContributorInsights", b"{}", {}, "UnknownOperationException"),
    ],
)
async def test_each_stage_refuses_what_is_its_own(
    site: Site, operation: str, body: bytes, signature: dict[str, str], code: str
) -> None:
    status, answer = await site.send(signed(operation, body, **signature))
    assert answer["__type"].rpartition("#")[2] == code
    assert status == 400
    assert site.notes.calls == []


async def test_an_unsigned_request_is_refused(site: Site) -> None:
    bare = Request("POST", "/", "", {"host": "x", "x-amz-target": "DynamoDB_20120810.DescribeTable"}, b"{}")
    status, answer = await site.send(bare)
    assert (status, answer["__type"].rpartition("#")[2]) == (400, "MissingAuthenticationTokenException")
    assert site.notes.calls == []


async def test_a_changed_body_is_refused(site: Site) -> None:
    good = signed("DescribeTable", b'{"TableName": "orders"}')
    forged = Request(good.method, good.path, good.query, good.headers, b'{"TableName": "others"}')
    _status, body = await site.send(forged)
    assert "InvalidSignature" in body["__type"]
    assert site.notes.calls == []


async def test_what_policies_refuse_is_not_run(site: Site) -> None:
    site.policies.refuse.add("dynamodb:DescribeTable")
    status, body = await site.send(signed("DescribeTable", b'{"TableName": "orders"}'))
    assert status == 400
    assert "AccessDeniedException" in body["__type"]
    assert site.notes.calls == []


async def test_a_member_that_nobody_reads_is_refused_by_name(site: Site) -> None:
    _status, body = await site.send(signed("ListTables", b'{"Limit": 3}'))
    assert "Limit" in body["message"]
    assert site.notes.calls == []
    status, _body = await site.send(signed("ListTables", b'{"ExclusiveStartTableName": "abc"}'))
    assert status == 200


async def test_faults_and_defects_become_wire_errors(site: Site) -> None:
    site.notes.outcome = ResourceNotFoundException("no such table")
    status, body = await site.send(signed("DescribeTable", b'{"TableName": "orders"}'))
    assert (status, body["message"]) == (400, "no such table")
    site.notes.outcome = KeyError("a secret detail")
    status, body = await site.send(signed("DescribeTable", b'{"TableName": "orders"}'))
    assert status == 500
    assert "secret" not in orjson.dumps(body).decode()


class HeldDisk:
    """Commits of a site wait for `go`, and then fail with `error` if there is one."""

    def __init__(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine = site.gate.region.engine
        self.space = self.engine.space("held")
        self.go = threading.Event()
        self.error: Exception | None = None
        self._write = self.engine.store._log.write
        monkeypatch.setattr(self.engine.store._log, "write", self._held)
        monkeypatch.setattr(self.engine.store._committer, "_patient", lambda: True)

    def _held(self, batches: list[Writes], last: int, stamp: int) -> None:
        assert self.go.wait(30)
        if self.error is not None:
            raise self.error
        self._write(batches, last, stamp)

    def change(self) -> None:
        """Write something that is not durable before `go`."""
        self.go.clear()
        with self.engine.begin() as tx:
            tx.put(self.space, b"key", b"value")


@pytest.mark.parametrize(("outcome", "by_callback"), [({}, False), ({}, True), (ResourceNotFoundException("x"), False)])
async def test_no_reply_leaves_before_storage_has_settled(
    site: Site, monkeypatch: pytest.MonkeyPatch, outcome: Any, by_callback: bool
) -> None:
    await site.gate.region.engine.settled()
    disk = HeldDisk(site, monkeypatch)
    disk.change()
    site.notes.outcome = outcome
    answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    if by_callback:
        held = pipeline.answer(site.gate, signed("DescribeTable", b'{"TableName": "orders"}'), "127.0.0.1")
        assert isinstance(held, Held)
        held.then(answered.set_result)
    else:
        request = signed("DescribeTable", b'{"TableName": "orders"}')
        answered = asyncio.ensure_future(pipeline.respond(site.gate, request, "127.0.0.1"))
    await asyncio.sleep(0.02)
    assert not answered.done()
    disk.go.set()
    assert (await answered).status == (400 if outcome else 200)


@pytest.mark.parametrize("by_callback", [False, True])
async def test_storage_that_refuses_is_told_as_503(
    site: Site, monkeypatch: pytest.MonkeyPatch, by_callback: bool
) -> None:
    await site.gate.region.engine.settled()
    disk = HeldDisk(site, monkeypatch)
    disk.error = OSError(errno.ENOSPC, "no space")
    disk.change()
    held = pipeline.answer(site.gate, signed("DescribeTable", b'{"TableName": "orders"}'), "127.0.0.1")
    assert isinstance(held, Held)
    answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    if by_callback:
        held.then(answered.set_result)
    disk.go.set()
    response = await answered if by_callback else await held
    assert (response.status, orjson.loads(response.body)["message"]) == (503, "writes are refused: the disk is full")


def active(kind: Any, **fields: Any) -> ActiveFault:
    return ActiveFault("f", FaultSpec(kind, ("us-east-1",), **fields), 0, 1)


async def test_an_injected_error_fails_the_request_and_its_end_heals_it(site: Site) -> None:
    faults = site.gate.region.faults
    faults.active = (active("service-errors", parameters={"share": 1.0, "status": 503, "code": "Unavailable"}),)
    status, body = await site.send(signed("DescribeTable", b'{"TableName": "orders"}'))
    assert (status, body["__type"].rpartition("#")[2]) == (503, "Unavailable")
    assert site.notes.calls == []
    faults.active = ()
    assert (await site.send(signed("DescribeTable", b'{"TableName": "orders"}')))[0] == 200


async def test_an_injected_fault_keeps_to_its_scope(site: Site) -> None:
    site.gate.region.faults.active = (active("service-throttling", operations=("DeleteTable",)),)
    assert (await site.send(signed("DescribeTable", b'{"TableName": "orders"}')))[0] == 200
    status, body = await site.send(signed("DeleteTable", b'{"TableName": "orders"}'))
    assert (status, body["__type"].rpartition("#")[2]) == (400, "ThrottlingException")
    site.gate.region.faults.active = (active("control-plane-lost"),)
    assert (await site.send(signed("DescribeTable", b'{"TableName": "orders"}')))[0] == 200
    assert (await site.send(signed("DeleteTable", b'{"TableName": "orders"}')))[0] == 503


async def test_a_gray_failure_hits_its_share_of_requests(site: Site) -> None:
    site.gate.region.faults.active = (
        active("gray-failure", parameters={"error_share": 0.3, "delay_share": 0.0, "delay_ms": 0}),
    )
    statuses = [(await site.send(signed("DescribeTable", b'{"TableName": "orders"}')))[0] for _ in range(300)]
    assert 45 <= statuses.count(500) <= 140


async def test_calls_from_inside_the_world_pass_the_same_stages(site: Site) -> None:
    who = pipeline.Caller(ROOT)
    assert await pipeline.invoke(site.gate, "dynamodb", "DescribeTable", {"TableName": "orders"}, who) == {}
    with pytest.raises(Fault, match="tableName"):
        await pipeline.invoke(site.gate, "dynamodb", "DescribeTable", {}, who)
    site.policies.refuse.add("dynamodb:DescribeTable")
    with pytest.raises(Fault) as caught:
        await pipeline.invoke(site.gate, "dynamodb", "DescribeTable", {"TableName": "orders"}, who)
    assert caught.value.code == "AccessDeniedException"
    with pytest.raises(Fault) as caught:
        await pipeline.invoke(site.gate, "dynamodb", "DescribeContributorInsights", {}, who)
    assert caught.value.code == "UnknownOperationException"
