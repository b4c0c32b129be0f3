"""The writes left behind at the cut, by the lists of both Regions: found, named by order, followed to their end."""

from __future__ import annotations

import json
from typing import Any

from outlast.ops.drill import aftermath
from outlast.ops.drill.story import Story
from outlast.ops.report.build import build
from outlast.ops.report.page import render
from outlast.ops.report.wording import items_text
from tests.unit.ops.fakes import sample_deployment
from tests.unit.ops.samples import story as sample_story
from tests.unit.ops.test_measure import record
from tests.unit.ops_kit.stubs import StubClients
from tests.unit.ops_kit.test_ledger import at

A, B = "us-east-1", "us-west-2"
CUSTOMERS, PRODUCTS, ORDERS = "orders-customers", "orders-products", "orders-orders"


def write(table: str, key: str, number: int, **item: str) -> dict[str, Any]:
    """A stranded write as its Region lists it; the writes of one transaction share their number."""
    name = "order_id" if table == ORDERS else "product_id"
    written = {"Region": A, "Timestamp": at(number), "Clock": f"{number:016x}", "RequestId": f"r-{number}"}
    if item:
        written["Item"] = json.dumps({name: {"S": key}} | {name: {"S": text} for name, text in item.items()})
    ident = f"{table}/{key}/{number}"
    return {
        "Id": ident, "TableName": table, "Key": json.dumps({name: {"S": key}}), "Written": written, "MissingIn": B,
    }  # fmt: skip


MARK = write(PRODUCTS, "p-1", 1, sold_to_order="o-1")
ORDER = write(ORDERS, "o-1", 1)
TORN = write(PRODUCTS, "p-2", 2, sold_to_order="o-2")
UNTOLD = write(ORDERS, "o-9", 9)
HELD = write(ORDERS, "o-3", 3)


def cut(told: Story, clients: StubClients) -> None:
    """The cut: five writes are listed, the survivor has one of them meanwhile."""
    told.mark("begin_s", 800.0)
    told.mark("switched_s", 1000.0)
    told.records = [record(900 + n, order=f"o-{n}") for n in range(4)]
    ours, theirs = clients.stub("outlast", A), clients.stub("outlast", B)
    for table, writes in ((CUSTOMERS, []), (PRODUCTS, [MARK, TORN]), (ORDERS, [ORDER, HELD, UNTOLD])):
        asked = {"TableName": table, "MissingIn": B, "MaxResults": 1000}
        ours.add_response("list_stranded_writes", {"Writes": writes}, asked)
    missing(theirs, [MARK, TORN], [MARK, TORN])
    missing(theirs, [ORDER, HELD, UNTOLD], [ORDER, UNTOLD])
    aftermath.read_cut(told, clients)
    clients.used()


def missing(stub: Any, asked: list[dict[str, Any]], answered: list[dict[str, Any]]) -> None:
    """The survivor is asked for some writes and lacks others."""
    ids = [each["Id"] for each in asked]
    given = {"TableName": asked[0]["TableName"], "Ids": ids}
    stub.add_response("check_writes", {"Missing": [each["Id"] for each in answered]}, given)


def told_at(now_s: float = 1000.5) -> Story:
    return Story("t", "h", A, {}, {}, sample_deployment(), [], lambda: now_s)


def test_each_write_is_listed_whatever_its_age_with_the_order_that_it_belongs_to() -> None:
    told = told_at()
    cut(told, StubClients())
    assert told.exact
    assert told.acknowledged == 4
    assert [(risk.order_id, risk.state) for risk in told.risks] == [
        ("o-1", "missing"),
        ("o-2", "product mark missing"),
    ]
    assert [(each.write.table, each.order_id) for each in told.left] == [
        (ORDERS, "o-1"),
        (PRODUCTS, "o-1"),
        (PRODUCTS, "o-2"),
        (ORDERS, ""),
    ]


def test_what_came_of_each_is_the_survivors_word_and_its_ledgers() -> None:
    told, clients = told_at(), StubClients()
    cut(told, clients)
    theirs = clients.stub("outlast", B)
    missing(theirs, [ORDER, UNTOLD], [UNTOLD])
    missing(theirs, [MARK, TORN], [TORN])
    aftermath.track(told, clients)
    assert [(risk.order_id, risk.fate, risk.arrived_s) for risk in told.risks] == [
        ("o-1", "arrived", 1000.5),
        ("o-2", "not known", None),
    ]
    missing(theirs, [TORN], [])
    missing(theirs, [UNTOLD], [UNTOLD])
    lost = {"Region": A, "Timestamp": at(1), "Clock": f"{2:016x}"}
    for table in (CUSTOMERS, PRODUCTS, ORDERS):
        entry = {"Id": "c", "TableName": table, "Key": "{}", "Winner": lost | {"Region": B}, "Loser": lost}
        theirs.add_response("list_conflicts", {"Conflicts": [entry] if table == PRODUCTS else []})
    missing(theirs, [UNTOLD], [UNTOLD])
    aftermath._last_word(told, clients)
    clients.used()
    assert [(risk.order_id, risk.fate) for risk in told.risks] == [("o-1", "arrived"), ("o-2", "overwritten")]
    assert [(each.order_id, each.fate) for each in told.left][-1] == ("", "lost")
    assert told.fates == ["arrived", "overwritten", "lost"]


def test_a_survivor_that_does_not_answer_leaves_their_fate_unknown() -> None:
    told, clients = told_at(), StubClients()
    cut(told, clients)
    clients.silent("outlast", B)
    aftermath.track(told, clients)
    aftermath._last_word(told, clients)
    assert set(told.fates) == {"not known"}
    assert told.on_their_way()


def test_a_region_that_cannot_be_asked_is_named_and_the_orders_are_read() -> None:
    told, clients = told_at(), StubClients()
    told.mark("switched_s", 1000.0)
    told.records = [record(990, order="o-1")]
    clients.silent("outlast", A)
    reads = clients.stub("dynamodb", B)
    reads.add_response("batch_get_item", {"Responses": {}})
    reads.add_response("batch_get_item", {"Responses": {}})
    aftermath.read_cut(told, clients)
    assert not told.exact
    assert told.inexact_why.startswith(f"{A} could not be asked (")
    assert [risk.state for risk in told.risks] == ["missing"]


def test_the_report_lists_every_item_and_says_how_they_were_judged() -> None:
    exact, clients = told_at(), StubClients()
    cut(exact, clients)
    told = sample_story()
    told.left, told.exact = exact.left, True
    report = json.loads(json.dumps(build(told)))
    assert [item["request_id"] for item in report["rpo"]["items"]] == ["r-1", "r-1", "r-2", "r-9"]
    assert items_text(report) == (
        "By the Regions' own lists, 4 items were left behind: 4 not known; "
        "1 of them belong to no order that a customer was told of."
    )
    assert "order_id=o-9" in render(report)
    figures = {each["name"]: each["value"] for each in report["objectives"]}
    assert figures["lost_writes"] == 1
    told.left, told.exact, told.inexact_why = [], False, f"{A} could not be asked (EndpointConnectionError)"
    assert "us-east-1 could not be asked" in render(json.loads(json.dumps(build(told))))
