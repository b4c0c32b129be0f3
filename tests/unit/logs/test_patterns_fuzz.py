"""Filter patterns that make no sense are refused with a text; what compiles never fails on a message."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from outlast.cloud.services.logs.emf import read_line
from outlast.cloud.services.logs.patterns import PatternFault, compile_pattern

WORDS = st.sampled_from(
    ["{", "}", "[", "]", "$.a", "$.a[0].b", "$", "=", "!=", ">", "&&", "||", "(", ")", '"x*"', "ERROR", "-no", "?maybe",
     "...", ",", "IS", "NULL", "NOT", "EXISTS", "5", "%x%", "\\", '"', "a = 4*"]
)  # fmt: skip
MESSAGES = st.sampled_from(["", "ERROR x 5", '{"a": 5}', '{"a": [{"b": "x"}]}', "[1", '{"_aws": {}}', "a b c 404"])


@settings(max_examples=500, deadline=None)
@given(st.lists(WORDS, max_size=10), MESSAGES)
def test_patterns(words: list[str], message: str) -> None:
    with suppress(PatternFault):
        pattern = compile_pattern(" ".join(words))
        found = pattern.match(message)
        assert found is None or all(isinstance(value, str) for value in found.values())
        pattern.value(message, "$.a")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80).map(lambda text: '{"_aws": ' + text + "}"))
def test_embedded_metrics(line: str) -> None:
    assert list(read_line(line, 0)) == []
