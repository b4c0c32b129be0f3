"""The signature check, against requests that botocore signed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from outlast.cloud.identity.faults import SignatureFault, faults_for, unrecognized
from outlast.cloud.identity.sigv4 import SigningKeys, parse, verify
from tests.unit.identity.signing import KEY_ID, NOW_S, SECRET, Req, signed

GET_ITEM = Req(
    headers={"x-amz-target": "DynamoDB_20120810.GetItem", "content-type": "application/x-amz-json-1.0"},
    body=b'{"TableName":"orders"}',
)


def check(request: Req, *, now_s: float = NOW_S, secret: str = SECRET, **addressed: str) -> None:
    verify(parse(request), request, secret, now_s, SigningKeys(), **addressed)


def refusal(request: Req, *, now_s: float = NOW_S, secret: str = SECRET, **addressed: str) -> SignatureFault:
    with pytest.raises(SignatureFault) as caught:
        check(request, now_s=now_s, secret=secret, **addressed)
    return caught.value


def test_what_a_header_presents() -> None:
    presented = parse(signed(GET_ITEM, token="session"))
    assert presented.access_key_id == KEY_ID
    assert (presented.date, presented.region, presented.service) == ("20260201", "us-east-1", "dynamodb")
    assert presented.signed_headers == ("content-type", "host", "x-amz-date", "x-amz-security-token", "x-amz-target")
    assert (presented.token, presented.kind, presented.algorithm) == ("session", "header", "AWS4-HMAC-SHA256")


def test_a_signed_request_is_accepted_for_its_region_and_service() -> None:
    check(signed(GET_ITEM), region="us-east-1", service="dynamodb")


def test_another_region_or_service_is_refused() -> None:
    request = signed(GET_ITEM)
    assert refusal(request, region="us-west-2").message == (
        "Credential should be scoped to a valid region, not 'us-east-1'. "
    )
    assert refusal(request, service="lambda").message == "Credential should be scoped to correct service: 'lambda'. "


CHANGES: list[Callable[[Req], Req]] = [
    lambda r: replace(r, method="PUT"),
    lambda r: replace(r, path="/x"),
    lambda r: replace(r, query="a=1"),
    lambda r: replace(r, body=r.body + b" "),
    lambda r: r.with_header("x-amz-target", "DynamoDB_20120810.PutItem"),
    lambda r: r.with_header("x-amz-date", "20260201T000001Z"),
    lambda r: r.with_header("host", "elsewhere"),
    lambda r: r.without_header("content-type"),
    lambda r: r.with_header("authorization", r.headers["authorization"][:-1] + "g"),
    lambda r: r.with_header("authorization", r.headers["authorization"].replace("us-east-1", "us-west-2")),
]


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_to_what_was_signed_is_refused(change: Callable[[Req], Req]) -> None:
    fault = refusal(change(signed(GET_ITEM)))
    assert fault.code == "InvalidSignatureException"
    assert fault.message.startswith("The request signature we calculated does not match the signature you provided.")


def test_the_wrong_secret_is_refused() -> None:
    assert refusal(signed(GET_ITEM), secret="other").code == "InvalidSignatureException"


def test_an_unsigned_request_is_missing_its_token() -> None:
    fault = refusal(GET_ITEM)
    assert (fault.code, fault.message) == (
        "MissingAuthenticationTokenException",
        "Request is missing Authentication Token",
    )
    assert refusal(GET_ITEM.with_header("authorization", "Basic abc")).code == "MissingAuthenticationTokenException"


def test_what_a_header_lacks_is_listed() -> None:
    fault = refusal(Req(headers={"authorization": "AWS4-HMAC-SHA256 Credential=x"}))
    assert fault.code == "IncompleteSignatureException"
    assert fault.message.startswith(
        "Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. "
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
    )


def test_header_parameters_must_be_pairs() -> None:
    fault = refusal(GET_ITEM.with_header("authorization", "AWS4-HMAC-SHA256 Credential"))
    assert fault.code == "IncompleteSignatureException"
    assert fault.message.startswith("Invalid key=value pair (missing equal-sign)")


@pytest.mark.parametrize(
    ("credential", "text"),
    [
        ("AKIA/20260201/us-east-1/dynamodb", "Credential must have exactly 5 slash-delimited elements"),
        ("AKIA/20260201/us-east-1/dynamodb/aws5", "Credential should be scoped with a valid terminator"),
    ],
)
def test_a_malformed_scope_is_refused(credential: str, text: str) -> None:
    header = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature={'0' * 64}"
    request = Req(headers={"host": "h", "x-amz-date": "20260201T000000Z", "authorization": header})
    assert text in refusal(request).message


def test_the_host_must_be_signed() -> None:
    request = signed(GET_ITEM)
    header = request.headers["authorization"].replace("content-type;host;", "content-type;")
    message = refusal(request.with_header("authorization", header)).message
    assert message == "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."


@pytest.mark.parametrize("away_s", [-300, 0, 300])
def test_five_minutes_of_skew_are_allowed(away_s: int) -> None:
    check(signed(GET_ITEM), now_s=NOW_S + away_s)


def test_beyond_the_skew_is_refused_with_both_times() -> None:
    request = signed(GET_ITEM)
    assert refusal(request, now_s=NOW_S + 301).message == (
        "Signature expired: 20260201T000000Z is now earlier than 20260201T000001Z (20260201T000501Z - 5 min.)"
    )
    assert refusal(request, now_s=NOW_S - 301).message == (
        "Signature not yet current: 20260201T000000Z is still later than 20260131T235959Z (20260131T235459Z + 5 min.)"
    )


def test_the_scope_must_be_of_the_day() -> None:
    request = signed(GET_ITEM)
    header = request.headers["authorization"].replace("/20260201/", "//")
    assert refusal(request.with_header("authorization", header)).message.startswith("Date in Credential scope does not")


def test_parameters_may_come_in_any_order_and_spacing() -> None:
    request = signed(GET_ITEM)
    head, credential, names, signature = request.headers["authorization"].replace(",", "").split(" ")
    for header in (f"{head} {signature},{credential},{names}", f"{head}  {names} {credential} {signature} "):
        check(request.with_header("authorization", header))


def test_a_repeated_parameter_is_refused() -> None:
    request = signed(GET_ITEM)
    header = request.headers["authorization"].replace("SignedHeaders=", "SignedHeaders=host, SignedHeaders=")
    assert refusal(request.with_header("authorization", header)).code == "IncompleteSignatureException"


def test_presigned_lives_as_long_as_it_says() -> None:
    request = signed(Req(method="GET", path="/orders"), service="execute-api", presigned_s=900)
    assert parse(request).kind == "presigned"
    check(request, now_s=NOW_S + 900)
    assert refusal(request, now_s=NOW_S + 901).message.startswith("Signature expired: ")
    assert refusal(replace(request, query=request.query.replace("Expires=900", "Expires=901"))).code == (
        "InvalidSignatureException"
    )


@pytest.mark.parametrize("expires", ["604801", "-1", "soon", ""])
def test_presigned_life_is_a_number_up_to_a_week(expires: str) -> None:
    request = signed(Req(method="GET"), service="s3", presigned_s=900)
    fault = refusal(replace(request, query=request.query.replace("Expires=900", f"Expires={expires}")))
    assert fault.code == "IncompleteSignatureException"
    assert faults_for("rest-xml", "s3")(fault).code == "AuthorizationQueryParametersError"


def test_what_a_presigned_url_lacks_is_listed() -> None:
    fault = refusal(Req(method="GET", query="X-Amz-Algorithm=AWS4-HMAC-SHA256"))
    assert fault.message == (
        "AWS query-string parameters must include 'X-Amz-Credential'. "
        "AWS query-string parameters must include 'X-Amz-Signature'. "
        "AWS query-string parameters must include 'X-Amz-SignedHeaders'. "
        "AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters."
    )


@pytest.mark.parametrize(
    "request_",
    [Req(query="AWSAccessKeyId=A&Signature=B&Expires=1"), Req(headers={"authorization": "AWS A:B"})],
)
def test_signatures_of_version_2_are_told_so(request_: Req) -> None:
    fault = refusal(request_)
    assert (fault.code, "AWS4-HMAC-SHA256" in fault.message) == ("InvalidRequest", True)


def test_both_places_at_once_are_refused() -> None:
    request = replace(signed(GET_ITEM), query="X-Amz-Algorithm=AWS4-HMAC-SHA256")
    assert refusal(request).message == (
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
    )


def test_s3_expired_presigned_says_so() -> None:
    request = signed(Req(method="GET", path="/b/k"), service="s3", presigned_s=60)
    check(request)
    fault = refusal(request, now_s=NOW_S + 61)
    assert (fault.code, fault.message) == ("AccessDenied", "Request has expired")


def test_s3_paths_are_encoded_once_and_not_normalised() -> None:
    check(signed(Req(method="PUT", path="/bucket/a%20b//c/../d%2Be", body=b"x"), service="s3"))


def test_s3_body_must_match_its_hash() -> None:
    request = replace(signed(Req(method="PUT", path="/b/k", body=b"x"), service="s3"), body=b"y")
    assert refusal(request).code == "XAmzContentSHA256Mismatch"


def test_s3_headers_of_amazon_must_be_signed() -> None:
    request = signed(Req(method="PUT", path="/b/k"), service="s3").with_header("x-amz-acl", "public-read")
    assert refusal(request).message == "There were headers present in the request which were not signed"


def test_a_header_of_awss_that_is_not_signed_is_refused() -> None:
    request = signed(GET_ITEM.without_header("x-amz-target")).with_header("x-amz-target", "DynamoDB_20120810.PutItem")
    fault = refusal(request)
    assert fault.code == "InvalidSignatureException"
    assert fault.message == "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization."
    invoke = signed(Req(path="/2015-03-31/functions/f/invocations"), service="lambda")
    fault = refusal(invoke.with_header("x-amz-invocation-type", "Event"))
    assert fault.message == "'X-Amz-Invocation-Type' must be a 'SignedHeader' in the AWS Authorization."
    presigned = signed(invoke, service="lambda", presigned_s=60)
    assert refusal(presigned.with_header("x-amz-log-type", "Tail")).code == "InvalidSignatureException"


def test_headers_that_are_bound_otherwise_need_no_signature() -> None:
    """Some clients add the token after they signed; it is held against the key all the same."""
    check(signed(Req(), service="lambda").with_header("x-amz-security-token", "session"))
    check(signed(GET_ITEM).with_header("x-amzn-trace-id", "Root=1-2-3"))


def test_only_s3_may_leave_its_payload_unsigned() -> None:
    unsigned = Req(headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, body=b"x")
    assert refusal(signed(unsigned)).code == "InvalidSignatureException"


def test_the_key_cache_is_bounded_and_forgets_the_longest_unused() -> None:
    keys = SigningKeys(limit=2)
    for region in ("us-east-1", "us-west-2", "us-east-1", "us-east-2"):
        request = signed(GET_ITEM, region=region)
        verify(parse(request), request, SECRET, NOW_S, keys)
    assert len(keys) == 2
    assert {key[3] for key in keys._kept} == {"us-east-1", "us-east-2"}


def test_services_name_the_faults_in_their_own_way() -> None:
    fault = unrecognized()
    named = {
        (protocol, service): (mapped := faults_for(protocol, service)(fault)).code + f" {mapped.status}"
        for protocol, service in (("json", "dynamodb"), ("query", "iam"), ("rest-xml", "s3"), ("rest-json", "lambda"))
    }
    assert named == {
        ("json", "dynamodb"): "UnrecognizedClientException 400",
        ("query", "iam"): "InvalidClientTokenId 403",
        ("rest-xml", "s3"): "InvalidAccessKeyId 403",
        ("rest-json", "lambda"): "UnrecognizedClientException 403",
    }
