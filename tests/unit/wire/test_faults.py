"""Errors reach boto3's user with their code, message, status and fields, in every protocol of the service."""

from __future__ import annotations

import orjson
import pytest

from outlast.cloud.wire import load
from tests.unit.wire.oracle import boto_operations, forms, read_by_boto


@pytest.mark.parametrize(("service", "protocol"), list(forms()))
def test_boto3_reads_every_modelled_error(service: str, protocol: str) -> None:
    model = load(service)
    for operation in boto_operations(service):
        if operation.http["method"] == "HEAD":
            continue
        for code in model.operations[operation.name].error_codes:
            response = model.operations[operation.name].encode_fault(protocol, code, "It <failed> & why", "request-1")

            parsed = read_by_boto(operation, protocol, response)
            shown = parsed["Error"].get("QueryErrorCode", parsed["Error"]["Code"])
            expected = {code, model.errors[code].shape_name}
            assert shown in expected, (operation.name, code)
            assert parsed["Error"]["Message"] == "It <failed> & why"
            assert response.status == (model.errors[code].status or 400)


def test_dynamodb_names_its_errors_with_their_namespace() -> None:
    operation = load("dynamodb").operations["GetItem"]

    own = orjson.loads(operation.encode_fault("json", "ResourceNotFoundException", "gone", "r").body)
    bad = orjson.loads(operation.encode_fault("json", "ValidationException", "bad", "r").body)
    denied = orjson.loads(operation.encode_fault("json", "AccessDeniedException", "no", "r").body)

    assert own == {"__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", "message": "gone"}
    assert bad["__type"] == "com.amazon.coral.validate#ValidationException"
    assert denied["__type"] == "com.amazon.coral.service#AccessDeniedException"


def test_fields_of_an_error_are_encoded_by_its_shape() -> None:
    operation = load("dynamodb", opaque=frozenset({"AttributeValue"})).operations["PutItem"]
    fields = {"Item": orjson.Fragment(b'{"id":{"S":"1"}}')}

    fault = operation.encode_fault("json", "ConditionalCheckFailedException", "failed", "r", fields=fields)

    assert orjson.loads(fault.body)["Item"] == {"id": {"S": "1"}}


@pytest.mark.parametrize(
    ("service", "protocol", "code", "expected", "status"),
    [
        ("iam", "query", "AccessDeniedException", "AccessDenied", 403),
        ("iam", "query", "ValidationException", "ValidationError", 400),
        ("iam", "query", "UnrecognizedClientException", "InvalidClientTokenId", 403),
        ("sts", "query", "ThrottlingException", "Throttling", 400),
        ("lambda", "rest-json", "AccessDeniedException", "AccessDeniedException", 403),
        ("apigateway", "rest-json", "ValidationException", "BadRequestException", 400),
        ("s3", "rest-xml", "UnrecognizedClientException", "InvalidAccessKeyId", 403),
        ("dynamodb", "json", "InternalServerError", "InternalServerError", 500),
        ("route53", "rest-xml", "ServiceUnavailable", "ServiceUnavailable", 503),
    ],
)
def test_common_errors_have_the_name_of_the_protocol(
    service: str, protocol: str, code: str, expected: str, status: int
) -> None:
    operation = next(operation for operation in boto_operations(service) if operation.http["method"] != "HEAD")

    response = load(service).encode_fault(protocol, code, "why", "r")

    parsed = read_by_boto(operation, protocol, response)
    assert (parsed["Error"]["Code"], response.status) == (expected, status)


def test_a_query_compatible_service_tells_old_clients_the_old_code() -> None:
    model = load("cloudwatch")

    response = model.encode_fault("json", "ResourceNotFoundException", "gone", "r")

    assert dict(response.headers)["x-amzn-query-error"].endswith(";Sender")


def test_a_given_status_wins() -> None:
    assert load("lambda").encode_fault("rest-json", "ServiceException", "m", "r", status=502).status == 502


def test_head_replies_have_no_body() -> None:
    assert load("s3").operations["HeadObject"].encode_fault("rest-xml", "NoSuchKey", "gone", "r").body == b""


def test_s3_wraps_its_errors_in_nothing() -> None:
    response = load("s3").encode_fault("rest-xml", "NoSuchBucket", "gone", "r", fields={"BucketName": "b"})

    assert b"<Error><Code>NoSuchBucket</Code><Message>gone</Message><BucketName>b</BucketName>" in response.body
