"""Templates that make no sense are refused with a text, never with a crash."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from outlast.cloud.services.cloudformation.model import blueprint_document, blueprint_of
from outlast.cloud.services.cloudformation.template import (
    Environment,
    TemplateFault,
    bind,
    parse_text,
    read_template,
)
from outlast.cloud.services.cloudformation.template.bind import capabilities_of
from outlast.cloud.services.cloudformation.template.parameters import settle_parameters

PLACE = Environment("111122223333", "us-east-1", "arn:stack", "app", exports={"e": "v"})
KEYS = st.sampled_from(
    ["Ref", "Fn::GetAtt", "Fn::Sub", "Fn::Join", "Fn::If", "Fn::Select", "Fn::Split", "Fn::Base64", "Fn::FindInMap",
     "Fn::ImportValue", "Fn::GetAZs", "Fn::Equals", "Fn::Not", "Condition", "Fn::Cidr", "Fn::Nope", "Name", "A"]
)  # fmt: skip
SCALARS = st.sampled_from(
    ["A", "B", "P", "L", "C", "M", "e", "A.Arn", "${A}", "${P}-${A.Arn}", "${!x}", "AWS::Region", "AWS::NoValue", "",
     ",", 0, 1, 2.5, True, None, "{{resolve:ssm:x}}"]
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, min_size=1, max_size=2),
    max_leaves=12,
)


@settings(max_examples=500, deadline=None)
@given(properties=VALUES, condition=VALUES, output=VALUES, depends=st.sampled_from([None, "A", "B", ["B"], 5]))
def test_any_value_anywhere(properties: Any, condition: Any, output: Any, depends: Any) -> None:
    source = {
        "Parameters": {"P": {"Type": "String", "Default": "p"}, "L": {"Type": "CommaDelimitedList", "Default": "a,b"}},
        "Mappings": {"M": {"us-east-1": {"A": "x"}}},
        "Conditions": {"C": condition},
        "Resources": {
            "A": {"Type": "T", "Properties": {"X": properties}, **({} if depends is None else {"DependsOn": depends})},
            "B": {"Type": "T", "Condition": "C"},
        },
        "Outputs": {"O": {"Value": output}},
    }
    with suppress(TemplateFault):
        template = read_template(parse_text(json.dumps(source)))
        blueprint = bind(template, settle_parameters(template.parameters, [], {}), PLACE)
        document = json.loads(json.dumps(blueprint_document(blueprint)))
        assert blueprint_document(blueprint_of(document)) == document


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(["Resources", "Parameters", "Mappings", "Conditions", "Outputs", "Description",
                                        "Metadata", "Transform", "Rules"]), VALUES))  # fmt: skip
def test_any_section(source: dict[str, Any]) -> None:
    with suppress(TemplateFault):
        template = read_template(source)
        assert len(capabilities_of(template)) == 2


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="a:- \n{}[]!&*|>'\"#%@`,?\t0Ref", max_size=60))
def test_any_text(text: str) -> None:
    with suppress(TemplateFault):
        assert isinstance(parse_text(text), dict)
