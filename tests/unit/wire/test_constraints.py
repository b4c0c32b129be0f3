"""Constraints are reported in AWS's words."""

from __future__ import annotations

from typing import Any

import pytest

from outlast.cloud.wire import WireError, load
from tests.unit.wire.oracle import SERVICES


def broken(service: str, operation: str, params: dict[str, Any]) -> str:
    with pytest.raises(WireError) as caught:
        load(service).operations[operation].constrain(params)
    assert caught.value.status == 400
    return caught.value.message


def test_a_missing_member() -> None:
    assert broken("dynamodb", "DescribeTable", {}) == (
        "1 validation error detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null"
    )


def test_all_violations_are_reported_at_once() -> None:
    message = broken("dynamodb", "GetItem", {"TableName": "", "ReturnConsumedCapacity": "hi"})

    assert message == (
        "3 validation errors detected: "
        "Value '' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 1; "
        "Value null at 'key' failed to satisfy constraint: Member must not be null; "
        "Value 'hi' at 'returnConsumedCapacity' failed to satisfy constraint: "
        "Member must satisfy enum value set: [INDEXES, TOTAL, NONE]"
    )


def test_a_nested_list_member_has_its_number_in_the_path() -> None:
    schema = [{"AttributeName": "a", "KeyType": "HASH"}, {"AttributeName": "", "KeyType": "X"}]
    message = broken(
        "dynamodb",
        "UpdateTable",
        {
            "TableName": "abc",
            "GlobalSecondaryIndexUpdates": [{"Create": {"IndexName": "abc", "KeySchema": schema, "Projection": {}}}],
        },
    )

    assert "Value '' at 'globalSecondaryIndexUpdates.1.member.create.keySchema.2.member.attributeName'" in message
    assert "Value 'X' at 'globalSecondaryIndexUpdates.1.member.create.keySchema.2.member.keyType'" in message
    assert "Member must satisfy enum value set: [HASH, RANGE]" in message


def test_a_list_is_shown_as_java_shows_it() -> None:
    get = {"Get": {"TableName": "abc", "Key": {"id": {"S": "1"}}}}
    message = broken("dynamodb", "TransactGetItems", {"TransactItems": [get] * 101})

    assert message.startswith(
        "1 validation error detected: Value '[TransactGetItem(get=Get(key={id=AttributeValue(s=1, n=null, b=null, "
    )
    assert message.endswith(
        "at 'transactItems' failed to satisfy constraint: Member must have length less than or equal to 100"
    )


def test_map_keys_list_every_constraint_of_a_key() -> None:
    message = broken("dynamodb", "BatchGetItem", {"RequestItems": {"": {"Keys": [{"a": {"S": "b"}}]}}})

    assert message.endswith(
        "at 'requestItems' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length "
        "less than or equal to 1024, Member must have length greater than or equal to 1]"
    )


def test_scalars_of_a_list_are_judged_together() -> None:
    message = broken("cloudwatch", "DescribeAlarms", {"AlarmNames": ["good", ""]})

    assert message == (
        "1 validation error detected: Value '[good, ]' at 'alarmNames' failed to satisfy constraint: Member must "
        "satisfy constraint: [Member must have length less than or equal to 255, "
        "Member must have length greater than or equal to 1]"
    )


def test_numbers_out_of_range() -> None:
    assert broken("lambda", "ListFunctions", {"MaxItems": 0}) == (
        "1 validation error detected: Value '0' at 'maxItems' failed to satisfy constraint: "
        "Member must have value greater than or equal to 1"
    )


def test_a_pattern() -> None:
    assert broken("iam", "GetUser", {"UserName": "a b"}) == (
        "1 validation error detected: Value 'a b' at 'userName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [\\w+=,.@-]+"
    )


def test_sensitive_values_are_not_shown() -> None:
    message = broken("iam", "CreateLoginProfile", {"UserName": "ann", "Password": "x" * 200})

    assert "xxx" not in message
    assert "Value at 'password' failed to satisfy constraint" in message


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("dynamodb", "DescribeTable", "ValidationException"),
        ("iam", "CreateUser", "ValidationError"),
        ("cloudwatch", "PutMetricData", "ValidationError"),
        ("logs", "CreateLogGroup", "InvalidParameterException"),
        ("route53", "CreateHostedZone", "InvalidInput"),
    ],
)
def test_the_code_is_the_service_s_own(service: str, operation: str, code: str) -> None:
    with pytest.raises(WireError) as caught:
        load(service).operations[operation].constrain({})

    assert caught.value.code == code


def test_the_code_can_be_given() -> None:
    with pytest.raises(WireError, match="Mine"):
        load("iam").operations["CreateUser"].constrain({}, code="Mine")


def test_good_params_pass() -> None:
    load("dynamodb").operations["GetItem"].constrain({"TableName": "abc", "Key": {"id": {"S": "1"}}})


def test_opaque_shapes_are_not_looked_into() -> None:
    model = load("dynamodb", opaque=frozenset({"AttributeValue"}))

    model.operations["PutItem"].constrain({"TableName": "abc", "Item": {"id": "anything"}})


def test_nearly_every_pattern_can_be_judged() -> None:
    skipped = set()
    for service in SERVICES:
        model = load(service)
        for operation in model.operations.values():
            shape = model.boto_operation(operation.name).input_shape
            if shape is not None:
                model.kit.checks.of(shape)
        skipped |= model.kit.checks.skipped_patterns

    assert len(skipped) == 2, skipped
