"""Files that people write are read within bounds, and held to the schema that says their form."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from outlast.ops.drill.file import find, parse
from outlast.ops.forms import LIMIT_BYTES, hold, text_of, yaml_of
from outlast.ops.outcome import UsageError
from outlast.ops.reconcile.rules import find as find_rules
from tests.unit.ops_kit.test_drill_library import SCHEMA

GOOD = {"name": "x", "hypothesis": "h", "fault": {"kind": "link-cut"}}
WRONG: list[dict[str, Any]] = [
    {"name": "../../evil"},
    {"name": "/tmp/evil"},
    {"name": "a\0b"},
    {"name": 5},
    {"title": ""},
    {"expect": 5},
    {"expect": "rto <= 5 s"},
    {"expect": ["rto <= abc"]},
    {"stop": 7},
    {"stop": [None]},
    {"fault": {"kind": "no-such"}},
    {"fault": {"kind": "link-cut", "regions": 5}},
    {"fault": {"kind": "link-cut", "parameters": [1]}},
    {"fault": {"kind": "link-cut", "after_s": -1}},
    {"load": {"rate_per_s": "fast"}},
    {"load": {"rate_per_s": 0}},
    {"load": {"rate_per_s": True}},
    {"load": {"clients": 1.5}},
    {"load": {"stubborn_share": 7}},
    {"phases": {"steps": 5}},
    {"phases": {"steps": []}},
    {"phases": {"steps": [0]}},
    {"phases": {"nap_s": 1}},
    {"phases": {"live_s": -3}},
    {"also": {"kind": "link-cut"}},
    {"rollback": ["end-faults", "end-faults", "controls-on"]},
    {"ending": ["left"]},
    {"more": 1},
]


@pytest.mark.parametrize("change", WRONG, ids=str)
def test_what_the_schema_refuses_is_refused_in_one_line(change: dict[str, Any]) -> None:
    document = {**GOOD, **change}
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(document)
    with pytest.raises(UsageError) as refused:
        hold(document, SCHEMA, "x.yaml")
    assert "\n" not in str(refused.value)
    with pytest.raises(UsageError):
        parse(yaml.safe_dump(document), "x.yaml")


@pytest.mark.parametrize("value", [".nan", ".inf", "2026-01-01", "1.2.3"])
def test_what_only_yaml_can_say_is_refused(value: str) -> None:
    with pytest.raises(UsageError):
        parse(f"{json.dumps(GOOD)[:-1]}, phases: {{live_s: {value}}}}}", "x.yaml")
    with pytest.raises(UsageError):
        parse(f"name: x\nhypothesis: h\nfault: {{kind: link-cut, parameters: {{x: [{value}]}}}}\nexpect: [5]", "x.yaml")


SPOILT = """\
name: mine
hypothesis: h
fault:
  kind: gray-failure
  services: [execute-api]
phases:
  healthy_s: 8
  steps: [5, 100]
expect:
  - rto <= 60 s
  - lost_writes == 0
stop: [elapsed > 240 s]
"""
BY_LINE = [
    ("kind: gray-failure", "kind: grey", "line 4: fault: kind must be one of region-killed,"),
    ("healthy_s: 8", "healthy_s: -8", "line 7: phases: healthy_s must be from 0 to 604800, not -8."),
    ("healthy_s", "helthy_s", "line 7: phases has no member helthy_s; it has act_after_s,"),
    ("[5, 100]", "[5, 50]", "line 8: phases: steps must rise, and end with 100."),
    ("[5, 100]", "[50, 5, 100]", "line 8: phases: steps must rise, and end with 100."),
    ("rto <= 60 s", "rto <= 60 %", "line 10: expect: number 1: rto is measured in s, not in %."),
    ("lost_writes == 0", "lost_wirtes == 0", "line 11: expect: number 2: lost_wirtes is not measured;"),
    ("lost_writes == 0", "lost", "line 11: expect: number 2 must be like rto <= 90 s, not 'lost'."),
    ("elapsed > 240 s", "rto > 9 s", "line 12: stop: number 1: rto is not measured; there are bad_share,"),
    ("stop: [elapsed > 240 s]", "expect: []", "line 12: expect is there already, in line 9."),
    ("fault:\n  kind: gray-failure\n  services: [execute-api]\n", "", ": the member fault is missing."),
    ("services: [execute-api]", "services: [execute-api", "line 6, is not YAML: expected ',' or ']'"),
]


@pytest.mark.parametrize(("was", "now", "said"), BY_LINE, ids=[said for *_, said in BY_LINE])
def test_what_is_wrong_is_named_by_its_line_and_its_member(was: str, now: str, said: str) -> None:
    parse(SPOILT, "x.yaml")
    with pytest.raises(UsageError) as refused:
        parse(SPOILT.replace(was, now), "x.yaml")
    assert str(refused.value).removeprefix("x.yaml, ").removeprefix("x.yaml").startswith(said)
    assert "\n" not in str(refused.value)


def test_a_limit_that_is_no_number_is_no_objective() -> None:
    with pytest.raises(UsageError, match="no objective"):
        parse(f"{json.dumps(GOOD)[:-1]}, expect: ['rto <= 1.2.3 s']}}", "x.yaml")


def test_a_few_lines_cannot_stand_for_a_machine_full_of_text() -> None:
    bomb = "a: &a [lol, lol]\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(UsageError, match="aliases"):
        yaml_of(f"{bomb}name: *i\n", "x.yaml")


@pytest.mark.parametrize("text", ["[" * 5000, "- " * 5000, "{a: " * 200], ids=["lists", "dashes", "mappings"])
def test_depth_is_refused_not_followed(text: str) -> None:
    with pytest.raises(UsageError, match="deep"):
        yaml_of(text, "x.yaml")


def test_files_that_are_no_text_are_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "long.yaml").write_bytes(b"#" * (LIMIT_BYTES + 1))
    os.symlink("/dev/zero", tmp_path / "endless.yaml")
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(UsageError, match=path.name):
            text_of(path)
        with pytest.raises(UsageError):
            find(str(path))
        with pytest.raises(UsageError):
            find_rules(str(path))
