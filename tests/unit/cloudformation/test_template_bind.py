"""Templates bound to parameters: functions, conditions, references and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from outlast.cloud.services.cloudformation.template import (
    Blueprint,
    Environment,
    TemplateFault,
    bind,
    read_template,
)
from outlast.cloud.services.cloudformation.template.bind import capabilities_of
from outlast.cloud.services.cloudformation.template.intrinsics import reduce
from outlast.cloud.services.cloudformation.template.parameters import settle_parameters

PLACE = Environment(
    account_id="111122223333",
    region="us-west-2",
    stack_id="arn:aws:cloudformation:us-west-2:111122223333:stack/app/1",
    stack_name="app",
    exports={"shared-table": "orders"},
)


def bound(source: dict[str, Any], **values: str) -> Blueprint:
    template = read_template(source)
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
    return bind(template, settle_parameters(template.parameters, given, {}), PLACE)


def properties(value: Any, **more: Any) -> Any:
    """What one property named P comes to in a template with another resource, B."""
    source = {
        "Parameters": {
            "Name": {"Type": "String", "Default": "n"},
            "Size": {"Type": "Number", "Default": 3},
            "List": {"Type": "CommaDelimitedList", "Default": "a, b ,c"},
        },
        "Mappings": {"M": {"us-west-2": {"Ami": "ami-2", "Zones": ["x", "y"]}}},
        "Conditions": {"Yes": {"Fn::Equals": [{"Ref": "Name"}, "n"]}, "No": {"Fn::Not": [{"Condition": "Yes"}]}},
        "Resources": {"A": {"Type": "T::A::A", "Properties": {"P": value}}, "B": {"Type": "T::B::B"}},
        **more,
    }
    return bound(source).resources["A"].properties.get("P", "absent")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Name"}, "n"),
        ({"Ref": "Size"}, "3"),
        ({"Ref": "List"}, ["a", "b", "c"]),
        ({"Ref": "AWS::Region"}, "us-west-2"),
        ({"Ref": "AWS::AccountId"}, "111122223333"),
        ({"Ref": "AWS::Partition"}, "aws"),
        ({"Ref": "AWS::URLSuffix"}, "amazonaws.com"),
        ({"Ref": "AWS::StackName"}, "app"),
        ({"Ref": "AWS::NotificationARNs"}, []),
        ({"Ref": "AWS::NoValue"}, "absent"),
        ([1, {"Ref": "AWS::NoValue"}, 2], [1, 2]),
        ({"X": {"Ref": "AWS::NoValue"}, "Y": 1}, {"Y": 1}),
        ({"Fn::Join": ["-", ["a", {"Ref": "Name"}, 1, True]]}, "a-n-1-true"),
        ({"Fn::Join": [",", {"Ref": "List"}]}, "a,b,c"),
        ({"Fn::Sub": "${Name}/${AWS::Region}/${!Name}"}, "n/us-west-2/${Name}"),
        ({"Fn::Sub": ["${x}${Name}", {"x": {"Ref": "Size"}}]}, "3n"),
        ({"Fn::Sub": "plain"}, "plain"),
        ({"Fn::Select": ["1", {"Ref": "List"}]}, "b"),
        ({"Fn::Select": [0, {"Fn::GetAZs": ""}]}, "us-west-2a"),
        ({"Fn::GetAZs": "eu-west-1"}, ["eu-west-1a", "eu-west-1b", "eu-west-1c"]),
        ({"Fn::Split": ["|", "a|b"]}, ["a", "b"]),
        ({"Fn::Select": [1, {"Fn::Split": ["|", "a|b"]}]}, "b"),
        ({"Fn::Base64": {"Fn::Sub": "${Name}"}}, "bg=="),
        ({"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "Ami"]}, "ami-2"),
        ({"Fn::If": ["Yes", 1, 2]}, 1),
        ({"Fn::If": ["No", 1, {"Ref": "AWS::NoValue"}]}, "absent"),
        ({"Fn::ImportValue": "shared-table"}, "orders"),
        ({"Ref": "B"}, {"Ref": "B"}),
        ({"Fn::GetAtt": "B.Arn"}, {"Fn::GetAtt": ["B", "Arn"]}),
        (
            {"Fn::Sub": "x/${B}/${B.Arn}/${Name}"},
            {"Fn::Join": ["", ["x/", {"Ref": "B"}, "/", {"Fn::GetAtt": ["B", "Arn"]}, "/", "n"]]},
        ),
        (
            {"Fn::Select": [0, {"Fn::Split": ["/", {"Ref": "B"}]}]},
            {"Fn::Select": [0, {"Fn::Split": ["/", {"Ref": "B"}]}]},
        ),
        ({"Fn::Select": [1, [{"Ref": "B"}, "z"]]}, "z"),
        ({"Statement": [{"Condition": {"Bool": {"aws:SecureTransport": "true"}}}]}, None),
    ],
)
def test_functions(value: Any, expected: Any) -> None:
    assert properties(value) == (value if expected is None else expected)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"Ref": "Nowhere"},
            (
                "Template format error: Unresolved resource dependencies [Nowhere] in the "
                "Resources block of the template"
            ),
        ),
        ({"Ref": "AWS::Nope"}, "Unresolved resource dependencies [AWS::Nope]"),
        (
            {"Fn::GetAtt": ["Nowhere", "Arn"]},
            "Template error: instance of Fn::GetAtt references undefined resource Nowhere",
        ),
        ({"Fn::GetAtt": "B"}, "every Fn::GetAtt object requires"),
        ({"Ref": ["B"]}, "Every Ref object must have a single String value."),
        ({"Fn::Join": [1, ["a"]]}, "every Fn::Join object requires"),
        ({"Fn::Join": ["-", "a"]}, "every Fn::Join object requires"),
        ({"Fn::Join": ["-", [{"a": 1}]]}, "must be given strings"),
        ({"Fn::Sub": ["a"]}, "Fn::Sub intrinsic functions don't specify expected arguments"),
        ({"Fn::Sub": "${a b}"}, "variable names in Fn::Sub syntax"),
        ({"Fn::Select": [5, ["a"]]}, "Fn::Select cannot select nonexistent value at index 5"),
        ({"Fn::Select": [0, "a"]}, "Fn::Select requires a list argument"),
        ({"Fn::Split": ["", "a"]}, "every Fn::Split object requires"),
        ({"Fn::FindInMap": ["M", "eu-west-1", "Ami"]}, "Unable to get mapping for M::eu-west-1::Ami"),
        ({"Fn::FindInMap": ["N", "eu-west-1", "Ami"]}, "Mapping named 'N' is not present"),
        ({"Fn::FindInMap": ["M", "a", "b", {"DefaultValue": 1}]}, "AWS::LanguageExtensions"),
        ({"Fn::If": ["Nope", 1, 2]}, "unresolved condition dependency Nope"),
        ({"Fn::If": ["Yes", 1]}, "every Fn::If object requires"),
        ({"Fn::ImportValue": "none"}, "No export named none found."),
        ({"Fn::ImportValue": {"Ref": "B"}}, "must not depend on any resources"),
        ({"Fn::Cidr": ["10.0.0.0/16", 1]}, "Fn::Cidr is not supported"),
        ({"Fn::Transform": {"Name": "AWS::Include"}}, "Fn::Transform is not supported"),
        ({"Fn::ToJsonString": {}}, "AWS::LanguageExtensions, which is not supported"),
        ({"Fn::Equals": ["a", "b"]}, "Fn::Equals cannot be used outside of the Conditions section"),
        ({"Fn::Nope": 1}, "unknown function Fn::Nope"),
        ({"Fn::Sub": "x", "Other": 1}, "Fn::Sub must be the only member"),
        ("{{resolve:ssm:/a/b}}", "dynamic reference {{resolve:ssm:/a/b}} in resource A is not supported"),
        ({"Ref": "A"}, "Circular dependency between resources: [A]"),
    ],
)
def test_what_is_refused_is_named(value: Any, message: str) -> None:
    with pytest.raises(TemplateFault) as caught:
        properties(value)
    assert message in caught.value.message


def test_cycles_name_their_members_only() -> None:
    source = {
        "Resources": {
            "A": {"Type": "T", "Properties": {"P": {"Ref": "B"}}},
            "B": {"Type": "T", "DependsOn": "C"},
            "C": {"Type": "T", "Properties": {"P": {"Fn::Sub": "${A.Arn}"}}},
            "D": {"Type": "T", "DependsOn": ["A"]},
            "E": {"Type": "T"},
        }
    }
    with pytest.raises(TemplateFault, match=r"^Circular dependency between resources: \[A, B, C\]$"):
        bound(source)


def test_conditions_leave_out_resources_outputs_and_their_references() -> None:
    source = {
        "Parameters": {"Env": {"Type": "String", "AllowedValues": ["prod", "test"]}},
        "Conditions": {
            "Prod": {"Fn::Equals": [{"Ref": "Env"}, "prod"]},
            "Both": {"Fn::And": [{"Condition": "Prod"}, {"Fn::Equals": [1, "1"]}]},
        },
        "Resources": {
            "Always": {
                "Type": "T",
                "Properties": {"X": {"Fn::If": ["Prod", {"Ref": "Extra"}, "none"]}},
                "DependsOn": "Extra",
            },
            "Extra": {"Type": "T", "Condition": "Both"},
        },
        "Outputs": {"O": {"Condition": "Prod", "Value": {"Ref": "Extra"}, "Export": {"Name": {"Fn::Sub": "${Env}-o"}}}},
    }
    prod = bound(source, Env="prod")
    assert prod.resources["Always"].needs == ("Extra",)
    assert [(one.name, one.value, one.export_name) for one in prod.outputs] == [("O", {"Ref": "Extra"}, "prod-o")]
    test = bound(source, Env="test")
    assert set(test.resources) == {"Always"}
    assert test.resources["Always"].properties == {"X": "none"}
    assert test.resources["Always"].needs == ()
    assert test.outputs == ()


def test_reference_to_a_resource_left_out_by_its_condition_is_unresolved() -> None:
    source = {
        "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
        "Resources": {"A": {"Type": "T", "Properties": {"P": {"Ref": "B"}}}, "B": {"Type": "T", "Condition": "Never"}},
    }
    with pytest.raises(TemplateFault, match=r"^Unresolved resource dependencies \[B\]"):
        bound(source)


def test_conditions_cannot_refer_to_resources_nor_to_themselves() -> None:
    source = {"Conditions": {"C": {"Fn::Equals": [{"Ref": "A"}, "x"]}}, "Resources": {"A": {"Type": "T"}}}
    with pytest.raises(TemplateFault, match="Cannot reference resources in the Conditions block"):
        bound(source)
    source = {
        "Conditions": {"C": {"Fn::Not": [{"Condition": "D"}]}, "D": {"Fn::Not": [{"Condition": "C"}]}},
        "Resources": {"A": {"Type": "T"}},
    }
    with pytest.raises(TemplateFault, match="circular condition dependency"):
        bound(source)


class Live:
    """A scope in which every resource exists."""

    def ref(self, name: str) -> Any:
        return f"id-{name}"

    def attribute(self, resource: str, name: str) -> Any:
        return f"{resource}:{name}"

    def condition(self, name: str) -> bool:
        raise AssertionError(name)

    def mapped(self, mapping: str, top: str, second: str) -> Any:
        raise AssertionError(mapping)

    def imported(self, name: str) -> str:
        raise AssertionError(name)

    def zones(self, region: str) -> list[str]:
        raise AssertionError(region)


def test_the_second_reduction_fills_in_resources_and_leaves_literals_alone() -> None:
    first = properties({"Fn::Sub": "${!Lit}/${B}/${B.Arn}"})
    assert reduce(first, Live()) == "${Lit}/id-B/B:Arn"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "At least one Resources member must be defined."),
        ({"Resources": {}}, "At least one Resources member must be defined."),
        ({"Resources": {"a-b": {"Type": "T"}}}, "Resource name a-b is non alphanumeric."),
        ({"Resources": {"A": {}}}, "[/Resources/A] Every Resources object must contain a Type member."),
        ({"Resources": {"A": {"Type": "T", "Nope": 1}}}, "Invalid template resource property 'Nope'"),
        ({"Resources": {"A": {"Type": "T", "CreationPolicy": {}}}}, "CreationPolicy of resource A is not supported"),
        (
            {"Resources": {"A": {"Type": "T", "DeletionPolicy": "Snapshot"}}},
            "DeletionPolicy Snapshot of resource A is not supported",
        ),
        ({"Resources": {"A": {"Type": "T", "DeletionPolicy": "Keep"}}}, "Unrecognized DeletionPolicy Keep"),
        (
            {"Resources": {"A": {"Type": "T"}}, "Transform": "AWS::Serverless-2016-10-31"},
            "Transform AWS::Serverless-2016-10-31 is not supported",
        ),
        (
            {"Resources": {"A": {"Type": "T"}}, "Transform": ["AWS::LanguageExtensions"]},
            "Transform AWS::LanguageExtensions is not supported",
        ),
        ({"Resources": {"A": {"Type": "T"}}, "Rules": {}}, "section Rules is not supported"),
        ({"Resources": {"A": {"Type": "T"}}, "Globals": {}}, "Invalid template property or properties [Globals]"),
        (
            {"Resources": {"A": {"Type": "T"}}, "AWSTemplateFormatVersion": "2011-01-01"},
            "2011-01-01 is not a supported value",
        ),
        ({"Resources": {"A": {"Type": "T"}}, "Outputs": {"O": {}}}, "Every Outputs member must contain a Value object"),
        (
            {"Resources": {"A": {"Type": "T"}}, "Parameters": {"P": {}}},
            "Every Parameters object must contain a Type member.",
        ),
        (
            {"Resources": {"A": {"Type": "T"}}, "Parameters": {"P": {"Type": "AWS::SSM::Parameter::Value<String>"}}},
            "Parameter type AWS::SSM::Parameter::Value<String> of P is not supported",
        ),
        (
            {"Resources": {"A": {"Type": "T"}}, "Parameters": {"P": {"Type": "Strng"}}},
            "Unrecognized parameter type: Strng",
        ),
        ({"Resources": {"A": {"Type": "T"}}, "Mappings": {"M": {"a": "b"}}}, "Mappings"),
        (
            {"Resources": {f"A{n}": {"Type": "T"} for n in range(501)}},
            "Number of resources, 501, is greater than maximum allowed, 500",
        ),
    ],
)
def test_form_of_a_template(source: dict[str, Any], message: str) -> None:
    with pytest.raises(TemplateFault) as caught:
        read_template(source)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("declared", "given", "message"),
    [
        ({"Type": "String"}, None, "Parameters: [P] must have values"),
        ({"Type": "String", "AllowedValues": ["a"]}, "b", "Parameter 'P' must be one of AllowedValues"),
        ({"Type": "String", "AllowedPattern": "[a-z]+"}, "A", "Parameter 'P' must match pattern [a-z]+"),
        (
            {"Type": "String", "AllowedPattern": "[a-z]+", "ConstraintDescription": "small"},
            "A",
            "Parameter P failed to satisfy constraint: small",
        ),
        ({"Type": "String", "MinLength": 2}, "A", "Parameter 'P' must contain at least 2 characters"),
        ({"Type": "String", "MaxLength": "2"}, "AAA", "Parameter 'P' must contain at most 2 characters"),
        ({"Type": "Number"}, "x", "Parameter 'P' must be a number"),
        ({"Type": "Number", "MinValue": 2}, "1", "must be a number not less than 2"),
        ({"Type": "Number", "MaxValue": 2}, "3", "must be a number not greater than 2"),
        ({"Type": "List<Number>"}, "1,x", "must be a number"),
    ],
)
def test_parameter_constraints(declared: dict[str, Any], given: str | None, message: str) -> None:
    source = {"Parameters": {"P": declared}, "Resources": {"A": {"Type": "T"}}}
    with pytest.raises(TemplateFault) as caught:
        bound(source, **({} if given is None else {"P": given}))
    assert message in caught.value.message


def test_unknown_parameters_are_refused_and_previous_values_used() -> None:
    declared = read_template({"Parameters": {"P": {"Type": "String"}}, "Resources": {"A": {"Type": "T"}}}).parameters
    with pytest.raises(TemplateFault, match=r"Parameters: \[Q\] do not exist in the template"):
        settle_parameters(declared, [{"ParameterKey": "Q", "ParameterValue": "x"}], {})
    assert settle_parameters(declared, [{"ParameterKey": "P", "UsePreviousValue": True}], {"P": "old"}) == {"P": "old"}
    empty = [{"ParameterKey": "P", "UsePreviousValue": True, "ParameterValue": ""}]
    assert settle_parameters(declared, empty, {"P": "old"}) == {"P": "old"}
    with pytest.raises(TemplateFault, match="must have values"):
        settle_parameters(declared, [{"ParameterKey": "P", "UsePreviousValue": True}], {})


def test_capabilities_follow_the_resources() -> None:
    def needed(**properties: Any) -> tuple[list[str], list[str]]:
        return capabilities_of(
            read_template({"Resources": {"A": {"Type": "AWS::IAM::Role", "Properties": properties}}})
        )

    assert needed() == (["CAPABILITY_IAM"], ["AWS::IAM::Role"])
    assert needed(RoleName="x") == (["CAPABILITY_NAMED_IAM"], ["AWS::IAM::Role"])
    assert capabilities_of(read_template({"Resources": {"A": {"Type": "T"}}})) == ([], [])
