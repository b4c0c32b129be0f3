"""Whatever an operation returns reaches boto3's user unchanged, in every protocol of the service."""

from __future__ import annotations

import zlib

import orjson
import pytest

from outlast.cloud.wire import load
from tests.unit.wire.oracle import boto_operations, forms, from_boto, read_by_boto, sample


@pytest.mark.parametrize(("service", "protocol"), list(forms()))
def test_boto3_reads_every_result(service: str, protocol: str) -> None:
    model = load(service)
    for operation in boto_operations(service):
        if operation.has_event_stream_output or operation.name == "GetBucketLocation":
            continue
        result = sample(operation.output_shape)

        response = model.operations[operation.name].encode(protocol, result, "request-1")

        parsed = read_by_boto(operation, protocol, response)
        metadata = parsed.pop("ResponseMetadata")
        if operation.http["method"] != "HEAD" and operation.has_streaming_output:
            result.pop("ContentLength", None)  # whoever frames the reply states its length
        assert from_boto(parsed) == result, operation.name
        assert metadata["HTTPStatusCode"] == response.status
        assert ("x-amz-request-id" if service == "s3" else "x-amzn-RequestId", "request-1") in response.headers


@pytest.mark.parametrize(("service", "protocol"), list(forms()))
def test_an_unknown_member_is_a_defect_that_names_itself(service: str, protocol: str) -> None:
    model = load(service)
    for operation in boto_operations(service):
        if not operation.has_event_stream_output:
            with pytest.raises(KeyError, match="Misspelt"):
                model.operations[operation.name].encode(protocol, {"Misspelt": 1}, "request-1")


def test_members_that_are_none_are_left_out() -> None:
    response = load("dynamodb").operations["GetItem"].encode("json", {"Item": None}, "r")

    assert response.body == b"{}"


def test_stored_json_passes_through_unparsed() -> None:
    model = load("dynamodb", opaque=frozenset({"AttributeValue"}))
    item = orjson.Fragment(b'{"id":{"S":"1"}}')

    one = model.operations["GetItem"].encode("json", {"Item": item}, "r")
    many = model.operations["Query"].encode("json", {"Items": [item, {"id": {"S": "2"}}], "Count": 2}, "r")

    assert one.body == b'{"Item":{"id":{"S":"1"}}}'
    assert many.body == b'{"Items":[{"id":{"S":"1"}},{"id":{"S":"2"}}],"Count":2}'


def test_dynamodb_replies_carry_their_checksum() -> None:
    response = load("dynamodb").operations["ListTables"].encode("json", {"TableNames": []}, "r")

    assert dict(response.headers)["x-amz-crc32"] == str(zlib.crc32(b'{"TableNames":[]}'))


def test_the_location_of_a_bucket_is_the_root_element_itself() -> None:
    response = load("s3").operations["GetBucketLocation"].encode("rest-xml", {"LocationConstraint": "eu-west-1"}, "r")

    assert response.body.endswith(
        b'<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-west-1</LocationConstraint>'
    )


def test_the_status_of_an_invocation_is_the_result_s() -> None:
    response = load("lambda").operations["Invoke"].encode("rest-json", {"StatusCode": 202, "Payload": b""}, "r")

    assert (response.status, response.body) == (202, b"")
