"""Requests that cannot be understood are refused with AWS's codes."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest

from outlast.cloud.wire import Request, WireError, load

FORM = {"content-type": "application/x-www-form-urlencoded"}


def json_request(target: str, body: bytes) -> Request:
    return Request("POST", "/", "", {"x-amz-target": target}, body)


def decode(service: str, request: Request) -> dict[str, Any]:
    operation, protocol, labels = load(service).match(request)
    return operation.decode(request, protocol, labels)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b'{"TableName":', b"\xff", b"[" * 5000])
def test_a_body_that_is_no_json_object(body: bytes) -> None:
    with pytest.raises(WireError) as caught:
        decode("dynamodb", json_request("DynamoDB_20120810.GetItem", body))

    assert (caught.value.code, caught.value.status) == ("SerializationException", 400)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"TableName": 1}, "NUMBER_VALUE cannot be converted to String"),
        ({"TableName": 1.5}, "DECIMAL_VALUE cannot be converted to String"),
        ({"TableName": True}, "TRUE_VALUE cannot be converted to String"),
        ({"TableName": {}}, "Start of structure or map found where not expected"),
        ({"TableName": []}, "Unrecognized collection type class java.lang.String"),
        ({"Limit": "1"}, "STRING_VALUE cannot be converted to Integer"),
        ({"Limit": False}, "FALSE_VALUE cannot be converted to Integer"),
        ({"ConsistentRead": "true"}, "Unexpected token received from parser"),
        ({"AttributesToGet": "a"}, "Unexpected field type"),
        ({"ExpressionAttributeNames": "a"}, "Unexpected field type"),
    ],
)
def test_a_member_of_the_wrong_type(params: dict[str, Any], message: str) -> None:
    with pytest.raises(WireError) as caught:
        decode("dynamodb", json_request("DynamoDB_20120810.Query", orjson.dumps(params)))

    assert (caught.value.code, caught.value.message) == ("SerializationException", message)


def test_unknown_and_null_members_are_left_out() -> None:
    body = b'{"TableName":"t","Unknown":{"a":[1]},"IndexName":null}'

    assert decode("dynamodb", json_request("DynamoDB_20120810.Query", body)) == {"TableName": "t"}


@pytest.mark.parametrize("target", ["DynamoDB_20111205.GetItem", "DynamoDB_20120810.Nonsense", "GetItem", ""])
def test_an_unknown_target(target: str) -> None:
    with pytest.raises(WireError) as caught:
        load("dynamodb").match(json_request(target, b"{}"))

    assert caught.value.code == "UnknownOperationException"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"Version=2010-05-08", "MissingAction"),
        (b"Action=Nonsense&Version=2010-05-08", "InvalidAction"),
        (b"Action=GetUser&Version=1999-01-01", "InvalidAction"),
        (b"Action=%ff", "MalformedQueryString"),
        (b"\xff", "MalformedQueryString"),
    ],
)
def test_a_query_without_a_known_action(body: bytes, code: str) -> None:
    with pytest.raises(WireError) as caught:
        load("iam").match(Request("POST", "/", "", FORM, body))

    assert caught.value.code == code


@pytest.mark.parametrize(
    "body",
    [
        b"Action=ListUsers&MaxItems=many",
        b"Action=ListUsers&MaxItems.member.1=2",
        b"Action=GetUser&UserName" + b".a" * 100 + b"=x",
    ],
)
def test_a_query_with_values_that_cannot_be_read(body: bytes) -> None:
    with pytest.raises(WireError, match="MalformedInput"):
        decode("iam", Request("POST", "/", "", FORM, body))


def test_a_query_may_stand_in_the_url() -> None:
    request = Request("GET", "/", "Action=GetUser&Version=2010-05-08&UserName=ann", {})

    assert decode("iam", request) == {"UserName": "ann"}


@pytest.mark.parametrize(
    "body",
    [
        b"<a>",
        b"not xml",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b"<CreateHostedZoneRequest>" + b"<a>" * 100 + b"</a>" * 100 + b"</CreateHostedZoneRequest>",
        b"<CreateHostedZoneRequest><HostedZoneConfig><PrivateZone>maybe</PrivateZone></HostedZoneConfig>"
        b"</CreateHostedZoneRequest>",
    ],
)
def test_xml_that_cannot_be_read(body: bytes) -> None:
    with pytest.raises(WireError, match="MalformedXML"):
        decode("route53", Request("POST", "/2013-04-01/hostedzone", "", {}, body))


@pytest.mark.parametrize("body", [b"\xa1", b"\x01", b"\xa1\x01\x02", b"\xbf", b"\xa1aa"])
def test_cbor_that_cannot_be_read(body: bytes) -> None:
    headers = {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}
    request = Request("POST", "/service/GraniteServiceVersion20100801/operation/PutMetricData", "", headers, body)

    with pytest.raises(WireError, match="SerializationException"):
        decode("cloudwatch", request)


def test_a_compressed_body_is_inflated() -> None:
    headers = FORM | {"content-encoding": "gzip"}
    body = gzip.compress(b"Action=PutMetricData&Version=2010-08-01&Namespace=N", mtime=0)

    assert decode("cloudwatch", Request("POST", "/", "", headers, body)) == {"Namespace": "N"}


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b"Action=ListMetrics", mtime=0)[:-9]])
def test_a_bad_compressed_body(body: bytes) -> None:
    with pytest.raises(WireError, match="SerializationException"):
        decode("cloudwatch", Request("POST", "/", "", FORM | {"content-encoding": "gzip"}, body))


def test_a_body_that_inflates_without_end_is_refused() -> None:
    body = gzip.compress(b"\0" * (65 * 1024 * 1024), compresslevel=1)

    with pytest.raises(WireError, match="RequestEntityTooLarge"):
        decode("cloudwatch", Request("POST", "/", "", FORM | {"content-encoding": "gzip"}, body))


def test_signed_chunks_are_joined() -> None:
    body = b"5;chunk-signature=ab\r\nhello\r\n6;chunk-signature=cd\r\n world\r\n0;chunk-signature=ef\r\n\r\n"
    headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": "11"}

    params = decode("s3", Request("PUT", "/bucket/key", "", headers, body))

    assert params["Body"] == b"hello world"


@pytest.mark.parametrize(
    "body", [b"5\r\nhel", b"zz\r\nhello\r\n0\r\n\r\n", b"hello", b"-1\r\n\r\n0\r\n\r\n", b"2\r\nhi\r\n0\r\n\r\n"]
)
def test_broken_chunks_are_refused(body: bytes) -> None:
    headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": "5"}

    with pytest.raises(WireError, match=r"IncompleteBody|InvalidChunkSize"):
        decode("s3", Request("PUT", "/bucket/key", "", headers, body))


def test_an_unknown_path() -> None:
    with pytest.raises(WireError) as caught:
        load("lambda").match(Request("GET", "/2015-03-31/nonsense", "", {}))

    assert (caught.value.code, caught.value.status) == ("UnknownOperationException", 404)


def test_a_whole_number_beyond_its_type_is_the_largest_of_it() -> None:
    body = b'{"TableName":"t","Limit":1e308,"Segment":-99999999999999999999999}'

    decoded = decode("dynamodb", json_request("DynamoDB_20120810.Scan", body))
    assert (decoded["Limit"], decoded["Segment"]) == (2**31 - 1, -(2**31))


def test_null_in_a_list_of_scalars_is_refused_where_its_members_have_no_rule_too() -> None:
    operation = load("dynamodb").operations["GetItem"]
    with pytest.raises(WireError) as caught:
        operation.constrain({"TableName": "things", "Key": {}, "AttributesToGet": [None]})

    assert caught.value.message == (
        "1 validation error detected: Value '[null]' at 'attributesToGet' failed to satisfy constraint: "
        "Member must satisfy constraint: [Member must not be null]"
    )
