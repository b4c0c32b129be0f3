"""Numbers and keys against Decimal and against Python's own orders."""

from __future__ import annotations

import decimal
import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import keys, numbers
from outlast.cloud.services.dynamodb import values as av
from tests.property.dynamodb.strategies import numbers as literals
from tests.property.dynamodb.strategies import values


@given(literals)
def test_normal_form_keeps_the_value_and_is_stable(text: str) -> None:
    normal = numbers.normal(text)
    assert Decimal(normal) == Decimal(text)
    assert numbers.normal(normal) == normal
    assert "E" not in normal
    assert normal == "0" or not normal.startswith(("0", "-0")) or normal.startswith(("0.", "-0."))
    assert "." not in normal or not normal.endswith("0")


@given(literals, literals)
def test_key_bytes_order_as_the_numbers_do(left: str, right: str) -> None:
    one, two = numbers.key_bytes(numbers.normal(left)), numbers.key_bytes(numbers.normal(right))
    assert (one < two) == (Decimal(left) < Decimal(right))
    assert (one == two) == (Decimal(left) == Decimal(right))
    assert one == two or not two.startswith(one)


@given(literals, literals)
def test_arithmetic_is_exact_or_refused(left: str, right: str) -> None:
    try:
        total = numbers.add(numbers.normal(left), numbers.normal(right))
    except ValidationException:
        return
    with decimal.localcontext(decimal.Context(prec=600)):
        assert Decimal(total) == Decimal(left) + Decimal(right)


@given(st.text("0123456789+-.eE ", max_size=12))
def test_what_is_accepted_is_what_decimal_reads(text: str) -> None:
    try:
        normal = numbers.normal(text)
    except ValidationException:
        return
    assert Decimal(text) == Decimal(normal)


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6).map(lambda text: {"S": text})


@given(st.lists(texts, min_size=2, max_size=2), texts)
def test_sort_keys_order_as_utf8_in_table_and_index(pair: list[dict[str, str]], partition: dict[str, str]) -> None:
    one, two = (value["S"].encode() for value in pair)
    table = [keys.table_key(partition, value) for value in pair]
    assert (table[0] < table[1]) == (one < two)
    index = [keys.index_key([partition], [value], b"base") for value in pair]
    assert (index[0] < index[1]) == (one < two)
    prefix = keys.partition_prefix(keys.scalar_bytes(partition)) + keys.open_ended(pair[0])
    assert index[1].startswith(prefix) == two.startswith(one)


@given(st.binary(max_size=8))
def test_the_successor_bounds_exactly_what_begins_with_the_prefix(prefix: bytes) -> None:
    bound = keys.successor(prefix)
    assert bound is None or prefix + b"\xff" * 20 < bound
    assert bound is None or not any(bound[:-1] + bytes([bound[-1] - 1]) + b"\xff" * 20 >= bound for _ in [0])


def test_segments_cover_the_hash_space_without_gaps() -> None:
    for total in (1, 2, 3, 7, 1000):
        bounds = [keys.segment_bounds(segment, total) for segment in range(total)]
        assert bounds[0][0] == b"\0\0\0\0"
        assert bounds[-1][1] is None
        assert all(before[1] == after[0] for before, after in itertools.pairwise(bounds))


@given(values)
def test_the_size_of_a_checked_value_is_the_size_found_while_checking(value: dict[str, object]) -> None:
    size = av.check_value(value)
    assert av.value_size(value) == size
    assert av.check_value(value) == size
    assert av.equal(value, value)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 1), ("1", 2), ("12", 2), ("123", 3), ("1234", 3), ("12345678901234567890123456789012345678", 20),
        ("0042", 2), ("100", 2), ("1010", 3), ("0.0000001", 2), ("1E125", 2), ("1E-100", 2), ("1.5", 3), ("15", 2),
        ("1.200", 3), ("1.234", 4), ("3.14159", 5), ("123456", 4), ("100.5", 4), ("0.15", 2), ("-42", 3), ("-0", 1),
    ],
)  # fmt: skip
def test_a_number_counts_its_digits_in_two_halves(text: str, size: int) -> None:
    assert numbers.canonical(text)[1] == size
