"""Whatever botocore signs is accepted, and no byte of it can change."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlast.cloud.identity.faults import SignatureFault
from outlast.cloud.identity.sigv4 import SigningKeys, parse, verify
from tests.unit.identity.signing import NOW_S, SECRET, Req, signed

METHODS = st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"])
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_characters="\x7f"), max_size=8)
SEGMENT = st.one_of(TEXT, st.sampled_from(["", ".", "..", "a b", "a+b", "%", "é", "~.-_", "x*y(z)"]))
PATHS = st.lists(SEGMENT, max_size=4).map(lambda parts: "/" + "/".join(quote(part, safe="-_.~") for part in parts))
ROUTES = PATHS.filter(lambda path: not path.startswith("//"))
QUERIES = st.lists(st.tuples(TEXT.filter(bool), TEXT), max_size=4).map(
    lambda pairs: "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)
)
VALUES = st.text(st.sampled_from("abc XYZ\t019;=,/\"'"), max_size=12)
HEADERS = st.dictionaries(st.sampled_from(["x-amz-target", "content-type", "x-custom", "x-amz-meta"]), VALUES)
REQUESTS = st.builds(Req, METHODS, ROUTES, QUERIES, HEADERS, st.binary(max_size=64))


def accepts(request: Req) -> bool:
    try:
        verify(parse(request), request, SECRET, NOW_S, SigningKeys())
    except SignatureFault:
        return False
    return True


@settings(max_examples=300, deadline=None)
@given(request=REQUESTS, service=st.sampled_from(["dynamodb", "execute-api", "s3"]))
def test_what_botocore_signs_in_headers_is_accepted(request: Req, service: str) -> None:
    assert accepts(signed(request, service=service, token="t" if len(request.body) % 2 else None))


@settings(max_examples=200, deadline=None)
@given(
    request=st.builds(Req, st.sampled_from(["GET", "PUT"]), ROUTES, QUERIES, st.just({}), st.just(b"")),
    service=st.sampled_from(["execute-api", "s3"]),
    token=st.sampled_from([None, "abc/+=="]),
)
def test_what_botocore_presigns_is_accepted(request: Req, service: str, token: str | None) -> None:
    assert accepts(signed(request, service=service, token=token, presigned_s=60))


@settings(max_examples=300, deadline=None)
@given(request=REQUESTS, data=st.data(), service=st.sampled_from(["dynamodb", "s3"]))
def test_one_changed_byte_of_a_signed_part_is_refused(request: Req, data: st.DataObject, service: str) -> None:
    good = signed(request, service=service)
    names = parse(good).signed_headers
    part = data.draw(st.sampled_from(["method", "body", *names]))
    if part == "method":
        bad = replace(good, method=good.method[:-1] + "_")
    elif part == "body":
        at = data.draw(st.integers(0, len(good.body)))
        bad = replace(good, body=good.body[:at] + b"\xff" + good.body[at:])
    else:
        value = good.headers[part]
        at = data.draw(st.integers(0, len(value)))
        bad = good.with_header(part, value[:at] + "#" + value[at:])
    assert not accepts(bad)


@settings(max_examples=150, deadline=None)
@given(request=REQUESTS, data=st.data())
def test_one_changed_digit_of_the_signature_is_refused(request: Req, data: st.DataObject) -> None:
    good = signed(request)
    header = good.headers["authorization"]
    at = data.draw(st.integers(len(header) - 64, len(header) - 1))
    digit = data.draw(st.sampled_from("0123456789abcdef").filter(lambda d: d != header[at]))
    assert not accepts(good.with_header("authorization", header[:at] + digit + header[at + 1 :]))


@settings(max_examples=300, deadline=None)
@given(
    authorization=st.text(
        st.sampled_from("AWS4-HMAC-SHA256 Credential=/,;Signature=SignedHeaders=hostx019é"), max_size=120
    )
)
def test_no_header_breaks_the_reader(authorization: str) -> None:
    with pytest.raises(SignatureFault):
        parse(Req(headers={"authorization": "AWS4-HMAC-SHA256" + authorization, "x-amz-date": "x"}))
