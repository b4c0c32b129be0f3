"""`outlast reconcile` on a world whose Regions could not hear of each other, and on one that lost a Region."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outlast.ops.act import audit
from tests.conftest import World
from tests.wire.ops_kit.shop import A, B, Shop, outlast, rules, wait_until


@pytest.fixture
def shop(make_world: Callable[..., World]) -> Shop:
    return Shop(make_world("--replication-delay-ms", "none"))


def run(shop: Shop, folder: Path, *words: str, regions: tuple[str, ...] = (A, B)) -> tuple[int, Any, str]:
    named = [word for region in regions for word in ("--region", region)]
    done = outlast(shop.world, "reconcile", str(rules(folder)), *named, "--output", "json", *words)
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else None, done.stderr


def test_what_two_regions_sold_twice_is_found_and_put_right(shop: Shop, tmp_path: Path) -> None:
    shop.stock("p-1", "p-2", "p-3")
    shop.order(A, "o-before", "p-3")
    wait_until(shop.alike)
    cuts = [shop.world.fault("link-cut", *pair) for pair in ((A, B), (B, A))]
    assert shop.order(A, "o-a", "p-1")
    assert shop.order(B, "o-b", "p-1"), "each Region sells the product, for neither hears of the other"
    assert shop.order(A, "o-c", "p-2")

    code, found, _ = run(shop, tmp_path, "--patience-s", "0.5")
    assert code == 3
    assert {finding["kind"] for finding in found["look"]["findings"]} == {"stranded"}
    code, _, told = run(shop, tmp_path, "--patience-s", "0.5", "--apply", "--yes")
    assert code == 4
    assert "not alike in all Regions" in told

    for cut in cuts:
        shop.world.end_fault(cut)
    wait_until(shop.alike)
    code, found, _ = run(shop, tmp_path, "--patience-s", "0.5")
    assert code == 3
    (finding,) = found["look"]["findings"]
    assert (finding["kind"], finding["key"]) == ("double", "p-1")
    assert len(finding["ledger"]) == 1, "the ledger has the version of the mark that was overwritten"
    assert shop.item(A, "orders", "o-a")["status"] == "PLACED", "a dry run changes nothing"

    code, done, told = run(shop, tmp_path, "--apply", "--yes", "--patience-s", "10")
    assert code == 0, told
    assert len(done["applied"]["made"]) == 1
    wait_until(shop.alike)
    kept = shop.product(A, "p-1")["sold_to_order"]
    other = {"o-a": "o-b", "o-b": "o-a"}[kept]
    assert shop.item(B, "orders", kept)["status"] == "PLACED"
    assert shop.item(B, "orders", other)["status"] == "CANCELLED"
    assert shop.item(B, "orders", other)["cancelled_because"] == f"product p-1 was sold to order {kept}"
    assert shop.item(B, "orders", "o-before")["status"] == "PLACED"

    code, found, _ = run(shop, tmp_path, "--patience-s", "5")
    assert (code, found["look"]["findings"]) == (0, [])
    entries = audit.read(shop.world.folder / "audit.jsonl")
    assert [entry.action for entry in entries] == ["reconcile", "repaired", "reconciled"]
    assert audit.verify(entries) == ""


def test_an_order_that_is_lost_with_its_region_gives_the_product_back(shop: Shop, tmp_path: Path) -> None:
    shop.stock("p-1")
    shop.order(B, "o-1", "p-1")
    wait_until(shop.alike)
    shop.clients[B].delete_item(TableName="orders", Key={"order_id": {"S": "o-1"}})
    wait_until(shop.alike)
    shop.world.fault("region-killed", A)
    code, found, _ = run(shop, tmp_path, "--patience-s", "0.5", "--apply", "--yes")
    assert code == 4, "a Region that cannot be read may hold what seems to be missing"
    code, found, told = run(shop, tmp_path, "--patience-s", "0.5", "--apply", "--yes", regions=(B,))
    assert code == 0, told
    assert found["applied"]["made"] == ["products p-1 is marked for o-1, which does not exist: take the mark away"]
    assert "sold_to_order" not in shop.product(B, "p-1")
    assert shop.order(B, "o-2", "p-1")


def test_it_asks_before_it_changes_anything(shop: Shop, tmp_path: Path) -> None:
    shop.clients[A].put_item(TableName="products", Item={"product_id": {"S": "p-1"}, "sold_to_order": {"S": "o-never"}})
    wait_until(shop.alike)
    code, _, told = run(shop, tmp_path, "--patience-s", "0", "--apply")
    assert code == 4
    assert "Type `reconcile orders` to go on" in told
    assert shop.product(A, "p-1")["sold_to_order"] == "o-never"


def test_ended_in_the_middle_it_has_written_down_what_it_did_and_goes_on(shop: Shop, tmp_path: Path) -> None:
    names = [f"p-{number:03d}" for number in range(120)]
    for name in names:
        shop.clients[A].put_item(
            TableName="products", Item={"product_id": {"S": name}, "sold_to_order": {"S": f"never-{name}"}}
        )
    wait_until(shop.alike)
    words = ["reconcile", str(rules(tmp_path)), "--region", A, "--apply", "--yes", "--patience-s", "0"]
    command = [sys.executable, "-m", "outlast.cli.main", *words, "--home", str(shop.world.folder)]
    one = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert one.stderr is not None
    assert any(line.startswith("repaired") for line in one.stderr)
    one.send_signal(signal.SIGTERM)
    rest = one.communicate(timeout=90)[1]
    assert one.returncode == 128 + signal.SIGTERM
    assert "the same command does the rest" in rest
    mended = sum("sold_to_order" not in shop.product(A, name) for name in names)
    assert 0 < mended < len(names)
    entries = audit.read(shop.world.folder / "audit.jsonl")
    assert sum(entry.action == "repaired" for entry in entries) == mended
    assert (entries[-1].action, entries[-1].detail["what"]) == ("interrupted", "reconcile")
    code, done, told = run(shop, tmp_path, "--apply", "--yes", "--patience-s", "0", regions=(A,))
    assert code == 0, told
    assert len(done["applied"]["made"]) == len(names) - mended
