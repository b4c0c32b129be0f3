"""The rules applied: what is found, what is proposed, and which change meanwhile each repair refuses to overrule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from outlast.ops.ledger.model import Conflict, Version
from outlast.ops.reconcile.causes import explain, name_of
from outlast.ops.reconcile.findings import Finding
from outlast.ops.reconcile.items import Item, Ref, filled
from outlast.ops.reconcile.judge import judge
from outlast.ops.reconcile.rules import ClaimRule, ReferenceRule, library, parse
from outlast.ops.reconcile.writes import Repair, Update, render

RULES = parse(library()["orders"], "orders.yaml", {"products": "P", "orders": "O", "customers": "C"})
Held = dict[str, dict[Ref, Item]]


def item(**fields: str) -> Item:
    return {name: {"S": value} for name, value in fields.items()}


def order(name: str, product: str = "p", at: str = "1", status: str = "PLACED") -> Item:
    return item(order_id=name, product_id=product, placed_at=at, region=f"r-{name}", status=status)


def product(mark: str = "", name: str = "p") -> Item:
    sold = {"sold_to_order": mark, "sold_in": "x", "sold_at": "0"} if mark else {}
    return item(product_id=name, name="Thing", **sold)


def held(products: list[Item], orders: list[Item]) -> Held:
    return {
        "products": {Ref("S", each["product_id"]["S"]): each for each in products},
        "orders": {Ref("S", each["order_id"]["S"]): each for each in orders},
    }


def only(state: Held) -> Finding:
    (finding,) = judge(RULES, state)
    return finding


def applied(state: Held, repair: Repair | None) -> bool:
    """Make the repair as a transaction would; False when a condition does not hold."""
    assert repair is not None
    tables = {"P": state["products"], "O": state["orders"]}
    if not all(write.condition.holds(tables[write.table].get(write.ref)) for write in repair.writes):
        return False
    for write in repair.writes:
        if isinstance(write, Update):
            before = tables[write.table].get(write.ref, {})
            kept = {name: value for name, value in before.items() if name not in write.removes}
            tables[write.table][write.ref] = {**kept, write.key: write.ref.value, **write.sets}
    return True


def test_whole_pairs_are_left_alone() -> None:
    state = held([product("o-1"), product(name="q")], [order("o-1"), order("o-2", status="CANCELLED")])
    assert judge(RULES, state) == []


def test_a_double_sale_keeps_whom_the_product_names_and_withdraws_the_other() -> None:
    state = held([product("o-2")], [order("o-1", at="1"), order("o-2", at="2")])
    finding = only(state)
    assert (finding.kind, finding.table, finding.ref.text) == ("double", "products", "p")
    assert finding.text == "products p is claimed by o-2 and by o-1"
    assert applied(state, finding.repair)
    assert judge(RULES, state) == []
    assert state["orders"][Ref("S", "o-1")]["cancelled_because"] == {"S": "product p was sold to order o-2"}
    assert state["orders"][Ref("S", "o-2")]["status"] == {"S": "PLACED"}


def test_the_first_may_be_kept_instead() -> None:
    claim, other = RULES.rules
    assert isinstance(claim, ClaimRule)
    first = replace(RULES, rules=(replace(claim, keep="first"), other))
    state = held([product("o-2")], [order("o-1", at="1"), order("o-2", at="2")])
    (finding,) = judge(first, state)
    assert applied(state, finding.repair)
    assert judge(first, state) == []
    assert state["products"][Ref("S", "p")]["sold_to_order"] == {"S": "o-1"}
    assert state["products"][Ref("S", "p")]["sold_in"] == {"S": "r-o-1"}


@pytest.mark.parametrize(
    ("products", "orders", "text", "mark"),
    [
        ([product()], [order("o-1")], "is not marked, though o-1 claims it", "o-1"),
        ([product("o-9")], [order("o-1")], "is marked for o-9, which does not claim it, though o-1", "o-1"),
        (
            [product("o-9")],
            [order("o-1"), order("o-9", status="CANCELLED")],
            "is marked for o-9, which does not claim it, though o-1",
            "o-1",
        ),
        ([product("o-9")], [], "is marked for o-9, which does not exist", None),
        ([product("o-9")], [order("o-9", status="CANCELLED")], "is marked for o-9, which does not claim it", None),
        ([product("o-9"), product("o-9", "q")], [order("o-9", "q")], "is marked for o-9, which does not claim", None),
    ],
)
def test_torn_pairs(products: list[Item], orders: list[Item], text: str, mark: str | None) -> None:
    state = held(products, orders)
    finding = only(state)
    assert finding.kind == "torn"
    assert text in finding.text
    assert applied(state, finding.repair)
    assert judge(RULES, state) == []
    now = state["products"][Ref("S", "p")]
    assert now.get("sold_to_order") == ({"S": mark} if mark else None)
    assert now["name"] == {"S": "Thing"}


def put(alias: str, written: Item, key: str) -> Callable[[Held], None]:
    def change(state: Held) -> None:
        state[alias][Ref("S", written[key]["S"])] = written

    return change


MEANWHILE = {
    "the holder was taken back": (
        held([product("o-2")], [order("o-1"), order("o-2")]),
        put("orders", order("o-2", status="CANCELLED"), "order_id"),
    ),
    "the product names the other now": (
        held([product("o-2")], [order("o-1"), order("o-2")]),
        put("products", product("o-1"), "product_id"),
    ),
    "the other was taken back": (
        held([product("o-2")], [order("o-1"), order("o-2")]),
        put("orders", order("o-1", status="CANCELLED"), "order_id"),
    ),
    "the missing order came": (held([product("o-9")], []), put("orders", order("o-9"), "order_id")),
    "the order stands again": (
        held([product("o-9")], [order("o-9", status="CANCELLED")]),
        put("orders", order("o-9"), "order_id"),
    ),
    "the product was sold": (held([product()], [order("o-1")]), put("products", product("o-3"), "product_id")),
    "the product is gone": (held([product()], [order("o-1")]), lambda state: state["products"].clear()),
    "the only order was taken back": (
        held([product()], [order("o-1")]),
        put("orders", order("o-1", status="CANCELLED"), "order_id"),
    ),
    "the mark's order came": (held([product("o-9")], [order("o-1")]), put("orders", order("o-9"), "order_id")),
    "the order that the mark is made of changed": (
        held([product()], [order("o-1", at="1")]),
        put("orders", order("o-1", at="2"), "order_id"),
    ),
    "the mark moved": (held([product("o-9")], [order("o-1")]), put("products", product("o-8"), "product_id")),
}


@pytest.mark.parametrize("name", MEANWHILE)
def test_a_repair_does_not_overrule_what_happened_meanwhile(name: str) -> None:
    state, change = MEANWHILE[name]
    state = {alias: dict(items) for alias, items in state.items()}
    finding = only(state)
    change(state)
    before = {alias: dict(items) for alias, items in state.items()}
    assert not applied(state, finding.repair)
    assert state == before


def test_an_order_for_a_product_that_does_not_exist_is_left_to_people() -> None:
    finding = only(held([], [order("o-1"), order("o-2", status="CANCELLED")]))
    assert (finding.kind, finding.repair) == ("dangling", None)
    assert finding.text == "orders o-1 names products p, which does not exist"


def test_a_reference_may_have_a_repair() -> None:
    claim, reference = RULES.rules
    assert isinstance(reference, ReferenceRule)
    rules = replace(RULES, rules=(claim, replace(reference, repair={"status": "VOID", "why": "no {product_id}"})))
    state = held([], [order("o-1")])
    (finding,) = judge(rules, state)
    assert applied(state, finding.repair)
    assert state["orders"][Ref("S", "o-1")]["why"] == {"S": "no p"}
    state = held([], [order("o-1")])
    state["products"][Ref("S", "p")] = product()
    assert not applied(state, finding.repair)
    assert not applied(held([], [order("o-1", status="SHIPPED")]), finding.repair)


def test_a_repair_that_copies_an_attribute_is_not_made_once_that_has_changed() -> None:
    claim, reference = RULES.rules
    assert isinstance(reference, ReferenceRule)
    rules = replace(RULES, rules=(claim, replace(reference, repair={"why": "was of {region}, {gone}"})))
    (finding,) = judge(rules, held([], [order("o-1")]))
    for change in ({"region": {"S": "elsewhere"}}, {"gone": {"S": "it came"}}):
        assert not applied(held([], [{**order("o-1"), **change}]), finding.repair)
    assert applied(held([], [order("o-1")]), finding.repair)


def test_templates_copy_values_and_write_texts() -> None:
    held_item: Item = {"a": {"S": "x"}, "n": {"N": "7"}}
    template = {"same": "{n}", "text": "a is {a}, n is {n}, {gone}", "left_out": "{gone}", "who": "{keeper}"}
    assert filled(template, held_item, {"keeper": "k"}) == {
        "same": {"N": "7"},
        "text": {"S": "a is x, n is 7, "},
        "who": {"S": "k"},
    }


def test_a_repair_becomes_conditional_writes_and_nothing_else() -> None:
    repair = only(held([product("o-2")], [order("o-1"), order("o-2")])).repair
    assert repair is not None
    rendered = render(repair)
    assert [next(iter(each)) for each in rendered] == ["ConditionCheck", "ConditionCheck", "Update"]
    assert all("ConditionExpression" in next(iter(each.values())) for each in rendered)
    update = rendered[2]["Update"]
    assert update["Key"] == {"order_id": {"S": "o-1"}}
    assert update["UpdateExpression"] == "SET #n0 = :v0, #n1 = :v1"
    assert update["ConditionExpression"] == "#n0 = :v2 AND #n2 = :v3"
    assert update["ExpressionAttributeNames"] == {"#n0": "status", "#n1": "cancelled_because", "#n2": "product_id"}
    torn = only(held([product("o-9")], [])).repair
    assert torn is not None
    removed, backed = render(torn)
    assert removed["Update"]["UpdateExpression"] == "REMOVE #n0, #n1, #n2"
    assert backed["ConditionCheck"]["ConditionExpression"] == "NOT (#n0 = :v0 AND #n1 = :v1)"


def conflict(loser: Item | None, winner: Item | None, table: str = "P", key: str = "p") -> Conflict:
    name = "product_id" if table == "P" else "order_id"
    versions = [
        Version(f"r{number}", 10.0 + number, f"{number}", "req", each) for number, each in enumerate((loser, winner))
    ]
    return Conflict("c-1", table, item(**{name: key}), versions[1], versions[0], 12.0, ("r0",))


def explained(state: Held, known: Conflict, settled: set[str] | None = None) -> list[Finding]:
    return explain(judge(RULES, state), [known], RULES, state, settled or set())


def test_a_conflict_is_the_cause_of_what_it_broke() -> None:
    known = conflict(product("o-1"), product("o-2"))
    (finding,) = explained(held([product("o-2")], [order("o-1"), order("o-2")]), known)
    assert finding.kind == "double"
    assert finding.ledger == (name_of(known),)


def test_a_conflict_that_the_data_answers_for_is_no_finding() -> None:
    known = conflict(product("o-1"), product("o-2"))
    assert explained(held([product("o-2")], [order("o-1", status="CANCELLED"), order("o-2")]), known) == []
    assert explained(held([product("o-1")], [order("o-1")]), known) == []
    retried = conflict(order("o-1", at="1"), order("o-1", at="2"), "O", "o-1")
    assert explained(held([product("o-1")], [order("o-1", at="2")]), replace(retried)) == []


def test_a_conflict_that_nothing_answers_for_stays_until_it_is_settled() -> None:
    state = held([product("o-2")], [order("o-2")])
    known = conflict(product("o-1"), product("o-2"))
    (finding,) = explained(state, known)
    assert (finding.kind, finding.repair) == ("overwritten", None)
    assert "was overwritten by r1's of" in finding.text
    assert explained(state, known, {name_of(known)}) == []
    other = conflict(product("o-2"), {**product("o-2"), "name": {"S": "Other"}})
    (finding,) = explained(state, other)
    assert "in name" in finding.text
    (finding,) = explained(state, conflict(None, product("o-2")))
    assert "(a deletion)" in finding.text
