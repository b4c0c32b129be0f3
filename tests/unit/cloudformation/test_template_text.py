"""Template text to plain data."""

from __future__ import annotations

import pytest

from outlast.cloud.services.cloudformation.template import TemplateFault, parse_text

SHORT = """
AWSTemplateFormatVersion: 2010-09-09
Resources:
  A:
    Type: AWS::X::Y
    Properties:
      Ref: !Ref Name
      Att: !GetAtt Table.Stream.Arn
      AttList: !GetAtt [Table, Arn]
      Sub: !Sub "${A}-b"
      SubMap: !Sub
        - "${A}-b"
        - A: !Ref Name
      Join: !Join [",", [a, !Ref B]]
      If: !If [Cond, 1, !Ref AWS::NoValue]
      Map: !FindInMap [M, !Ref "AWS::Region", V]
      Select: !Select [0, !GetAZs ""]
      Base: !Base64 text
      Nested: !Base64
        Fn::Sub: x
      Long: {Fn::ImportValue: name}
"""


def test_short_tags_become_functions() -> None:
    found = parse_text(SHORT)["Resources"]["A"]["Properties"]
    assert found == {
        "Ref": {"Ref": "Name"},
        "Att": {"Fn::GetAtt": ["Table", "Stream.Arn"]},
        "AttList": {"Fn::GetAtt": ["Table", "Arn"]},
        "Sub": {"Fn::Sub": "${A}-b"},
        "SubMap": {"Fn::Sub": ["${A}-b", {"A": {"Ref": "Name"}}]},
        "Join": {"Fn::Join": [",", ["a", {"Ref": "B"}]]},
        "If": {"Fn::If": ["Cond", 1, {"Ref": "AWS::NoValue"}]},
        "Map": {"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "V"]},
        "Select": {"Fn::Select": [0, {"Fn::GetAZs": ""}]},
        "Base": {"Fn::Base64": "text"},
        "Nested": {"Fn::Base64": {"Fn::Sub": "x"}},
        "Long": {"Fn::ImportValue": "name"},
    }


def test_condition_tags() -> None:
    text = (
        "Conditions: {A: !Equals [a, b], B: !And [!Condition A, !Not [!Condition A], !Or [!Condition A, !Condition A]]}"
    )
    assert parse_text(text)["Conditions"]["B"] == {
        "Fn::And": [
            {"Condition": "A"},
            {"Fn::Not": [{"Condition": "A"}]},
            {"Fn::Or": [{"Condition": "A"}, {"Condition": "A"}]},
        ]
    }


def test_dates_account_ids_and_number_keys_stay_text() -> None:
    found = parse_text("a: 2012-10-17\nb: 012345678901\nc: {200: x}")
    assert found == {"a": "2012-10-17", "b": "012345678901", "c": {"200": "x"}}


def test_json_is_read_by_its_first_character() -> None:
    assert parse_text(' {"Resources": {"A": {"Type": "T"}}}') == {"Resources": {"A": {"Type": "T"}}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": }', "Template format error: JSON not well-formed. (line 1, column 7)"),
        ('{"a": NaN}', "Template format error: JSON not well-formed."),
        ('{"a": 1, "a": 2}', "Duplicate key a"),
        ("a: [1", "Template format error: YAML not well-formed. (line 1"),
        ("a: 1\na: 2", "Duplicate key a"),
        ("a: &x 1\nb: *x", "aliases are not allowed"),
        ("a: !Nope x", "Unknown tag !Nope"),
        ("a: !!binary aGk=", "is not supported"),
        ("just text", "Template format error: unsupported structure."),
        ("- a", "Template format error: unsupported structure."),
        ("", "Template format error: unsupported structure."),
        ("? [a, b]\n: c", "All keys must be strings"),
        ("a: " + "[" * 3000 + "]" * 3000, "nested too deeply"),
        ("[" * 50_000, "nested too deeply"),
        ("{" + '"a":{' * 20000, "nested too deeply"),
        ("a: " + "x" * 51_200, "may not exceed 51200 bytes"),
        ("a: b: c", "YAML not well-formed. (line 1, column 5)"),
        ("a: \x00", "YAML not well-formed"),
    ],
)
def test_what_is_malformed_is_told(text: str, message: str) -> None:
    with pytest.raises(TemplateFault) as caught:
        parse_text(text, limit_bytes=200_000 if "20000" in message or text.startswith('{"a":{') else 51_200)
    assert message in caught.value.message
