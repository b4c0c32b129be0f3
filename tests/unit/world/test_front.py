"""Where the front door sends a request."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from botocore.model import StructureShape
from botocore.parsers import create_parser

from outlast.cloud.effects import RealClock
from outlast.cloud.gateway import codings
from outlast.cloud.wire import Request, Response
from outlast.cloud.world.front import FrontDoor, serialize

REGIONS = ("us-east-1", "us-west-2", "eu-west-1")


@pytest.fixture
def front() -> FrontDoor:
    return FrontDoor(dict.fromkeys(REGIONS, ("127.0.0.1", 1)), RealClock(), ssl.create_default_context())


def request(query: str = "", **headers: str) -> Request:
    return Request("GET", "/", query, {name.replace("_", "-"): value for name, value in headers.items()})


SIGV4 = "AWS4-HMAC-SHA256 Credential=K/20260101/us-west-2/s3/aws4_request, SignedHeaders=host, Signature=0"
REFUSED = "The Region us-west-2 does not answer (ConnectionRefusedError)."
SIGV4A = "AWS4-ECDSA-P256-SHA256 Credential=K/20260101/s3/aws4_request, SignedHeaders=host, Signature=0"


@pytest.mark.parametrize(
    ("asked", "region"),
    [
        (request(authorization=SIGV4), "us-west-2"),
        (request(authorization=SIGV4, host="s3.eu-west-1.amazonaws.com"), "us-west-2"),
        (request("a=b&X-Amz-Credential=K%2F20260101%2Feu-west-1%2Fs3%2Faws4_request&x=y"), "eu-west-1"),
        (request(authorization=SIGV4A, x_amz_region_set="us-west-2"), "us-west-2"),
        (request(authorization=SIGV4A, x_amz_region_set="eu-*,ap-*"), "eu-west-1"),
        (request(authorization=SIGV4A, x_amz_region_set="*"), "us-east-1"),
        (
            request(authorization=SIGV4A, x_amz_region_set="*", host="a.execute-api.us-west-2.amazonaws.com"),
            "us-west-2",
        ),
        (request("X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256&X-Amz-Region-Set=us-w%2A"), "us-west-2"),
        (request(host="abc.execute-api.us-west-2.amazonaws.com:4566"), "us-west-2"),
        (request(host="box.s3.eu-west-1.amazonaws.com"), "eu-west-1"),
        (request(host="iam.amazonaws.com"), "us-east-1"),
        (request(host="127.0.0.1:4566"), "us-east-1"),
        (request(), "us-east-1"),
    ],
)
def test_the_region_of_a_request(front: FrontDoor, asked: Request, region: str) -> None:
    assert front.region_of(asked) == region


async def test_a_region_that_the_world_lacks_is_refused(front: FrontDoor) -> None:
    answer = await front.respond(request(authorization=SIGV4.replace("us-west-2", "mars-1")), "", False)
    assert (answer.status, b"mars-1" in answer.body) == (400, True)


async def test_a_region_that_does_not_answer_is_named(front: FrontDoor) -> None:
    answer = await front.respond(request(authorization=SIGV4), "", False)
    assert (answer.status, b"us-west-2" in answer.body) == (503, True)


@pytest.mark.parametrize(
    ("service", "protocol", "headers"),
    [
        ("iam", "query", {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}),
        ("route53", "rest-xml", {}),
        ("s3", "rest-xml", {}),
        ("dynamodb", "json", {"x-amz-target": "DynamoDB_20120810.GetItem"}),
        ("lambda", "rest-json", {}),
        ("monitoring", "smithy-rpc-v2-cbor", {"smithy-protocol": "rpc-v2-cbor"}),
    ],
)
async def test_a_region_that_does_not_answer_is_told_in_the_clients_own_protocol(
    front: FrontDoor, service: str, protocol: str, headers: dict[str, str]
) -> None:
    signed = {"authorization": SIGV4.replace("/s3/", f"/{service}/"), **headers}
    answer = await front.respond(Request("POST", "/", "", signed), "", False)
    assert botocores_reading(protocol, answer) == ("ServiceUnavailable", REFUSED)


async def test_a_signed_query_is_answered_in_xml(front: FrontDoor) -> None:
    query = "Action=GetCallerIdentity&X-Amz-Credential=K%2F20260101%2Feu-west-1%2Fsts%2Faws4_request"
    answer = await front.respond(request(query), "", False)
    assert botocores_reading("query", answer)[0] == "ServiceUnavailable"


def botocores_reading(protocol: str, answer: Response) -> tuple[str, str]:
    """The error's code and message as botocore reads them."""
    headers = {name.lower(): value for name, value in answer.headers}
    response = {"status_code": answer.status, "headers": headers, "body": answer.body}
    error = create_parser(protocol).parse(response, StructureShape("Any", {"type": "structure", "members": {}}))[
        "Error"
    ]
    return error["Code"], error["Message"]


def test_framing_headers_are_not_passed_on() -> None:
    sent = Request("POST", "/a", "b=c", {"host": "h", "transfer-encoding": "chunked", "connection": "x"}, b"body")
    assert serialize(sent) == b"POST /a?b=c HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\nbody"


def test_the_first_of_several_encodings_is_passed_on_as_the_first() -> None:
    asked = {"host": "x", "accept-encoding": "identity,gzip, br", codings.FIRST: "identity"}
    lines = serialize(Request("POST", "/", "", asked)).decode().split("\r\n")
    assert [line for line in lines if line.lower().startswith("accept-encoding")] == [
        "Accept-Encoding: identity",
        "accept-encoding: gzip, br",
    ]


async def test_an_answer_without_a_body_ends_with_its_head() -> None:
    """HEAD tells the length of what GET would give; whoever waits for that many bytes waits for ever."""
    connections = 0

    async def region(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while head := await reader.readuntil(b"\r\n\r\n"):
            body = b"" if head.startswith(b"HEAD") else b"0123456789"
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: x\r\n\r\n" + body)

    server = await asyncio.start_server(region, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()[:2]
    front = FrontDoor({"us-east-1": address}, RealClock(), ssl.create_default_context())
    for _ in range(2):
        answer = await asyncio.wait_for(front.respond(Request("HEAD", "/k", "", {}), "", False), 20)
        assert (answer.status, answer.headers, answer.body) == (200, (("Content-Length", "10"), ("ETag", "x")), b"")
        answer = await asyncio.wait_for(front.respond(Request("GET", "/k", "", {}), "", False), 20)
        assert (answer.headers, answer.body) == ((("ETag", "x"),), b"0123456789")
    assert connections == 1
    front.close()
    server.close()
