"""A service that disagrees with the model cannot be imported."""

from __future__ import annotations

from typing import Any

import pytest

from outlast.cloud.contract import Call, Misdeclared, Reply, Service
from outlast.cloud.contract.meter import MAX_BUCKETS, Meter, round_to_digits


def service() -> Service[Any]:
    return Service("dynamodb", open=lambda region: None)


def test_an_operation_must_exist() -> None:
    with pytest.raises(Misdeclared, match="no operation"):

        @service().operation()
        def make_table(call: Call[Any]) -> Reply:
            return {}


def test_a_parameter_must_be_a_member() -> None:
    with pytest.raises(Misdeclared, match="no member"):

        @service().operation()
        def describe_table(call: Call[Any], *, table: str) -> Reply:
            return {}


def test_what_the_model_requires_has_no_default_and_the_rest_has_one() -> None:
    with pytest.raises(Misdeclared, match="must have no default"):

        @service().operation()
        def describe_table(call: Call[Any], *, table_name: str = "") -> Reply:
            return {}

    with pytest.raises(Misdeclared, match="needs a default"):

        @service().operation(name="ListTables")
        def list_all(call: Call[Any], *, limit: int) -> Reply:
            return {}


def test_a_required_member_must_be_taken() -> None:
    with pytest.raises(Misdeclared, match="lacks the required TableName"):

        @service().operation()
        def describe_table(call: Call[Any]) -> Reply:
            return {}


def test_an_arn_template_names_members_only() -> None:
    with pytest.raises(Misdeclared, match="ARN template"):

        @service().operation(resource="arn:aws:dynamodb:{region}:{account}:table/{Name}")
        def describe_table(call: Call[Any], *, table_name: str) -> Reply:
            return {}


def test_ignored_members_must_exist() -> None:
    with pytest.raises(Misdeclared, match="unknown members"):

        @service().operation(ignored=("Colour",))
        def describe_table(call: Call[Any], *, table_name: str) -> Reply:
            return {}


def test_a_series_keeps_every_value_until_there_are_many_and_then_three_digits() -> None:
    meter = Meter()
    series = meter.series("N", "M", {"b": "2", "a": "1"}, "Count")
    assert meter.series("N", "M", {"a": "1", "b": "2"}, "Count") is series
    series.add(1.5, 2)
    series.add(3.0)
    (drained,) = meter.drain()
    assert dict(zip(drained.values, drained.counts, strict=True)) == {1.5: 2, 3.0: 1}
    assert list(meter.drain()) == []
    for number in range(5_000):
        series.add(number + 0.123456)
    (drained,) = meter.drain()
    assert sum(drained.counts) == 5_000
    assert len(drained.values) <= 2 * MAX_BUCKETS + 9 * 4  # nine for each power of ten


@pytest.mark.parametrize(("value", "rounded"), [(0.0, 0.0), (1234.0, 1230.0), (0.0012345, 0.00123), (-9876.0, -9880.0)])
def test_rounding_keeps_three_significant_digits(value: float, rounded: float) -> None:
    assert round_to_digits(value) == pytest.approx(rounded)
