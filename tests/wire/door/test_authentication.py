"""Who is not let in, and in which words: raw requests to a running Region."""

from __future__ import annotations

import datetime
import uuid

import pytest
from botocore.credentials import Credentials

from tests.conftest import ACCESS_KEY, World
from tests.wire.door.raw import Sent, dynamodb, query, send, signed

IDENTITY = "Action=GetCallerIdentity&Version=2011-06-15"
MISMATCH = "The request signature we calculated does not match the signature you provided."


def now(shift_s: float = 0) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=shift_s)


def test_a_good_signature_is_let_in(world: World) -> None:
    for tls in (False, True):
        answer = send(world, dynamodb(world), tls=tls)
        assert (answer.status, "TableNames" in answer.document) == (200, True)


def test_no_credentials(world: World) -> None:
    answer = send(world, dynamodb(world).having(authorization=None))
    assert (answer.status, answer.code) == (400, "MissingAuthenticationTokenException")
    answer = send(world, query(world, "sts", IDENTITY).having(authorization=None))
    assert (answer.status, answer.code) == (403, "MissingAuthenticationToken")
    unsigned = signed(world, "GET", "/box/key", service="s3").having(authorization=None)
    answer = send(world, unsigned.having(host="s3.us-east-1.amazonaws.com"))
    assert (answer.status, answer.code) == (403, "AccessDenied")
    answer = send(world, Sent("GET", "/", {"Host": "x"}))
    assert (answer.status, answer.body.startswith(b"healthy")) == (200, True)


def test_credentials_that_cannot_be_read(world: World) -> None:
    good = dynamodb(world)
    header = good.headers["Authorization"]
    for bad in (
        header.replace("Signature=", "Signatur="),
        header.partition(", SignedHeaders")[0],
        "AWS4-HMAC-SHA256",
        header.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"),
        header.replace("/aws4_request", ""),
        header + ", Signature=00",
    ):
        answer = send(world, good.having(authorization=bad))
        assert (answer.status, answer.code) == (400, "IncompleteSignatureException"), bad
    answer = send(world, good.having(x_amz_date=None))
    assert answer.code == "IncompleteSignatureException"


@pytest.mark.parametrize("key_id", ["AKIALOCALNOSUCHKEYAA", "AKIAIOSFODNN7EXAMPLE", "x", "ASIALOCALNOSUCHKEYAA"])
def test_a_key_nobody_issued(world: World, key_id: str) -> None:
    answer = send(world, dynamodb(world, credentials=Credentials(key_id, "s")))
    assert (answer.status, answer.code) == (400, "UnrecognizedClientException")
    assert answer.document["message"] == "The security token included in the request is invalid."
    answer = send(world, query(world, "sts", IDENTITY, credentials=Credentials(key_id, "s")))
    assert (answer.status, answer.code) == (403, "InvalidClientTokenId")


def test_a_wrong_secret(world: World) -> None:
    wrong = Credentials(ACCESS_KEY, "wrong")
    answer = send(world, dynamodb(world, credentials=wrong))
    assert (answer.status, answer.code) == (400, "InvalidSignatureException")
    assert answer.document["message"].startswith(MISMATCH)
    answer = send(world, query(world, "sts", IDENTITY, credentials=wrong))
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")
    answer = send(world, signed(world, "GET", "/", service="s3", credentials=wrong))
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")
    assert send(world, signed(world, "GET", "/", service="s3", credentials=Credentials("x", "s"))).code == (
        "InvalidAccessKeyId"
    )


def test_another_region_or_service_in_the_scope(world: World) -> None:
    answer = send(world, dynamodb(world, region="us-west-2", to="us-east-1"))
    assert answer.code == "InvalidSignatureException"
    assert "Credential should be scoped to a valid region" in answer.document["message"]
    crossed = dynamodb(world, service="sts")
    assert send(world, crossed).code in ("InvalidSignatureException", "UnknownOperationException")


def test_five_minutes_of_skew_and_no_more(world: World) -> None:
    for shift_s in (-290, 290):
        assert send(world, dynamodb(world, at=now(shift_s))).status == 200
    late = send(world, dynamodb(world, at=now(-330)))
    assert (late.status, late.code) == (400, "InvalidSignatureException")
    assert late.document["message"].startswith("Signature expired: ")
    assert late.document["message"].endswith(" - 5 min.)")
    early = send(world, dynamodb(world, at=now(330)))
    assert early.document["message"].startswith("Signature not yet current: ")
    s3 = send(world, signed(world, "GET", "/", service="s3", at=now(-1000)))
    assert (s3.status, s3.code) == (403, "RequestTimeTooSkewed")


def test_a_session_token_that_is_missing_forged_or_somebody_elses(world: World) -> None:
    sts = world.client("sts")
    given = sts.get_session_token(DurationSeconds=900)["Credentials"]
    other = sts.get_session_token(DurationSeconds=900)["Credentials"]
    good = Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    assert send(world, dynamodb(world, credentials=good)).status == 200
    for token in (None, "x", given["SessionToken"][:-4] + "AAAA", other["SessionToken"]):
        bad = Credentials(given["AccessKeyId"], given["SecretAccessKey"], token)
        answer = send(world, dynamodb(world, credentials=bad))
        assert (answer.status, answer.code) == (400, "UnrecognizedClientException"), token


def test_real_keys_are_refused_and_not_repeated(world: World) -> None:
    answer = send(world, dynamodb(world, credentials=Credentials("AKIAIOSFODNN7EXAMPLE", "s")))
    assert b"AKIAIOSFODNN7EXAMPLE" not in answer.body
    assert "AKIAIOSFODNN7EXAMPLE" not in (world.folder / "world.log").read_text()


def test_presigned_calls_of_a_query_service(world: World) -> None:
    path = f"/?{IDENTITY}"
    good = signed(world, "GET", path, service="sts", presigned_s=60)
    assert send(world, good).status == 200
    late = signed(world, "GET", path, service="sts", presigned_s=60, at=now(-100))
    assert send(world, late).code == "SignatureDoesNotMatch"
    changed = Sent(good.method, good.target.replace("X-Amz-Expires=60", "X-Amz-Expires=61"), good.headers)
    assert send(world, changed).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize("expires", ["604801", "-5", "1e3", "+60", ""])
def test_a_url_whose_life_cannot_be_is_refused_by_its_service(world: World, expires: str) -> None:
    """Also where the host does not say which service it is, as with an endpoint of the world's own."""
    good = signed(world, "GET", "/box/key", service="s3", presigned_s=60)
    bad = Sent(good.method, good.target.replace("X-Amz-Expires=60", f"X-Amz-Expires={expires}"), good.headers)
    answer = send(world, bad)
    assert (answer.status, answer.code) == (400, "AuthorizationQueryParametersError")
    assert b"X-Amz-Expires" in answer.body


def test_every_answer_has_a_request_id_and_no_internals(world: World) -> None:
    name = f"t{uuid.uuid4().hex[:8]}"
    for one in (
        dynamodb(world, "DescribeTable", f'{{"TableName":"{name}"}}'.encode()),
        dynamodb(world, "NoSuchOperation"),
        dynamodb(world, body=b"{"),
        dynamodb(world, body=b"[]"),
        query(world, "sts", "Action=Nothing"),
        signed(world, "PATCH", "/a/b/c", service="s3"),
    ):
        answer = send(world, one)
        assert 400 <= answer.status < 500, (one, answer)
        assert "x-amzn-requestid" in answer.headers or "x-amz-request-id" in answer.headers
        assert b"Traceback" not in answer.body
