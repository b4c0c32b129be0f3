"""Keys that are useless on AWS, and session tokens that only the world can make."""

from __future__ import annotations

import pytest

from outlast.cloud.identity.credentials import (
    Session,
    SessionTokens,
    key_id,
    looks_real,
    secret_key,
    unique_id,
)
from outlast.cloud.identity.faults import SignatureFault

TOKENS = SessionTokens(b"k" * 32)
SESSION = Session(
    access_key_id="ASIALOCALAAAAAAAAAAA",
    secret="s" * 40,
    arn="arn:aws:sts::000000000000:assumed-role/orders/run",
    account_id="000000000000",
    user_id="AROAX:run",
    role_arn="arn:aws:iam::000000000000:role/orders",
    issued_s=1000,
    expires_s=2000,
    policies=('{"Version":"2012-10-17"}',),
    tags=(("team", "orders"),),
)
TOKEN = TOKENS.seal(SESSION, b"n" * 12)


def test_ids_have_the_form_and_length_of_aws_and_a_marker() -> None:
    assert key_id(bytes(7)) == "AKIALOCALAAAAAAAAAAA"
    assert len(key_id(bytes(range(7)), session=True)) == 20
    assert len(secret_key(bytes(30))) == 40
    assert len(unique_id("AROA", bytes(11))) == 21


@pytest.mark.parametrize(
    ("access_key_id", "real"),
    [
        ("AKIAIOSFODNN7EXAMPLE", True),
        ("ASIAIOSFODNN7EXAMPLE", True),
        (key_id(bytes(7)), False),
        (key_id(bytes(7), session=True), False),
        ("test", False),
    ],
)
def test_real_keys_are_recognised(access_key_id: str, real: bool) -> None:
    assert looks_real(access_key_id) is real


def test_another_holder_of_the_worlds_key_opens_the_token() -> None:
    assert SessionTokens(b"k" * 32).open(TOKEN, SESSION.access_key_id, 1999) == SESSION


def test_a_session_ends() -> None:
    TOKENS.open(TOKEN, SESSION.access_key_id, 1999.9)
    with pytest.raises(SignatureFault) as caught:
        TOKENS.open(TOKEN, SESSION.access_key_id, 2000)
    assert caught.value.code == "ExpiredTokenException"


def test_a_token_belongs_to_its_key() -> None:
    with pytest.raises(SignatureFault, match="security token"):
        TOKENS.open(TOKEN, "ASIALOCALBBBBBBBBBBB", 1500)


@pytest.mark.parametrize("forged", ["", "OLST", "x", TOKEN[:-4], TOKEN[:60] + "AAAA" + TOKEN[64:], "é" + TOKEN])
def test_a_forged_token_is_refused(forged: str) -> None:
    with pytest.raises(SignatureFault) as caught:
        TOKENS.open(forged, SESSION.access_key_id, 1500)
    assert caught.value.code == "UnrecognizedClientException"


def test_another_worlds_token_is_refused() -> None:
    with pytest.raises(SignatureFault, match="security token"):
        SessionTokens(b"z" * 32).open(TOKEN, SESSION.access_key_id, 1500)


def test_opened_tokens_are_bounded() -> None:
    tokens = SessionTokens(b"k" * 32, limit=2)
    for nonce in (b"a" * 12, b"b" * 12, b"c" * 12):
        tokens.open(tokens.seal(SESSION, nonce), SESSION.access_key_id, 1500)
    assert len(tokens._opened) == 2
