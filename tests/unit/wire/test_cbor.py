"""The examples of RFC 8949, appendix A, and what lies beyond its edges."""

from __future__ import annotations

import math
from typing import Any

import pytest

from outlast.cloud.wire import cbor


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("00", 0),
        ("17", 23),
        ("1818", 24),
        ("1903e8", 1000),
        ("1a000f4240", 1_000_000),
        ("1bffffffffffffffff", 18_446_744_073_709_551_615),
        ("20", -1),
        ("3903e7", -1000),
        ("f90000", 0.0),
        ("f93c00", 1.0),
        ("f97bff", 65504.0),
        ("fa47c35000", 100_000.0),
        ("fb3ff199999999999a", 1.1),
        ("f97c00", math.inf),
        ("f4", False),
        ("f5", True),
        ("f6", None),
        ("f7", None),
        ("c11a514b67b0", 1_363_896_240),
        ("c1fb41d452d9ec200000", 1_363_896_240.5),
        ("d74401020304", b"\x01\x02\x03\x04"),
        ("4401020304", b"\x01\x02\x03\x04"),
        ("63c3bc61", "üa"),
        ("83010203", [1, 2, 3]),
        ("8301820203820405", [1, [2, 3], [4, 5]]),
        ("a26161016162820203", {"a": 1, "b": [2, 3]}),
        ("5f42010243030405ff", b"\x01\x02\x03\x04\x05"),
        ("7f657374726561646d696e67ff", "streaming"),
        ("9f018202039f0405ffff", [1, [2, 3], [4, 5]]),
        ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}),
    ],
)
def test_the_examples_of_the_rfc(data: str, value: Any) -> None:
    assert cbor.loads(bytes.fromhex(data)) == value


@pytest.mark.parametrize(
    "data",
    [
        "",
        "ff",
        "18",
        "62",
        "a1",
        "a101",
        "a10102",
        "9f",
        "9fff00",
        "1c",
        "5f61ff",
        "5f5f40ffff",
        "61ff",
        "c1",
        "c16161",
        "f8",
        "fb00",
        "9bffffffffffffffff",
        "bf6161ff",
        "82ff",
        "81" * 200 + "00",
        "c1f5",
    ],
)
def test_malformed(data: str) -> None:
    with pytest.raises(cbor.Malformed):
        cbor.loads(bytes.fromhex(data))


def test_times_are_tagged() -> None:
    assert cbor.dumps(cbor.Epoch(1_363_896_240)).hex() == "c11a514b67b0"
    assert cbor.dumps(cbor.Epoch(1_363_896_240.5)).hex() == "c1fb41d452d9ec200000"


def test_what_cannot_be_carried() -> None:
    with pytest.raises(TypeError, match="set"):
        cbor.dumps({"a": set()})
