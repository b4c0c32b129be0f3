"""The load: what customers want, how clients hold on, and what the log says of it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from outlast.ops.drill.measure import customers
from outlast.ops.load.client import Client, Habits, Service, aimed_at, judge
from outlast.ops.load.log import Record, Tail, from_line, read, to_line
from outlast.ops.load.run import Coast, Plan, clients_of, load, save
from outlast.ops.load.workload import Stock, Want, Workload
from outlast.ops.names import NameServer, NoAnswer, Resolved
from outlast.ops.signing import Credentials
from tests.unit.ops.servers import http_server, reply

KEYS = Credentials("AKIDEXAMPLE", "secret")
STOCK = Stock("run1-", customers=5, own=100, contested=10)
ORDER = Want("order", "o-1", "c-1", "p-1")


class FakeNames:
    """Answers what it is told to."""

    def __init__(self, *answers: str, ttl_s: float = 5.0) -> None:
        self.answers = list(answers)
        self.ttl_s = ttl_s
        self.asked = 0

    async def resolve(self, name: str) -> Resolved:
        self.asked += 1
        address = self.answers[0]
        if address == "fail":
            raise NoAnswer("no")
        region = "us-east-1" if address == "127.0.0.1" else "us-west-2"
        names = (name, f"d-1.execute-api.{region}.amazonaws.com")
        return Resolved((address,) if address else (), names, self.ttl_s, NameServer("127.0.0.1"))


def client(names: FakeNames, port: int, habits: Habits, now_s: Callable[[], float]) -> Client:
    service = Service("http://orders.test/v1", ("us-east-1", "us-west-2"), port)
    return Client("c-0", "east", service, names, None, lambda: KEYS, habits, now_s)


async def shop(method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
    assert headers["host"] == "orders.test"
    assert "AWS4-ECDSA" in headers["authorization"]
    if method == "POST":
        return reply(201, body, "X-Region: us-east-1")
    return reply(404, b'{"code":"UnknownOrder"}', "X-Region: us-east-1")


async def test_an_order_is_logged_with_who_where_and_how_long() -> None:
    now_s = 1000.0
    async with http_server(shop) as (port, _):
        names = FakeNames("127.0.0.1")
        asked = client(names, port, Habits(), lambda: now_s)
        record = await asked.ask(ORDER, 999.5)
        missing = await asked.ask(Want("read", "o-9"), now_s)
    assert record.acknowledged_write
    assert (record.outcome, record.status, record.region, record.aimed) == ("served", 201, "us-east-1", "us-east-1")
    assert (record.at_s, record.ms, record.order_id, record.product_id) == (999.5, 500.0, "o-1", "p-1")
    assert (missing.outcome, missing.code) == ("missing", "UnknownOrder")


async def test_a_well_behaved_client_follows_dns_and_a_stubborn_one_does_not() -> None:
    now_s = 0.0
    async with http_server(shop) as (port, peers), http_server(shop, "127.0.0.2") as (_, _):
        good = client(FakeNames("127.0.0.1", ttl_s=5), port, Habits(), lambda: now_s)
        stubborn = client(FakeNames("127.0.0.1", ttl_s=5), port, Habits(hold_s=60), lambda: now_s)
        for each in (good, stubborn):
            await each.ask(ORDER, now_s)
        assert len(peers) == 2
        for each in (good, stubborn):
            each._names.answers[:] = ["127.0.0.2"]  # type: ignore[attr-defined]
        now_s = 4.0
        assert (await good.ask(ORDER, now_s)).address == "127.0.0.1"
        now_s = 6.0
        assert (await good.ask(ORDER, now_s)).address == "127.0.0.2"
        assert (await stubborn.ask(ORDER, now_s)).address == "127.0.0.1"
        assert len(peers) == 2
        now_s = 61.0
        assert (await stubborn.ask(ORDER, now_s)).address == "127.0.0.2"


async def test_no_answer_of_any_kind_is_a_record() -> None:
    async def slow(*_: object) -> bytes:
        await asyncio.sleep(30)
        return b""

    async with http_server(slow) as (port, _):
        habits = Habits(timeout_s=0.05)
        timed_out = await client(FakeNames("127.0.0.1"), port, habits, lambda: 0.0).ask(ORDER, 0.0)
    unreachable = await client(FakeNames("127.0.0.1"), port, habits, lambda: 0.0).ask(ORDER, 0.0)
    unresolved = await client(FakeNames("fail"), port, habits, lambda: 0.0).ask(ORDER, 0.0)
    empty = await client(FakeNames(""), port, habits, lambda: 0.0).ask(ORDER, 0.0)
    assert [timed_out.outcome, unreachable.outcome] == ["timeout", "unreachable"]
    assert [unresolved.outcome, empty.outcome] == ["unresolved", "unresolved"]
    assert timed_out.where == "us-east-1"
    assert all(record.bad(1500) for record in (timed_out, unreachable, unresolved))


async def test_a_kept_connection_that_was_closed_costs_nothing() -> None:
    async def once(method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
        return reply(201, b"{}", "X-Region: us-east-1") if once_left.pop() else b""

    once_left = [True, True, False, True]
    async with http_server(once) as (port, peers):
        asked = client(FakeNames("127.0.0.1"), port, Habits(), lambda: 0.0)
        records = [await asked.ask(ORDER, 0.0) for _ in range(3)]
    assert [record.outcome for record in records] == ["served"] * 3
    assert [record.attempts for record in records] == [1, 2, 1]
    assert customers(records).sent_again == 1
    assert len(peers) == 2


@pytest.mark.parametrize(
    ("operation", "status", "body", "headers", "outcome"),
    [
        ("order", 200, {}, {}, "served"),
        ("order", 409, {"code": "ProductSold"}, {"x-region": "r"}, "refused"),
        ("order", 409, {"code": "ProductSold"}, {}, "error"),
        ("order", 403, {"message": "Forbidden"}, {}, "error"),
        ("order", 429, {}, {}, "error"),
        ("order", 503, {"code": "TryAgain"}, {"x-region": "r"}, "error"),
        ("read", 404, {"code": "UnknownOrder"}, {"x-region": "r"}, "missing"),
        ("read", 502, [], {}, "error"),
    ],
)
def test_an_answer_is_judged(operation: str, status: int, body: object, headers: dict[str, str], outcome: str) -> None:
    from outlast.ops.http import Answer

    assert judge(operation, Answer(status, headers, json.dumps(body).encode()))[0] == outcome


def test_the_region_is_read_from_the_names() -> None:
    assert aimed_at(("orders.test", "d-1.execute-api.us-west-2.amazonaws.com")) == "us-west-2"
    assert aimed_at(("orders.test",)) == ""


def test_one_seed_asks_for_the_same_things() -> None:
    runs = []
    for _ in range(2):
        workload = Workload(STOCK, "east", seed=7)
        workload.acknowledged("o-x")
        runs.append([workload.next(float(second)) for second in range(50)])
    assert runs[0] == runs[1]
    assert {want.operation for want in runs[0]} == {"order", "read"}
    orders = [want for want in runs[0] if want.operation == "order"]
    assert len({want.order_id for want in orders}) == len(orders)


def test_a_product_in_fashion_is_wanted_on_both_coasts() -> None:
    wanted = []
    for coast in ("east", "west"):
        workload = Workload(STOCK, coast, seed=1, contested_every_s=10)
        wanted.append({workload.next(float(second)).product_id for second in range(30)})
    common = wanted[0] & wanted[1]
    assert common == {"run1-both-p-00000", "run1-both-p-00001", "run1-both-p-00002"}
    apart = Workload(STOCK, "east", seed=1, contested_every_s=0)
    assert all("both" not in apart.next(float(second)).product_id for second in range(30))


def test_a_record_survives_the_log(tmp_path: Path) -> None:
    record = Record(1.5, 20.0, "c-1", "east", True, "order", "served", 201, region="us-east-1", order_id="o")
    assert from_line(to_line(record)) == record
    path = tmp_path / "east.jsonl"
    tail = Tail([path])
    assert tail.fresh() == []
    path.write_text(to_line(record) + "\n" + to_line(record)[:20])
    assert tail.fresh() == [record]
    assert tail.fresh() == []
    path.write_text(to_line(record) + "\n" + to_line(replace(record, at_s=0.5)) + "\n")
    assert tail.fresh() == [replace(record, at_s=0.5)]
    assert [each.at_s for each in read([path, tmp_path / "none"])] == [0.5, 1.5]


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    servers = (("127.0.0.1", 53),)
    plan = Plan("east", "198.51.100.0/24", "https://orders.test/v1", ("a", "b"), servers, "log", STOCK)
    save(plan, tmp_path / "plan.json")
    assert load(tmp_path / "plan.json") == plan


async def test_the_rate_does_not_wait_for_answers(tmp_path: Path) -> None:
    released = asyncio.Event()

    async def hangs(*_: object) -> bytes:
        await released.wait()
        return reply(201, b"{}", "X-Region: us-east-1")

    async with http_server(hangs) as (port, _):
        plan = Plan("east", "", "http://orders.test/v1", ("a",), (("127.0.0.1", 53),), "", STOCK, port, rate_per_s=500)
        plan = replace(plan, max_in_flight=20)
        service = Service("http://orders.test/v1", ("a",), port)
        names = FakeNames("127.0.0.1")
        clients = [Client("c-0", "east", service, names, None, lambda: KEYS, Habits(timeout_s=5))]
        path = tmp_path / "log"
        with path.open("w", buffering=1) as log:
            coast = Coast(plan, clients, log)
            running = asyncio.get_running_loop().create_task(coast.run())
            while len(read([path])) < 5:
                await asyncio.sleep(0.01)
            coast.stop.set()
            released.set()
            await running
        records = read([path])
    assert sum(record.outcome == "served" for record in records) == 20
    assert {record.outcome for record in records} == {"served", "shed"}


def test_customers_whose_drill_died_while_they_came_up_go_home(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    servers = (("127.0.0.1", 9),)
    plan = Plan("east", "", "http://orders.test/v1", ("a",), servers, str(tmp_path / "log.jsonl"), STOCK, timeout_s=0.2)
    save(plan, tmp_path / "plan.json")
    command = [sys.executable, "-m", "outlast.ops.load.run", str(tmp_path / "plan.json"), str(ended.pid)]
    assert subprocess.run(command, timeout=100, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize("seed", range(4))
def test_every_name_server_is_asked_first_by_customers_who_follow_its_answers(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a fault of one Region's name servers is somebody's: by chance alone it was nobody's on either coast."""
    first: list[NameServer] = []

    class Asked:
        def __init__(self, servers: tuple[NameServer, ...], *_: object, **__: object) -> None:
            assert len(set(servers)) == 5
            first.append(servers[0])

    monkeypatch.setattr("outlast.ops.load.run.Stub", Asked)
    monkeypatch.setattr("outlast.ops.load.run.tls_context", lambda _: None)
    servers = tuple((f"127.0.0.{number}", 53) for number in range(1, 6))
    plan = Plan("east", "", "http://orders.test/v1", ("a",), servers, "", STOCK, clients=10, stubborn_share=0.2)
    clients = clients_of(replace(plan, seed=seed), lambda: KEYS)
    assert len(clients) == 10
    assert {each.host for each in first[2:]} == {host for host, _ in servers}
