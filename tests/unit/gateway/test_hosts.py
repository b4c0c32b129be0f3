"""What host names say."""

from __future__ import annotations

import pytest

from outlast.cloud.gateway.hosts import Host, path_of, read
from outlast.cloud.wire import Request


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("dynamodb.us-east-1.amazonaws.com", Host("dynamodb", "us-east-1")),
        ("dynamodb.us-gov-west-1.amazonaws.com:8443", Host("dynamodb", "us-gov-west-1")),
        ("111122223333.ddb.us-east-1.amazonaws.com", Host("dynamodb", "us-east-1")),
        ("streams.dynamodb.us-east-1.amazonaws.com", Host("streams.dynamodb", "us-east-1")),
        ("iam.amazonaws.com", Host("iam")),
        ("STS.amazonaws.com.", Host("sts")),
        ("lambda.us-west-2.api.aws", Host("lambda", "us-west-2")),
        ("abc123.execute-api.us-west-2.amazonaws.com", Host("abc123.execute-api", "us-west-2")),
        ("s3.amazonaws.com", Host("s3")),
        ("s3.us-west-2.amazonaws.com", Host("s3", "us-west-2")),
        ("s3-us-west-2.amazonaws.com", Host("s3", "us-west-2")),
        ("box.s3.amazonaws.com", Host("s3", "", "box")),
        ("a.b.s3.eu-west-1.amazonaws.com:443", Host("s3", "eu-west-1", "a.b")),
        ("box.s3.dualstack.us-east-1.amazonaws.com", Host("s3", "us-east-1", "box")),
        ("my.s3.box.s3.us-east-1.amazonaws.com", Host("s3", "us-east-1", "my.s3.box")),
        ("127.66.0.11:4566", Host()),
        ("orders.example.com", Host()),
        ("", Host()),
        (":1", Host()),
        ("amazonaws.com", Host()),
        (".amazonaws.com", Host()),
    ],
)
def test_the_parts_of_a_name(header: str, host: Host) -> None:
    assert read(header) == host


def test_the_bucket_of_the_host_goes_before_the_path() -> None:
    request = Request("GET", "/a%20b", "x=1", {"host": "box.s3.amazonaws.com"})
    assert path_of(request).path == "/box/a%20b"
    assert path_of(Request("GET", "/a", "", {"host": "s3.amazonaws.com"})).path == "/a"
