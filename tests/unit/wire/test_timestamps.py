"""Timestamps in their three formats."""

from __future__ import annotations

import pytest

from outlast.cloud.wire import timestamps


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14T22:13:20.250Z", 1_700_000_000.25),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000),
        ("2023-11-14T22:13:20", 1_700_000_000),
        ("2023-11-14", 1_699_920_000),
        ("Tue, 14 Nov 2023 22:13:20 GMT", 1_700_000_000),
        ("1700000000", 1_700_000_000),
        ("1.7E9", 1_700_000_000),
        ("1700000000.5", 1_700_000_000.5),
    ],
)
def test_reading(text: str, seconds: float) -> None:
    assert timestamps.parse(text) == seconds


@pytest.mark.parametrize("text", ["", "yesterday", "2023-13-01T00:00:00Z", "nan", "inf"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        timestamps.parse(text)


def test_writing() -> None:
    assert timestamps.text(1_700_000_000, "iso8601") == "2023-11-14T22:13:20Z"
    assert timestamps.text(1_700_000_000.25, "iso8601") == "2023-11-14T22:13:20.250Z"
    assert timestamps.text(1_700_000_000, "rfc822") == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert timestamps.text(1_700_000_000.0, "unixTimestamp") == "1700000000"
    assert timestamps.unix(1.5) == 1.5
