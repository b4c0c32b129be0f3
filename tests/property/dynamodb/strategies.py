"""What tests draw: numbers, attribute values and items in wire form."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

Value = dict[str, Any]


def _literal(parts: tuple[bool, int, int]) -> str:
    negative, digits, exponent = parts
    return f"{'-' if negative else ''}{digits}E{exponent}"


def _in_range(text: str) -> bool:
    value = Decimal(text)
    return value == 0 or -130 <= value.adjusted() <= 125


numbers = (
    st.tuples(st.booleans(), st.integers(0, 10**38 - 1), st.integers(-130, 125)).map(_literal).filter(_in_range)
) | st.integers(-1000, 1000).map(str)
plain_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
binaries = st.binary(max_size=6).map(lambda raw: base64.b64encode(raw).decode())
names = st.sampled_from(["a", "b", "c", "d", "e1", "_x", "ünï", "A-b.c"])

scalars = (
    plain_text.map(lambda text: {"S": text})
    | numbers.map(lambda text: {"N": text})
    | binaries.map(lambda text: {"B": text})
    | st.booleans().map(lambda flag: {"BOOL": flag})
    | st.just({"NULL": True})
)
sets = (
    st.lists(plain_text, min_size=1, max_size=3, unique=True).map(lambda members: {"SS": members})
    | st.lists(st.integers(-9, 9), min_size=1, max_size=3, unique=True).map(
        lambda members: {"NS": list(map(str, members))}
    )
    | st.lists(binaries, min_size=1, max_size=3, unique=True).map(lambda members: {"BS": members})
)
values: st.SearchStrategy[Value] = st.recursive(
    scalars | sets,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda members: {"L": members})
        | st.dictionaries(names, inner, max_size=3).map(lambda members: {"M": members})
    ),
    max_leaves=8,
)
items: st.SearchStrategy[dict[str, Value]] = st.dictionaries(names, values, max_size=5)
