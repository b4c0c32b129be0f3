"""Rule files: the shipped one keeps its schema, and what is wrong in a file is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from outlast.ops.outcome import UsageError
from outlast.ops.reconcile.rules import ClaimRule, ReferenceRule, find, library, parse

SCHEMA = json.loads(resources.files("outlast.ops.reconcile").joinpath("schema.json").read_text())
NAMES = {"customers": "orders-customers", "products": "orders-products", "orders": "orders-orders"}


def shipped() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(library()["orders"])
    return read


def test_the_shipped_rules_keep_their_schema_and_say_what_the_order_service_promises() -> None:
    jsonschema.validate(shipped(), SCHEMA)
    rules = find("orders", NAMES)
    claim, reference = rules.rules
    assert isinstance(claim, ClaimRule)
    assert isinstance(reference, ReferenceRule)
    assert (claim.claims, claim.by, claim.claimed, claim.holder) == (
        "orders",
        "product_id",
        "products",
        "sold_to_order",
    )
    assert claim.where == {"status": "PLACED"}
    assert reference.repair is None
    assert rules.tables["products"].name == "orders-products"


def test_a_file_may_be_given(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(library()["orders"].replace("{orders}", "o").replace("{products}", "p"))
    assert find(str(path)).tables["orders"].name == "o"
    with pytest.raises(UsageError, match="no rules nothing; there are orders"):
        find("nothing")
    with pytest.raises(UsageError, match="no table orders"):
        find("orders")


def change(*path: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(read: dict[str, Any]) -> None:
        inner: Any = read
        for name in path[:-1]:
            inner = inner[name]
        if value is None:
            del inner[path[-1]]
        else:
            inner[path[-1]] = value

    return apply


WRONG = [
    (change("schema", value="outlast.rules/2"), "schema must be outlast.rules/1"),
    (change("extra", value=1), "has no member extra"),
    (change("tables", value=[]), "tables must be a mapping"),
    (change("tables", "orders", "key", value=None), "the member key is missing"),
    (change("tables", "orders", "ignore", value="x"), "ignore must be a list of texts"),
    (change("rules", value=[]), "must be a list of one rule or more"),
    (change("rules", 0, "by", value=["x"]), "by must be a text"),
    (change("tables", "orders", "key_", value="x"), "orders has no member key_; it has ignore, key, name, skip"),
    (change("tables", 5, value={}), "tables has a name that is no text, 5"),
    (change("rules", 0, "kind", value="magic"), "kind must be claim or reference"),
    (change("rules", 0, "claims", value="baskets"), "there is no table baskets"),
    (change("rules", 0, "holder", value=None), "the member holder is missing"),
    (change("rules", 0, "keep", value="last"), "keep must be holder or first"),
    (change("rules", 0, "mark", value={"sold_in": "x"}), "mark must set sold_to_order"),
    (change("rules", 0, "withdraw", value={"note": "x"}), "withdraw must change an attribute of where"),
    (change("rules", 0, "withdraw", value={"status": "PLACED"}), "withdraw must change what where asks for"),
    (change("rules", 1, "id", value="one-product-one-order"), "two rules have one id"),
    (change("rules", 1, "where", value={"status": 1}), "where must map attributes to texts"),
]


@pytest.mark.parametrize(("spoil", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_is_wrong_is_named(spoil: Callable[[dict[str, Any]], None], message: str) -> None:
    read = shipped()
    spoil(read)
    with pytest.raises(UsageError, match=message) as caught:
        parse(yaml.safe_dump(read), "mine.yaml", NAMES)
    assert str(caught.value).startswith("mine.yaml")


def test_what_is_wrong_is_named_by_its_line() -> None:
    text = library()["orders"]
    line = next(number for number, each in enumerate(text.splitlines(), 1) if "kind: reference" in each)
    with pytest.raises(UsageError, match=rf"^mine\.yaml, line {line}: rules: number 2: kind must be"):
        parse(text.replace("kind: reference", "kind: refers"), "mine.yaml", NAMES)


def test_no_yaml_and_no_mapping_are_refused() -> None:
    for text in ("a: [", "- 1", "text"):
        with pytest.raises(UsageError, match=r"mine\.yaml"):
            parse(text, "mine.yaml")
