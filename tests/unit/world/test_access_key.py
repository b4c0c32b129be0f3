"""The key pair that a throw-away world is given."""

from __future__ import annotations

import pytest

from outlast.cli.world import key_of
from outlast.cloud.world.config import WorldError


def test_made_up_pairs_are_taken() -> None:
    assert key_of(None) is None
    assert key_of("test:test") == ("test", "test")
    assert key_of("AKIALOCALUNKNOWNUSER:with:colons/and+more") == ("AKIALOCALUNKNOWNUSER", "with:colons/and+more")


@pytest.mark.parametrize(
    "text", ["", "test", "test:", ":test", "ab:secret", "a b c:secret", "a/b:secret", "x" * 129 + ":s"]
)
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(WorldError, match="ACCESS_KEY_ID:SECRET"):
        key_of(text)


def test_a_key_that_may_be_of_aws_is_refused_and_its_secret_not_told() -> None:
    with pytest.raises(WorldError, match="may be a key of AWS's own") as caught:
        key_of("AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI")
    assert "wJalr" not in str(caught.value)
