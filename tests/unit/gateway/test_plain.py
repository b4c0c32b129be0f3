"""What happens to HTTP that is no operation, and to compressed bodies."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from outlast.cloud.gateway import pipeline, plain
from outlast.cloud.gateway.gate import Gate
from outlast.cloud.wire import Request, WireError
from tests.unit.gateway.doubles import Notes, make_gate, signed


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[tuple[Gate, Notes]]:
    gate, notes, _policies = await make_gate(tmp_path)
    yield gate, notes
    await gate.region.engine.close()


async def test_health_preflight_and_unknown_methods(site: tuple[Gate, Notes]) -> None:
    gate, _notes = site
    healthy = await pipeline.respond(gate, Request("GET", "/", "", {"host": "x"}, b""), "127.0.0.1")
    assert (healthy.status, healthy.body) == (200, b"healthy: dynamodb.us-east-1.amazonaws.com ")
    assert dict(healthy.headers)["x-amz-crc32"] == str(zlib.crc32(healthy.body))
    asked = {"host": "x", "origin": "https://a", "access-control-request-method": "POST"}
    may = await pipeline.respond(gate, Request("OPTIONS", "/", "", asked, b""), "127.0.0.1")
    assert dict(may.headers)["Access-Control-Allow-Methods"] == "POST"
    odd = await pipeline.respond(gate, Request("DELETE", "/", "", {"host": "x"}, b""), "127.0.0.1")
    assert (odd.status, odd.body) == (404, b"<UnknownOperationException/>\n")


async def test_an_unsigned_body_that_cannot_be_read_is_told_first(site: tuple[Gate, Notes]) -> None:
    gate, _notes = site
    bare = Request("POST", "/", "", {"host": "x", "x-amz-target": "DynamoDB_20120810.DescribeTable"}, b"{")
    assert b"SerializationException" in (await pipeline.respond(gate, bare, "127.0.0.1")).body


async def test_compressed_bodies_go_both_ways(site: tuple[Gate, Notes]) -> None:
    gate, notes = site
    body = gzip.compress(b'{"TableName": "orders"}')
    notes.outcome = {"Table": {"TableName": "orders", "TableArn": "x" * 5_000}}
    request = signed("DescribeTable", body)
    headers = {**request.headers, "content-encoding": "gzip", "accept-encoding": "gzip, deflate"}
    response = await pipeline.respond(gate, Request("POST", "/", "", headers, body), "127.0.0.1")
    answered = dict(response.headers)
    assert answered["Content-Encoding"] == "gzip"
    assert answered["x-amz-crc32"] == str(zlib.crc32(response.body))
    assert b"xxxxx" in gzip.decompress(response.body)
    assert notes.calls == [("DescribeTable", {"table_name": "orders"})]


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b"{}", mtime=0)[:-3], b""])
def test_a_stream_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(WireError) as caught:
        plain.inflated(Request("POST", "/", "", {"content-encoding": "gzip"}, body))
    assert caught.value.code == "SerializationException"


def test_a_small_body_that_grows_too_large_is_refused() -> None:
    bomb = Request("POST", "/", "", {"content-encoding": "gzip"}, gzip.compress(b"0" * 2_000_000))
    with pytest.raises(WireError) as caught:
        plain.inflated(bomb, limit=1_000_000)
    assert caught.value.status == 413
    assert len(plain.inflated(bomb).body) == 2_000_000
