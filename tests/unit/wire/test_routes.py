"""REST requests find the most specific operation."""

from __future__ import annotations

import pytest

from outlast.cloud.wire import Request, load


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "name"),
    [
        ("GET", "/", "", {}, "ListBuckets"),
        ("GET", "/b", "", {}, "ListObjects"),
        ("GET", "/b/", "", {}, "ListObjects"),
        ("GET", "/b", "list-type=2&prefix=a", {}, "ListObjectsV2"),
        ("GET", "/b", "location", {}, "GetBucketLocation"),
        ("GET", "/b", "versions", {}, "ListObjectVersions"),
        ("PUT", "/b", "", {}, "CreateBucket"),
        ("PUT", "/b", "tagging=", {}, "PutBucketTagging"),
        ("PUT", "/b/k", "", {}, "PutObject"),
        ("PUT", "/b/k", "", {"x-amz-copy-source": "/a/b"}, "CopyObject"),
        ("PUT", "/b/k", "partNumber=1&uploadId=u", {}, "UploadPart"),
        ("PUT", "/b/k", "partNumber=1&uploadId=u", {"x-amz-copy-source": "/a/b"}, "UploadPartCopy"),
        ("POST", "/b/k", "uploads", {}, "CreateMultipartUpload"),
        ("POST", "/b/k", "uploadId=u", {}, "CompleteMultipartUpload"),
        ("GET", "/b/k", "uploadId=u", {}, "ListParts"),
        ("GET", "/b/k/with//slashes/", "", {}, "GetObject"),
        ("POST", "/b", "delete", {}, "DeleteObjects"),
    ],
)
def test_s3(method: str, path: str, query: str, headers: dict[str, str], name: str) -> None:
    operation, _, _ = load("s3").match(Request(method, path, query, headers))

    assert operation.name == name


def test_labels_are_decoded_and_greedy_labels_keep_their_slashes() -> None:
    _, _, labels = load("s3").match(Request("GET", "/b/a%20b/%2F/c//", "", {}))

    assert labels == {"Bucket": "b", "Key": "a b///c//"}


def test_an_encoded_slash_stays_within_its_label() -> None:
    request = Request("GET", "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A1%3Afunction%3Aa%2Fb", "", {})

    operation, _, labels = load("lambda").match(request)

    assert (operation.name, labels["Resource"]) == ("ListTags", "arn:aws:lambda:us-east-1:1:function:a/b")


def test_a_literal_wins_over_a_label() -> None:
    model = load("route53")

    zone, _, _ = model.match(Request("GET", "/2013-04-01/hostedzone/Z1", "", {}))
    count, _, _ = model.match(Request("GET", "/2013-04-01/hostedzonecount", "", {}))
    change, _, _ = model.match(Request("POST", "/2013-04-01/hostedzone/Z1/rrset/", "", {}))

    assert (zone.name, count.name, change.name) == ("GetHostedZone", "GetHostedZoneCount", "ChangeResourceRecordSets")


def test_a_service_with_several_protocols_answers_in_the_one_it_was_asked_in() -> None:
    model = load("cloudwatch")
    cbor = Request("POST", "/service/X/operation/ListMetrics", "", {"smithy-protocol": "rpc-v2-cbor"}, b"\xa0")
    json = Request("POST", "/", "", {"x-amz-target": "GraniteServiceVersion20100801.ListMetrics"}, b"{}")
    query = Request("POST", "/", "", {}, b"Action=ListMetrics&Version=2010-08-01")

    spoken = [model.match(request)[1] for request in (cbor, json, query)]

    assert spoken == ["smithy-rpc-v2-cbor", "json", "query"]
