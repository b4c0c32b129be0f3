"""Java's patterns in Python."""

from __future__ import annotations

import pytest

from outlast.cloud.wire.patterns import matcher


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        ("[a-zA-Z0-9_.-]+", "a.b-c_1", "a b"),
        ("^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$", "Zürich 1 中", "a*b"),
        ("\\p{Alnum}+", "abc1", "ü"),
        ("[\\p{Alnum}_]+", "abc_1", "-"),
        ("\\p{L}+", "Ünï", "1"),
        ("\\d{12}", "123456789012", "12345678901"),
        ("^arn:aws", "arn:aws:anything", "xarn:aws"),
        ("tail$", "a tail", "tails"),
        ("a|b", "b", "ab"),
        ("[]a]+", "]a]", "b"),
        ("[^]a]+", "bc", "a"),
        ("[^\\x00-\\x1f]*", "fine", "\x01"),
    ],
)
def test_patterns(pattern: str, good: str, bad: str) -> None:
    matches = matcher(pattern)

    assert matches is not None
    assert matches(good)
    assert not matches(bad)


@pytest.mark.parametrize("pattern", ["[a-z&&[^b]]", "[a[b]]", "\\p{InGreek}x", "(", "[\\w-_]"])
def test_what_python_cannot_judge_is_left_alone(pattern: str) -> None:
    assert matcher(pattern) is None
