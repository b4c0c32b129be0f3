"""Anything that claims to be a signature, a chunked body or a policy: refused in AWS's words, never a failure."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlast.cloud.identity import chunked
from outlast.cloud.identity.faults import SignatureFault
from outlast.cloud.identity.policy import MalformedPolicy, Principal, RequestFacts, compile_policy, decide
from outlast.cloud.identity.sigv4 import SigningKeys, parse, verify
from tests.property.door.fuzzing import at_length, briefly
from tests.unit.identity.signing import NOW_S, SECRET, Req, signed

pieces = st.one_of(
    st.sampled_from(
        [
            "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", "Credential=", "SignedHeaders=", "Signature=", "host", ";",
            "AKIALOCALAAAAAAAAAAA", "/20260201/us-east-1/s3/aws4_request", "/", ",", " ", "=", "x-amz-date", "0" * 64,
            "20260201T000000Z", "99999999T999999Z", "%00", "\u00fc", "\x00", "é",
        ]
    ),
    st.text(max_size=8),
)  # fmt: skip
texts = st.lists(pieces, max_size=10).map("".join)
queries = st.lists(
    st.tuples(
        st.sampled_from(
            ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders",
             "X-Amz-Signature", "X-Amz-Security-Token", "X-Amz-Region-Set", "AWSAccessKeyId", "a"]
        ),
        texts,
    ),
    max_size=8,
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))  # fmt: skip
extra = st.dictionaries(
    st.sampled_from(["x-amz-date", "date", "x-amz-security-token", "x-amz-content-sha256", "x-amz-region-set", "host"]),
    texts,
    max_size=4,
)


def check_signature(authorization: str | None, query: str, headers: dict[str, str], body: bytes) -> None:
    given_headers = {"host": "h", **headers}
    if authorization is not None:
        given_headers["authorization"] = authorization
    request = Req("POST", "/", query, given_headers, body)
    with pytest.raises(SignatureFault) as refused:
        verify(parse(request), request, SECRET, NOW_S, SigningKeys(), region="us-east-1", service="s3")
    assert 400 <= refused.value.status < 500


@briefly(400)
@given(authorization=st.none() | texts, query=queries, headers=extra, body=st.binary(max_size=20))
def test_made_up_signatures(authorization: str | None, query: str, headers: dict[str, str], body: bytes) -> None:
    check_signature(authorization, query, headers, body)


@at_length
@given(authorization=st.none() | texts, query=queries, headers=extra, body=st.binary(max_size=20))
def test_made_up_signatures_at_length(
    authorization: str | None, query: str, headers: dict[str, str], body: bytes
) -> None:
    check_signature(authorization, query, headers, body)


GOOD = signed(Req("PUT", "/b/k", "", {"x-amz-meta-a": "b"}, b"body"), service="s3")


def check_change(name: str, at: int, put: str) -> None:
    old = GOOD.headers[name]
    at %= len(old) + 1
    new = old[:at] + put + old[at + 1 :]
    if new.split() == old.split():
        return
    changed = GOOD.with_header(name, new)
    try:
        verify(parse(changed), changed, SECRET, NOW_S, SigningKeys(), region="us-east-1", service="s3")
    except SignatureFault:
        return
    assert name == "authorization", (name, new)
    folded = new.replace(",", " ").split()
    assert folded == old.replace(",", " ").split() or folded[1:] != [], new
    assert parse(changed).signature == parse(GOOD).signature


@briefly(300)
@given(name=st.sampled_from(sorted(GOOD.headers)), at=st.integers(0, 400), put=st.text(max_size=2))
def test_changed_headers(name: str, at: int, put: str) -> None:
    check_change(name, at, put)


@at_length
@given(name=st.sampled_from(sorted(GOOD.headers)), at=st.integers(0, 400), put=st.text(max_size=2))
def test_changed_headers_at_length(name: str, at: int, put: str) -> None:
    check_change(name, at, put)


framing = st.lists(
    st.one_of(
        st.sampled_from(
            [b"0", b"3", b"a", b"-1", b"fffffffff", b"\r\n", b"abc", b";chunk-signature=", b":", b"x-amz-a"]
        ),
        st.binary(max_size=6),
    ),
    max_size=10,
).map(b"".join)


def check_chunks(body: bytes) -> None:
    try:
        parts = chunked.decode(body)
    except SignatureFault:
        return
    assert len(parts.data) <= len(body)


@briefly(300)
@given(body=framing)
def test_any_framing(body: bytes) -> None:
    check_chunks(body)


@at_length
@given(body=framing)
def test_any_framing_at_length(body: bytes) -> None:
    check_chunks(body)


words = st.sampled_from(
    ["Version", "2012-10-17", "Statement", "Effect", "Allow", "Deny", "Action", "NotAction", "Resource", "NotResource",
     "Principal", "NotPrincipal", "Condition", "Sid", "*", "s3:*", "AWS", "Service", "arn:aws:s3:::a", "StringEquals",
     "ForAllValues:StringLike", "Null", "true", "IpAddress", "10.0.0.0/8", "DateLessThan", "2020-01-01",
     "${aws:username}", "${", "NumericEquals", "1", "Bool", "BinaryEquals", "ArnLike", "111122223333", "aws:SourceIp"]
)  # fmt: skip
leaves = st.one_of(words, st.text(max_size=6), st.none(), st.booleans(), st.integers(), st.floats())
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=5), inner, max_size=5),
    max_leaves=15,
)
statements = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"])},
    optional=dict.fromkeys(
        ("Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition", "Sid"), trees
    ),
)
policies = st.one_of(
    trees,
    st.fixed_dictionaries(
        {"Version": st.just("2012-10-17"), "Statement": statements | st.lists(statements, max_size=2)}
    ),
)
contexts = st.dictionaries(
    st.sampled_from(["aws:username", "aws:sourceip", "aws:epochtime"]), st.lists(st.text(max_size=8), max_size=2)
)
WHO = Principal("user", "arn:aws:iam::111122223333:user/ann", "111122223333")


def check_policy(document: Any, kind: Any, context: dict[str, list[str]], as_text: bool) -> None:
    try:
        policy = compile_policy(json.dumps(document) if as_text else document, kind)
    except MalformedPolicy:
        return
    facts = RequestFacts("s3:GetObject", "arn:aws:s3:::a/b", WHO, context)
    decide(facts, [policy] if kind == "identity" else [], resource_policy=None if kind == "identity" else policy)


kinds = st.sampled_from(["identity", "resource", "trust"])


@briefly(500)
@given(document=policies, kind=kinds, context=contexts, as_text=st.booleans())
def test_any_document_as_a_policy(document: Any, kind: str, context: dict[str, list[str]], as_text: bool) -> None:
    check_policy(document, kind, context, as_text)


@at_length
@given(document=policies, kind=kinds, context=contexts, as_text=st.booleans())
def test_any_document_as_a_policy_at_length(
    document: Any, kind: str, context: dict[str, list[str]], as_text: bool
) -> None:
    check_policy(document, kind, context, as_text)
