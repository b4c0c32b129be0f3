"""Reconciling, whatever two Regions did while they could not hear of each other: the rules hold afterwards, nothing is
deleted, what was whole is left alone, and a second run finds nothing."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outlast.ops.act import audit as audits
from outlast.ops.act.audit import AuditLog
from outlast.ops.outcome import RefusedError
from outlast.ops.reconcile.items import Item, Ref
from outlast.ops.reconcile.rules import ClaimRule, RuleFile, library, parse
from outlast.ops.reconcile.run import Reconciler
from outlast.ops.reconcile.writes import Repair
from tests.property.ops.memory import MemoryStore, MemoryWorld, text

A, B = "us-east-1", "us-west-2"
NAMES = {"customers": "c", "products": "p", "orders": "o"}
RULES = parse(library()["orders"], "orders.yaml", NAMES)
PRODUCTS = [f"p-{number}" for number in range(2)]
REGIONS = st.sampled_from((A, B))
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("order"), REGIONS, st.sampled_from(PRODUCTS)),
        st.tuples(st.just("retry"), REGIONS, st.integers(0, 30)),
        st.tuples(st.just("deliver"), st.integers(1, 6), st.just("")),
        st.tuples(st.just("lose"), REGIONS, st.just("")),
        st.tuples(st.just("cancel"), REGIONS, st.integers(0, 30)),
        st.tuples(st.just("tear"), st.booleans(), st.sampled_from(PRODUCTS)),
    ),
    min_size=1,
    max_size=40,
)
SETTINGS = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def key(table: str, name: str) -> tuple[str, Ref]:
    return (table, Ref("S", name))


class Shop:
    """The order service on a memory world: one local transaction for each order, as examples/orders writes it."""

    def __init__(self, seed: int, products: list[str] = PRODUCTS) -> None:
        self.world = MemoryWorld((A, B))
        self.chooser = random.Random(seed)
        self.orders = 0
        for product in products:
            self.world.put(A, key("p", product), {"product_id": {"S": product}, "name": {"S": f"Product {product}"}})
        self.world.converge(self.chooser)

    def order(self, region: str, product: str, order: str = "") -> bool:
        self.orders += not order
        order = order or f"o-{self.orders}"
        items = self.world.items[region]
        thing = items.get(key("p", product))
        if thing is None or key("o", order) in items or text(thing, "sold_to_order") not in (None, order):
            return False
        at = {"S": f"2026-01-01T00:00:{self.world.time:05d}Z"}
        sold = {"sold_to_order": {"S": order}, "sold_in": {"S": region}, "sold_at": at}
        self.world.put(region, key("p", product), {**thing, **sold})
        fields = {"order_id": order, "product_id": product, "status": "PLACED", "region": region}
        self.world.put(
            region, key("o", order), {**{name: {"S": each} for name, each in fields.items()}, "placed_at": at}
        )
        return True

    def play(self, events: list[Any]) -> None:
        for kind, first, second in events:
            if kind == "order":
                self.order(first, second)
            elif kind == "retry":  # the client asks the other Region for the same order
                number = second % (self.orders + 1)
                self.order(first, PRODUCTS[number % len(PRODUCTS)], f"o-{number}" if number else "")
            elif kind == "deliver":
                self.world.deliver(self.chooser, first)
            elif kind == "lose":
                self.world.lose(first)
            elif kind == "tear":
                self.tear(second, mark=first)
            elif kind == "cancel":  # another program takes an order back, and forgets the product
                found = self.world.items[first].get(key("o", f"o-{second}"))
                if found is not None:
                    self.world.put(first, key("o", f"o-{second}"), {**found, "status": {"S": "CANCELLED"}})

    def tear(self, product: str, *, mark: bool) -> None:
        """One half of a pair never comes: the mark, or the order that it names."""
        thing = self.world.items[A].get(key("p", product), {})
        order = text(thing, "sold_to_order")
        if mark:
            self.world.put(A, key("p", product), {name: thing[name] for name in ("product_id", "name")})
        elif order is not None:
            self.world.put(A, key("o", order), None)

    def reconciler(self, folder: Path, rules: RuleFile = RULES, regions: tuple[str, ...] = (A, B)) -> Reconciler:
        stores = [MemoryStore(self.world, region) for region in regions]
        log = AuditLog(folder / "audit.jsonl", "tester", lambda: 0.0)
        moments = iter(range(1_000_000))

        def sleep(_: float) -> None:
            self.world.converge(self.chooser)

        return Reconciler(stores, rules, log, patience_s=8.0, now_s=lambda: float(next(moments)), sleep=sleep)


def orders_of(world: MemoryWorld) -> Mapping[str, Item]:
    return {ref.text: item for (table, ref), item in world.items[A].items() if table == "o"}


def check_rules(world: MemoryWorld) -> None:
    assert world.items[A] == world.items[B]
    standing: defaultdict[str, list[str]] = defaultdict(list)
    for order, item in orders_of(world).items():
        if text(item, "status") == "PLACED":
            standing[str(text(item, "product_id"))].append(order)
    for (table, product), item in world.items[A].items():
        if table == "p":
            mark = text(item, "sold_to_order")
            assert standing[product.text] == ([mark] if mark else [])


@given(seed=st.integers(0, 2**16), events=EVENTS, keep=st.sampled_from(("holder", "first")))
@SETTINGS
def test_the_rules_hold_afterwards_and_a_second_run_finds_nothing(
    tmp_path: Path, seed: int, events: list[Any], keep: Any
) -> None:
    shop = Shop(seed)
    shop.play(events)
    shop.world.converge(shop.chooser)
    before = dict(orders_of(shop.world))
    rules = replace(RULES, rules=(replace(claim_rule(), keep=keep), *RULES.rules[1:]))
    run = shop.reconciler(tmp_path, rules)
    applied = run.apply(run.look())
    assert applied.not_made == ()
    assert applied.left.findings == ()
    check_rules(shop.world)
    assert run.look().findings == ()
    after = orders_of(shop.world)
    assert after.keys() == before.keys()
    for order, item in after.items():
        if item != before[order]:
            assert text(item, "status") == "CANCELLED"
            assert str(text(item, "cancelled_because")).startswith(f"product {text(item, 'product_id')} was sold to")


def claim_rule() -> ClaimRule:
    (rule, *_) = RULES.rules
    assert isinstance(rule, ClaimRule)
    return rule


@given(seed=st.integers(0, 2**16), events=EVENTS)
@SETTINGS
def test_every_order_that_was_not_contested_stands(tmp_path: Path, seed: int, events: list[Any]) -> None:
    shop = Shop(seed)
    shop.play(events)
    shop.world.converge(shop.chooser)
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for order, item in orders_of(shop.world).items():
        if text(item, "status") == "PLACED":
            wanted[str(text(item, "product_id"))].add(order)
    run = shop.reconciler(tmp_path)
    run.apply(run.look())
    for product, orders in wanted.items():
        kept = {order for order in orders if text(orders_of(shop.world)[order], "status") == "PLACED"}
        assert len(kept) == 1, (product, orders)


MEANWHILE = st.lists(
    st.tuples(
        st.sampled_from(PRODUCTS),
        st.sampled_from(("take the holder back", "take another back", "back the mark", "mark another", "order it")),
    ),
    min_size=1,
    max_size=6,
)


@given(seed=st.integers(0, 2**16), events=EVENTS, meanwhile=MEANWHILE)
@SETTINGS
def test_what_happens_between_the_look_and_the_repair_is_never_made_worse(
    tmp_path: Path, seed: int, events: list[Any], meanwhile: list[tuple[str, str]]
) -> None:
    shop = Shop(seed)
    shop.play(events)
    shop.world.converge(shop.chooser)
    run = shop.reconciler(tmp_path)
    look = run.look()
    for product, what in meanwhile:
        interfere(shop, product, what)
    run.stores = [Judged(shop.world, A), *run.stores[1:]]
    run.apply(look)
    shop.world.converge(shop.chooser)
    run.apply(run.look())
    check_rules(shop.world)
    assert run.look().findings == ()


class Judged(MemoryStore):
    """Holds every repair that is made against what it found."""

    def write(self, repair: Repair) -> str:
        (thing,) = {write.ref.text for write in repair.writes if write.table == "p"}
        mark, standing = pair_of(self.world, thing)
        why = super().write(repair)
        if not why:
            assert standing != ([mark] if mark else []), "a pair that was whole was touched"
            now, left = pair_of(self.world, thing)
            assert left == ([now] if now else []), "the repair left the pair broken"
            assert bool(left) == bool(standing), "the last order of a product was withdrawn, or one made up"
        return why


def pair_of(world: MemoryWorld, product: str) -> tuple[str | None, list[str]]:
    """The order that a product names, and the orders that claim it."""
    thing = world.items[A].get(key("p", product), {})
    standing = [
        order
        for order, item in orders_of(world).items()
        if text(item, "product_id") == product and text(item, "status") == "PLACED"
    ]
    return text(thing, "sold_to_order"), standing


def interfere(shop: Shop, product: str, what: str) -> None:
    """Another program changes something about a product, in the Region that is judged."""
    world = shop.world
    mark, standing = pair_of(world, product)
    thing = world.items[A][key("p", product)]
    others = [order for order in standing if order != mark]
    if what == "take the holder back" and mark in standing:
        world.put(A, key("o", mark), {**orders_of(world)[mark], "status": {"S": "CANCELLED"}})
    elif what == "take another back" and others:
        world.put(A, key("o", others[0]), {**orders_of(world)[others[0]], "status": {"S": "CANCELLED"}})
    elif what == "back the mark" and mark and mark not in orders_of(world):
        fields = {"order_id": mark, "product_id": product, "status": "PLACED", "placed_at": "2026"}
        world.put(A, key("o", mark), {name: {"S": each} for name, each in fields.items()})
    elif what == "mark another" and others:
        world.put(A, key("p", product), {**thing, "sold_to_order": {"S": others[0]}})
    elif what == "order it":
        shop.order(A, product)
    elif what == "unmark":
        world.put(A, key("p", product), {name: each for name, each in thing.items() if not name.startswith("sold_")})


@given(seed=st.integers(0, 2**16), events=EVENTS)
@SETTINGS
def test_an_undisturbed_shop_has_nothing_to_reconcile(tmp_path: Path, seed: int, events: list[Any]) -> None:
    shop = Shop(seed)
    for kind, first, second in events:
        if kind == "order":
            shop.order(first, second)
            shop.world.converge(shop.chooser)
    run = shop.reconciler(tmp_path)
    assert run.look().findings == ()


def test_what_is_on_its_way_is_no_finding_and_what_is_held_back_is(tmp_path: Path) -> None:
    shop = Shop(1)
    assert shop.order(A, "p-0")
    assert shop.reconciler(tmp_path).look().findings == ()
    assert shop.order(A, "p-1")
    run = shop.reconciler(tmp_path)
    run.sleep = lambda _: None
    look = run.look()
    assert {finding.kind for finding in look.findings} == {"stranded"}
    assert {finding.ref.text for finding in look.findings} == {"p-1", "o-2"}
    with pytest.raises(RefusedError, match="not alike"):
        run.apply(look)
    assert "is in us-east-1 and not in us-west-2" in " ".join(finding.text for finding in look.findings)


def test_one_region_alone_is_judged_when_the_other_is_lost(tmp_path: Path) -> None:
    shop = Shop(1)
    shop.order(A, "p-0")
    (link,) = [link for pair, link in shop.world._links.items() if pair == (A, B)]
    (order,) = [change for change in link if change.key[0] == "o"]
    link.remove(order)
    shop.world.deliver(shop.chooser, 10)
    run = shop.reconciler(tmp_path, regions=(B,))
    (finding,) = run.look().findings
    assert (finding.kind, finding.repair and finding.repair.text) == ("torn", "take the mark away")
    run.apply(run.look())
    assert text(shop.world.items[B][key("p", "p-0")], "sold_to_order") is None
    assert shop.order(B, "p-0"), "the product can be sold again"
    entries = audits.read(run.audit.path)
    assert [entry.action for entry in entries] == ["reconcile", "repaired", "reconciled"]
    assert audits.verify(entries) == ""


def test_more_claims_than_one_transaction_holds_are_withdrawn_in_rounds(tmp_path: Path) -> None:
    shop = Shop(1, ["p-0"])
    for number in range(250):
        fields = {"order_id": f"x-{number:03}", "product_id": "p-0", "status": "PLACED", "placed_at": f"{number:03}"}
        shop.world.put(A, key("o", f"x-{number:03}"), {name: {"S": each} for name, each in fields.items()})
    shop.world.converge(shop.chooser)
    run = shop.reconciler(tmp_path)
    applied = run.apply(run.look())
    assert len(applied.made) == 3
    assert applied.left.findings == ()
    check_rules(shop.world)
    assert text(shop.world.items[A][key("p", "p-0")], "sold_to_order") == "x-000"
