"""Filter patterns: terms, JSON conditions, fields."""

from __future__ import annotations

import json

import pytest

from outlast.cloud.services.logs.emf import read_line
from outlast.cloud.services.logs.patterns import PatternFault, compile_pattern

EVENT = json.dumps(
    {
        "level": "ERROR", "code": 503, "latency": 12.5, "user": {"name": "ann", "tags": ["a", "b"]}, "ok": True,
        "none": None, "ip": "10.0.1.2", "dotted.key": 1, "text": "12",
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "message", "matches"),
    [
        ("", "anything", True),
        ("ERROR", "an ERROR here", True),
        ("ERROR", "an error here", False),
        ("ERROR timeout", "timeout after ERROR", True),
        ("ERROR timeout", "ERROR only", False),
        ('"two words"', "these two words", True),
        ('"two words"', "words two", False),
        ('"a \\"quoted\\" b"', 'a "quoted" b', True),
        ("ERROR -Exiting", "ERROR Exiting", False),
        ("ERROR -Exiting", "ERROR staying", True),
        ("?ERROR ?WARN", "a WARN", True),
        ("?ERROR ?WARN", "an INFO", False),
        ('-"not this"', "but that", True),
        ('{ $.level = "ERROR" }', EVENT, True),
        ('{ $.level = "E*" }', EVENT, True),
        ('{ $.level = "*RR*" }', EVENT, True),
        ('{ $.level != "ERROR" }', EVENT, False),
        ("{ $.level = ERROR }", EVENT, True),
        ("{ $.code = 503 }", EVENT, True),
        ("{ $.code >= 500 && $.code < 600 }", EVENT, True),
        ("{ $.code > 503 || $.latency < 13 }", EVENT, True),
        ('{ ($.code = 1 || $.code = 503) && ($.user.name = "ann") }', EVENT, True),
        ('{ $.user.tags[1] = "b" }', EVENT, True),
        ('{ $.user.tags[7] = "b" }', EVENT, False),
        ("{ $.ok IS TRUE }", EVENT, True),
        ("{ $.ok IS FALSE }", EVENT, False),
        ("{ $.none IS NULL }", EVENT, True),
        ("{ $.gone NOT EXISTS }", EVENT, True),
        ("{ $.none NOT EXISTS }", EVENT, False),
        ("{ $.gone != 5 }", EVENT, False),
        ('{ $.ip = "10.0.*" }', EVENT, True),
        ('{ $["dotted.key"] = 1 }', EVENT, True),
        ("{ $.text = 12 }", EVENT, True),
        ("{ $.ok = true }", EVENT, True),
        ("{ $.level = ERROR }", "not json", False),
        ("{ $.level = ERROR }", "{broken", False),
        ("[ip, user, code]", "1.1.1.1 ann 200", True),
        ("[ip, user, code]", "1.1.1.1 ann 200 more", False),
        ("[ip, user, code = 4*]", "1.1.1.1 ann 404", True),
        ("[ip, user, code = 4*]", "1.1.1.1 ann 200", False),
        ("[ip, ..., code > 300 && code < 500]", '1.1.1.1 - [10/Oct/2000 13:25] "GET / HTTP/1.0" 404', True),
        ("[ip, ..., size]", "1.1.1.1", False),
        ("[..., code = 200 || code = 204]", "a b c 204", True),
        ('[w = "[INFO]" || w = INFO, rest]', "[INFO] x", True),
    ],
)
def test_what_matches(pattern: str, message: str, matches: bool) -> None:
    assert (compile_pattern(pattern).match(message) is not None) is matches


@pytest.mark.parametrize(
    "pattern",
    ["{ $.a }", "{ $.a = }", "{ a = 1 }", "{ $.a = 1", "{ ($.a = 1 }", "{ $.a IS MAYBE }", "{ $.a NOT THERE }",
     "{ $.a = %x% }", "%x%", "a:b", "[a, b", "[a b]", "[..., x, ...]", "x" * 1025,
     "{" + "(" * 60 + "$.a = 1" + ")" * 60 + "}",
     '"open'],
)  # fmt: skip
def test_bad_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(PatternFault) as caught:
        compile_pattern(pattern)
    assert caught.value.message


def test_values_are_extracted() -> None:
    assert compile_pattern("{ $.code = 503 }").match(EVENT) == {"$.code": "503"}
    spaced = compile_pattern("[ip, ..., size]")
    assert spaced.match("1.1.1.1 a b 77") == {"$ip": "1.1.1.1", "$size": "77"}
    assert spaced.value("1.1.1.1 a b 77", "$size") == "77"
    assert spaced.value("x", "1") == "1"
    assert compile_pattern("{ $.code = 503 }").value(EVENT, "$.latency") == "12.5"
    assert compile_pattern("ERROR").value(EVENT, "$.gone") is None


def emf(**more: object) -> str:
    directive = {
        "Namespace": "App",
        "Dimensions": [["Service"], []],
        "Metrics": [{"Name": "Time", "Unit": "Milliseconds"}],
    }
    document = {"_aws": {"Timestamp": 1_700_000_000_000, "CloudWatchMetrics": [directive]}, "Service": "s", "Time": 5}
    return json.dumps({**document, **more})


def test_embedded_metrics_are_read() -> None:
    found = list(read_line(emf(), 0))
    assert found == [
        ("App", {"MetricName": "Time", "Dimensions": [{"Name": "Service", "Value": "s"}], "Timestamp": 1_700_000_000.0,
                 "Values": [5.0], "Unit": "Milliseconds"}),
        ("App", {"MetricName": "Time", "Dimensions": [], "Timestamp": 1_700_000_000.0, "Values": [5.0],
                 "Unit": "Milliseconds"}),
    ]  # fmt: skip
    assert [datum["Values"] for _, datum in read_line(emf(Time=[1, 2.5]), 0)] == [[1.0, 2.5]] * 2


@pytest.mark.parametrize(
    "line",
    ["plain", '"_aws"', '{"_aws": 1}', '{"_aws": {"CloudWatchMetrics": [{"Namespace": 1}]}}', emf(Time="x"),
     emf(Time=True), emf(Time=[1] * 101), emf(Service=""), emf()[:-1]],
)  # fmt: skip
def test_lines_that_are_no_embedded_metrics_are_passed_over(line: str) -> None:
    found = list(read_line(line, 0))
    assert len(found) <= 1
    assert all(datum["Dimensions"] == [] for _, datum in found)
