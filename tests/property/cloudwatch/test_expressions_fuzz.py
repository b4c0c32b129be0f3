"""Text that users write never does worse than a clear refusal: expressions, rules, filter patterns, dashboards."""

from __future__ import annotations

import json
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from outlast.cloud.services.cloudwatch.alarms.rule import RuleFault, is_true, read_rule
from outlast.cloud.services.cloudwatch.dashboard import check_body
from outlast.cloud.services.cloudwatch.math import Grid, MathFault, Scope, TimeSeries, evaluate, parse
from outlast.cloud.services.cloudwatch.search import read_search

SERIES = TimeSeries({0: 1.0, 60: -2.0, 120: 0.0, 180: 1e300}, 60, "m1", "m1")
SCOPE = Scope({"m1": SERIES, "s": 3.0, "l": [SERIES, SERIES]}, {"m1": SERIES}, Grid(0, 240, 60))
WORDS = st.sampled_from(
    ["m1", "s", "l", "METRICS()", "SUM(", "AVG(", "FILL(", "IF(", "RATE(", "SORT(", "SLICE(", "MAX(", "LOG(", "(", ")",
     "[", "]", ",", "+", "-", "*", "/", "^", "<", ">=", "==", "AND", "||", "!", "1", "0", "2.5e3", "'x'", "REPEAT",
     "LINEAR", "DESC", "EPOCH(m1)", "FILL(m1,0)", "nope", "#"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(WORDS, max_size=14))
def test_metric_math(words: list[str]) -> None:
    with suppress(MathFault):
        assert isinstance(evaluate(parse(" ".join(words)), SCOPE), float | str | TimeSeries | list)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(["ALARM(a)", 'OK("b c")', "AND", "OR", "NOT", "(", ")", "TRUE", "FALSE", "x", '"'])))
def test_composite_rules(words: list[str]) -> None:
    with suppress(RuleFault):
        assert is_true(read_rule(" ".join(words)), lambda name: "OK") in (True, False)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='{}AWS/,Name="x" ()=:OR', max_size=40))
def test_searches(text: str) -> None:
    with suppress(MathFault):
        assert read_search(text).namespace != ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2000) | st.sampled_from(["metric", "text", "alarm", "App"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["widgets", "type", "properties", "metrics", "x", "width", "markdown", "period", "annotations"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_dashboards(body: object) -> None:
    errors, warnings = check_body(json.dumps({"widgets": body}) if not isinstance(body, dict) else json.dumps(body))
    assert all(set(one) == {"DataPath", "Message"} for one in [*errors, *warnings])
