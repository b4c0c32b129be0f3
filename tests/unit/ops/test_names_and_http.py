"""DNS as a resolver asks it, HTTP as a client speaks it."""

from __future__ import annotations

import asyncio

import pytest

from outlast.ops.http import Connection, Unreachable
from outlast.ops.names import NameServer, NoAnswer, Stub
from tests.unit.ops.servers import dns_server, http_server, reply


async def test_aliases_are_followed_within_an_answer_and_across_answers() -> None:
    zone = {
        "orders.test": [("orders.test", 5, "CNAME", "east.test.")],
        "east.test": [("east.test", 9, "CNAME", "d-1.test."), ("d-1.test", 60, "A", "127.0.0.9")],
    }
    async with dns_server(lambda name, _: zone[name]) as port:
        found = await Stub([NameServer("127.0.0.1", port)]).resolve("Orders.test.")
    assert found.addresses == ("127.0.0.9",)
    assert found.names == ("orders.test", "east.test", "d-1.test")
    assert found.ttl_s == 5


async def test_the_client_subnet_is_sent() -> None:
    seen: list[str] = []

    def handler(name: str, subnet: str) -> list[tuple[str, int, str, str]]:
        seen.append(subnet)
        return [(name, 1, "A", "127.0.0.1")]

    async with dns_server(handler) as port:
        await Stub([NameServer("127.0.0.1", port)], "198.51.100.0/24").resolve("orders.test")
    assert seen == ["198.51.100.0/24"]


async def test_a_silent_or_refusing_server_is_passed_over() -> None:
    async with dns_server(lambda *_: None) as silent, dns_server(lambda *_: 5) as refusing:
        async with dns_server(lambda name, _: [(name, 1, "A", "127.0.0.1")]) as good:
            servers = [NameServer("127.0.0.1", port) for port in (silent, refusing, good)]
            found = await Stub(servers, timeout_s=0.05).resolve("orders.test")
            assert found.server == servers[2]
        with pytest.raises(NoAnswer, match=r"TimeoutError.*REFUSED"):
            await Stub(servers[:2], timeout_s=0.05).resolve("orders.test")


async def test_a_server_that_was_silent_is_asked_last_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def silent(name: str, _: str) -> None:
        asked.append(name)

    async with dns_server(silent) as dead, dns_server(lambda name, _: [(name, 1, "A", "127.0.0.1")]) as good:
        servers = [NameServer("127.0.0.1", port) for port in (dead, good)]
        stub = Stub(servers, timeout_s=0.2)
        for _ in range(3):
            assert (await stub.resolve("orders.test")).server == servers[1]
        assert len(asked) == 1
        monkeypatch.setattr("outlast.ops.names.SILENT_S", 0.0)
        again = Stub(servers, timeout_s=0.2)
        for _ in range(2):
            await again.resolve("orders.test")
        assert len(asked) == 3


async def test_an_empty_answer_is_told_from_none() -> None:
    async with dns_server(lambda *_: []) as port:
        assert (await Stub([NameServer("127.0.0.1", port)]).resolve("orders.test")).addresses == ()


async def test_an_alias_loop_ends() -> None:
    other = {"a.test": "b.test.", "b.test": "a.test."}
    async with dns_server(lambda name, _: [(name, 1, "CNAME", other[name])]) as port:
        with pytest.raises(NoAnswer):
            await Stub([NameServer("127.0.0.1", port)]).resolve("a.test")


async def test_a_connection_is_kept_for_the_next_request() -> None:
    async def handler(method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
        return reply(200, body or b"none", "X-Region: us-east-1")

    async with http_server(handler) as (port, peers):
        connection = Connection("127.0.0.1", port, "orders.test", None)
        first = await connection.request("POST", "/orders", {"host": "orders.test"}, b"one", 1.0)
        second = await connection.request("GET", "/health", {"host": "orders.test"}, b"", 1.0)
        connection.close()
    assert (first.status, first.body, first.headers["x-region"]) == (200, b"one", "us-east-1")
    assert second.body == b"none"
    assert len(peers) == 1


async def test_chunked_answers_are_read() -> None:
    async def handler(*_: object) -> bytes:
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"

    async with http_server(handler) as (port, _):
        answer = await Connection("127.0.0.1", port, "x", None).request("GET", "/", {}, b"", 1.0)
    assert answer.body == b"abcde"


async def test_no_connection_no_answer_and_a_slow_answer_are_told_apart() -> None:
    async def closes(*_: object) -> bytes:
        return b""

    async def hangs(*_: object) -> bytes:
        await asyncio.sleep(30)
        return b""

    async with http_server(closes) as (port, _):
        with pytest.raises(Unreachable) as broken:
            await Connection("127.0.0.1", port, "x", None).request("GET", "/", {}, b"", 1.0)
        assert broken.value.sent
    with pytest.raises(Unreachable) as refused:
        await Connection("127.0.0.1", port, "x", None).request("GET", "/", {}, b"", 1.0)
    assert not refused.value.sent
    async with http_server(hangs) as (port, _):
        connection = Connection("127.0.0.1", port, "x", None)
        with pytest.raises(TimeoutError):
            await connection.request("GET", "/", {}, b"", 0.05)
        assert not connection.open
