"""A key read back from its bytes is the key that was written."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from outlast.cloud.services.dynamodb import numbers
from outlast.cloud.services.dynamodb.key_reading import read_key
from outlast.cloud.services.dynamodb.keys import table_key
from outlast.cloud.services.dynamodb.schema import KeySchema

NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30, places=7)
VALUES: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "S": st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable()).map(lambda text: {"S": text}),
    "N": NUMBERS.map(lambda number: {"N": numbers.normal(format(Decimal(number), "f"))}),
    "B": st.binary(min_size=1, max_size=40).map(lambda raw: {"B": base64.b64encode(raw).decode()}),
}


@given(st.data())
def test_keys_come_back(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from("SNB"), min_size=1, max_size=2))
    names = ["pk", "sk"][: len(kinds)]
    elements = [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)]
    schema = KeySchema.of(elements, dict(zip(names, kinds, strict=True)))
    key = {name: data.draw(VALUES[kind]) for name, kind in zip(names, kinds, strict=True)}
    raw = table_key(key["pk"], key.get("sk"))
    assert read_key(raw, schema) == key
