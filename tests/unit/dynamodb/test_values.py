"""Attribute values: what is refused, in AWS's words, and how it counts."""

from __future__ import annotations

from typing import Any

import pytest

from outlast.cloud.contract.fault import Fault
from outlast.cloud.services.dynamodb import values as av


@pytest.mark.parametrize(
    ("value", "code", "message"),
    [
        ({}, "ValidationException", av.EMPTY),
        ({"X": "a"}, "ValidationException", av.EMPTY),
        ({"S": None}, "ValidationException", av.EMPTY),
        ({"S": "a", "N": "1"}, "ValidationException", av.SEVERAL),
        ({"S": 5}, "SerializationException", "NUMBER_VALUE cannot be converted to String"),
        ({"S": True}, "SerializationException", "TRUE_VALUE cannot be converted to String"),
        ({"S": 1.5}, "SerializationException", "DECIMAL_VALUE cannot be converted to String"),
        ({"N": 123}, "SerializationException", "NUMBER_VALUE cannot be converted to String"),
        ({"N": ""}, "ValidationException", "The parameter cannot be converted to a numeric value: "),
        ({"N": " 1"}, "ValidationException", "The parameter cannot be converted to a numeric value:  1"),
        ({"N": "NaN"}, "ValidationException", "The parameter cannot be converted to a numeric value: NaN"),
        ({"N": "1" * 39}, "ValidationException", "Attempting to store more than 38 significant digits in a Number"),
        (
            {"N": "1E126"},
            "ValidationException",
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
        (
            {"N": "-1E-131"},
            "ValidationException",
            "Number underflow. Attempting to store a number with magnitude smaller than supported range",
        ),
        ({"NS": ["1", ""]}, "ValidationException", "The parameter cannot be converted to a numeric value: "),
        (
            {"NS": ["1", "1.0"]},
            "ValidationException",
            "One or more parameter values were invalid: Input collection contains duplicates.",
        ),
        (
            {"SS": ["a", "a"]},
            "ValidationException",
            'One or more parameter values were invalid: Input collection ["a", "a"] contains duplicates.',
        ),
        (
            {"SS": []},
            "ValidationException",
            "One or more parameter values were invalid: An string set  may not be empty",
        ),
        (
            {"NS": []},
            "ValidationException",
            "One or more parameter values were invalid: An number set  may not be empty",
        ),
        (
            {"BS": []},
            "ValidationException",
            "One or more parameter values were invalid: Binary sets should not be empty",
        ),
        (
            {"NULL": False},
            "ValidationException",
            "One or more parameter values were invalid: Null attribute value types must have the value of true",
        ),
        ({"M": {"a": {"M": {"b": {}}}}}, "ValidationException", av.EMPTY),
    ],
)
def test_values_that_are_refused(value: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(Fault) as caught:
        av.check_value(value)
    assert (caught.value.code, caught.value.message) == (code, message)


@pytest.mark.parametrize("text", ["A", "AA=", "AB==", "A===", "AA\n=", "=AAA", "A=AA"])
def test_what_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(Fault) as caught:
        av.check_value({"B": text})
    assert caught.value.code == "SerializationException"


def test_numbers_come_to_normal_form_in_place() -> None:
    item: dict[str, Any] = {"a": {"N": "+0042.1200"}, "b": {"NS": ["1e2", "-0"]}, "c": {"L": [{"N": "1E125"}]}}
    av.check_item(item)
    assert item == {"a": {"N": "42.12"}, "b": {"NS": ["0", "100"]}, "c": {"L": [{"N": "1" + "0" * 125}]}}


def test_nesting_ends_at_31_containers() -> None:
    def nested(levels: int) -> dict[str, Any]:
        value: dict[str, Any] = {"S": "x"}
        for _ in range(levels):
            value = {"M": {"a": value}}
        return value

    av.check_value(nested(31))
    with pytest.raises(Fault, match="Nesting Levels have exceeded supported limits"):
        av.check_value(nested(32))


def test_sizes_count_names_values_and_containers() -> None:
    item = {"é": {"S": "é"}, "b": {"B": "AAEC"}, "l": {"L": [{"NULL": True}]}, "m": {"M": {"k": {"BOOL": False}}}}
    assert av.check_item(item) == (2 + 2) + (1 + 3) + (1 + 3 + 1 + 1) + (1 + 3 + 1 + 1 + 1)


def test_sets_are_equal_in_any_order_and_deeply() -> None:
    assert av.equal({"L": [{"SS": ["a", "b"]}]}, {"L": [{"SS": ["b", "a"]}]})
    assert not av.equal({"SS": ["a"]}, {"L": [{"S": "a"}]})
    assert not av.equal({"M": {"a": {"N": "1"}}}, {"M": {"b": {"N": "1"}}})
