"""PutMetricData's parameters, checked as CloudWatch checks them and turned into data.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from outlast.cloud.services.cloudwatch.errors import (
    InvalidParameterCombinationException,
    InvalidParameterValueException,
    MissingRequiredParameterException,
)
from outlast.cloud.services.cloudwatch.model import Dimensions
from outlast.cloud.services.cloudwatch.store.bucket import Bucket
from outlast.cloud.services.cloudwatch.store.store import Datum

MAX_DATA: Final = 1_000
MAX_VALUES: Final = 150
LARGEST: Final = 2.0**360
OLDEST_S: Final = 14 * 86_400
NEWEST_S: Final = 2 * 3_600


def read_data(namespace: str, metric_data: Sequence[Mapping[str, Any]], now_s: float) -> list[Datum]:
    """The data of a request; raises the Fault of the first datum that is wrong, before anything is taken."""
    if len(metric_data) > MAX_DATA:
        raise InvalidParameterValueException(f"The collection MetricData must not have a size greater than {MAX_DATA}.")
    found: list[Datum] = []
    for place, entry in enumerate(metric_data, 1):
        fine = entry.get("StorageResolution", 60)
        if fine not in (1, 60):
            raise _bad(f"The value {fine} for parameter {_at(place)}.StorageResolution is not supported.")
        time_s = entry.get("Timestamp", now_s)
        if not now_s - OLDEST_S <= time_s <= now_s + NEWEST_S:
            raise _bad(_wrong_time(place, time_s > now_s))
        value = entry.get("Value")
        if value is None or "Values" in entry or "StatisticValues" in entry or "Counts" in entry:
            value = _value(entry, place)
        elif not -LARGEST <= value <= LARGEST:
            raise _bad(f"The value {value} for parameter {_at(place)}.Value is invalid.")
        dimensions = entry.get("Dimensions")
        identity = (
            namespace,
            entry["MetricName"],
            _dimensions(dimensions, place) if dimensions else (),
            entry.get("Unit", "None"),
        )
        found.append(Datum(identity, int(time_s), fine == 1, value))
    return found


def _at(place: int) -> str:
    return f"MetricData.member.{place}"


def _bad(message: str) -> InvalidParameterValueException:
    return InvalidParameterValueException(message)


def _wrong_time(place: int, is_future: bool) -> str:
    limit = "no more than two hours in the future" if is_future else "within the past two weeks"
    return f"The parameter {_at(place)}.Timestamp must specify a time {limit}."


def _dimensions(given: Sequence[Mapping[str, str]], place: int) -> Dimensions:
    if len(given) == 1:
        (one,) = given
        return ((one["Name"], one["Value"]),)
    found = tuple(sorted((one["Name"], one["Value"]) for one in given))
    for before, after in pairwise(found):
        if before[0] == after[0]:
            raise _bad(f"No parameter {_at(place)}.Dimensions may name the dimension {after[0]} twice.")
    return found


def _value(entry: Mapping[str, Any], place: int) -> float | Bucket:
    value, values, statistics = entry.get("Value"), entry.get("Values"), entry.get("StatisticValues")
    given = [
        name
        for name, one in (("Value", value), ("Values", values), ("StatisticValues", statistics))
        if one is not None and one != []
    ]
    if not given:
        raise MissingRequiredParameterException(
            f"The parameter {_at(place)}.Value, {_at(place)}.Values or {_at(place)}.StatisticValues is required."
        )
    if len(given) > 1:
        first, second = (f"{_at(place)}.{name}" for name in given[:2])
        raise InvalidParameterCombinationException(
            f"The parameters {first} and {second} are mutually exclusive and you have specified both."
        )
    if entry.get("Counts") and not values:
        raise InvalidParameterCombinationException(
            f"The parameter {_at(place)}.Counts may be given with {_at(place)}.Values only."
        )
    if statistics is not None:
        return _statistic_set(statistics, place)
    if values:
        return _values(values, entry.get("Counts"), place)
    return _number(value, f"{_at(place)}.Value")


def _number(value: Any, name: str) -> float:
    if not -LARGEST <= value <= LARGEST:
        raise _bad(f"The value {value} for parameter {name} is invalid.")
    return float(value)


def _values(values: Sequence[float], counts: Sequence[float] | None, place: int) -> Bucket:
    if len(values) > MAX_VALUES:
        raise _bad(f"The collection {_at(place)}.Values must not have a size greater than {MAX_VALUES}.")
    if counts and len(counts) != len(values):
        raise _bad(f"The parameters {_at(place)}.Values and {_at(place)}.Counts must be of the same size.")
    found: dict[float, float] = {}
    for index, value in enumerate(values):
        number = _number(value, f"{_at(place)}.Values.member.{index + 1}")
        count = 1.0 if not counts else _number(counts[index], f"{_at(place)}.Counts.member.{index + 1}")
        if count < 0:
            raise _bad(f"The value {count} for parameter {_at(place)}.Counts.member.{index + 1} is invalid.")
        if count:
            found[number] = found.get(number, 0.0) + count
    if not found:
        raise _bad(f"The parameter {_at(place)}.Counts must not hold zeroes only.")
    return Bucket.of_values(found)


def _statistic_set(given: Mapping[str, float], place: int) -> Bucket:
    name = f"{_at(place)}.StatisticValues"
    count, total, low, high = (
        _number(given[member], f"{name}.{member}") for member in ("SampleCount", "Sum", "Minimum", "Maximum")
    )
    if count <= 0:
        raise _bad(f"The value {count} for parameter {name}.SampleCount is invalid.")
    if low > high:
        raise InvalidParameterCombinationException(f"The parameter {name}.Maximum must be greater than {name}.Minimum.")
    if low == high and abs(total - low * count) <= 1e-9 * max(abs(total), 1.0):
        return Bucket(count, total, low, high, low)
    return Bucket(count, total, low, high, None)
