"""Principals as plain data: over links, and on shelves that outlive a version."""

from __future__ import annotations

import json

import pytest

from outlast.cloud.contract import Principal

SESSION = Principal(
    "assumed-role", "arn:aws:sts::111122223333:assumed-role/r/me", "111122223333", "AROA:me", "ASIALOCAL", "arn:role",
    session_policies=("{}",), tags=(("team", "red"),), issued_s=7,
)  # fmt: skip


@pytest.mark.parametrize(
    "principal", [SESSION, Principal.service("lambda", "us-east-1", "111122223333"), Principal.anonymous()]
)
def test_a_principal_is_the_same_after_a_journey(principal: Principal) -> None:
    assert Principal.read(json.loads(json.dumps(principal.document()))) == principal
    assert hash(Principal.read(json.loads(json.dumps(principal.document())))) == hash(principal)


def test_a_document_of_another_version_is_read() -> None:
    old = {"kind": "root", "arn": "arn", "account_id": "1", "colour": "red"}
    assert Principal.read(old) == Principal("root", "arn", "1")
