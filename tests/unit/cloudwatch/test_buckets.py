"""Buckets of values and their statistics."""

from __future__ import annotations

import pytest

from outlast.cloud.services.cloudwatch.statistics import compute, refusal
from outlast.cloud.services.cloudwatch.store.bucket import MAX_DISTINCT, Bucket, merged
from outlast.cloud.services.cloudwatch.store.parts import bucket_of, pack, row, unpack


def filled(*values: float) -> Bucket:
    bucket = Bucket.of(values[0])
    for value in values[1:]:
        bucket.add(value)
    return bucket


def test_statistics_of_values() -> None:
    bucket = filled(4, 1, 3, 2, 2)
    found = {name: compute(bucket, name) for name in ("SampleCount", "Sum", "Average", "Minimum", "Maximum")}
    assert found == {"SampleCount": 5, "Sum": 12, "Average": 2.4, "Minimum": 1, "Maximum": 4}


@pytest.mark.parametrize(
    ("name", "expected"), [("p0", 1), ("p50", 50), ("p90", 90), ("p99", 99), ("p99.9", 100), ("p100", 100)]
)
def test_percentiles_are_those_of_the_values(name: str, expected: float) -> None:
    assert compute(filled(*range(100, 0, -1)), name) == expected


def test_a_statistic_set_has_no_percentiles_unless_all_its_values_are_equal() -> None:
    assert compute(Bucket(10, 55, 1, 10, None), "p50") is None
    assert compute(Bucket(10, 50, 5, 5, None), "p50") == 5
    joined = merged([filled(1, 2), Bucket(2, 30, 10, 20, None)])
    assert joined is not None
    assert (joined.count, joined.total, joined.low, joined.high) == (4, 33, 1, 20)
    assert compute(joined, "p50") is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tm90", "The statistic tm90 is not supported by this cloud"),
        ("TM(10%:90%)", "is not supported by this cloud"),
        ("IQM", "The statistic IQM is not supported by this cloud"),
        ("Median", "The value Median for parameter Stat is not supported."),
        ("p101", "not supported"),
    ],
)
def test_statistics_that_cannot_be_computed_are_refused_by_name(name: str, text: str) -> None:
    found = refusal(name)
    assert found is not None
    assert text in found


def test_many_values_keep_their_percentiles_within_one_per_cent() -> None:
    bucket = filled(*(1 + n / 50 for n in range(10_000)))
    values = bucket.histogram()
    assert values is not None
    assert len(values) <= MAX_DISTINCT
    assert bucket.count == 10_000
    assert sum(values.values()) == pytest.approx(10_000)
    for percent in (1, 10, 50, 90, 99):
        exact = 1 + (percent * 100 - 1) / 50
        assert compute(bucket, f"p{percent}") == pytest.approx(exact, rel=0.03)


def test_negative_and_zero_values_survive_being_joined() -> None:
    bucket = filled(*(n - 1000 for n in range(2001)))
    assert compute(bucket, "p50") == pytest.approx(0, abs=1)
    assert bucket.low == -1000
    assert compute(bucket, "p10") == pytest.approx(-800, rel=0.03)


@pytest.mark.parametrize("bucket", [filled(1.5), filled(2, 2, 2), filled(1, 2, 2, 7.25), Bucket(3, 9, 1, 5, None)])
def test_a_bucket_survives_being_written(bucket: Bucket) -> None:
    again = bucket_of(row(bucket))
    assert (again.count, again.total, again.low, again.high) == (bucket.count, bucket.total, bucket.low, bucket.high)
    assert again.histogram() == bucket.histogram()
    ((time_s, other),) = unpack(600, pack(600, [(660, bucket)]))
    assert time_s == 660
    assert other.histogram() == bucket.histogram()


def test_a_copy_is_its_own() -> None:
    first = filled(1, 2)
    second = first.copy()
    second.add(3)
    assert first.count == 2
    assert first.histogram() == {1: 1, 2: 1}
