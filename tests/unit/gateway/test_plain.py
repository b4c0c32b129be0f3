"""What happens to HTTP that is no operation, and to compressed bodies."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from outlast.cloud.gateway import pipeline
from outlast.cloud.gateway.gate import Gate
from outlast.cloud.wire import Request
from tests.unit.gateway.doubles import Notes, make_gate, signed


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[tuple[Gate, Notes]]:
    gate, notes, _policies = await make_gate(tmp_path)
    yield gate, notes
    await gate.region.engine.close()


async def test_health_preflight_and_unknown_methods(site: tuple[Gate, Notes]) -> None:
    gate, _notes = site
    healthy = await pipeline.respond(gate, Request("GET", "/", "", {"host": "x"}, b""), "127.0.0.1")
    assert (healthy.status, healthy.body) == (200, b"healthy: x ")
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


async def test_any_origin_may_read_the_answers_and_others_are_told_nothing_of_origins(site: tuple[Gate, Notes]) -> None:
    gate, _notes = site
    for method in ("GET", "OPTIONS", "POST"):
        bare = await pipeline.respond(gate, Request(method, "/", "", {"host": "x"}, b""), "127.0.0.1")
        assert not any(name.startswith("Access-Control") for name, _ in bare.headers)
        asked = await pipeline.respond(gate, Request(method, "/", "", {"host": "x", "origin": "http://a"}), "127.0.0.1")
        told = dict(asked.headers)
        assert told["Access-Control-Allow-Origin"] == "*"
        assert "x-amzn-RequestId" in told["Access-Control-Expose-Headers"]
        assert ("Access-Control-Max-Age" in told) == (method == "OPTIONS")


async def test_a_bucket_says_nothing_of_origins_that_it_does_not_share_with(site: tuple[Gate, Notes]) -> None:
    gate, _notes = site
    asked = Request("POST", "/", "", {"host": "b.s3.us-east-1.amazonaws.com", "origin": "http://a"})
    response = await pipeline.respond(gate, asked, "127.0.0.1")
    assert "Access-Control-Allow-Origin" not in dict(response.headers)


async def test_an_old_signature_is_told_before_an_unknown_key(site: tuple[Gate, Notes]) -> None:
    gate, _notes = site
    for date, told in (("20170101T010101Z", b"Signature expired"), ("30200101T010101Z", b"Signature not yet current")):
        headers = {
            "host": "x",
            "x-amz-date": date,
            "x-amz-target": "DynamoDB_20120810.DescribeTable",
            "authorization": "AWS4-HMAC-SHA256 Credential=nobody/2/3/4/aws4_request SignedHeaders=host;x-amz-date "
            "Signature=123",
        }
        response = await pipeline.respond(gate, Request("POST", "/", "", headers, b"{}"), "127.0.0.1")
        assert told in response.body


async def test_an_unsigned_call_without_a_body_lacks_a_token(site: tuple[Gate, Notes]) -> None:
    gate, _notes = site
    bare = Request("POST", "/", "", {"host": "x", "x-amz-target": "DynamoDB_20120810.DescribeTable"}, b"")
    assert b"MissingAuthenticationTokenException" in (await pipeline.respond(gate, bare, "127.0.0.1")).body
