"""SigV4A: the published derivation example, and signatures made with the derived key."""

from __future__ import annotations

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from outlast.cloud.identity.faults import SignatureFault
from outlast.cloud.identity.sigv4 import SigningKeys, parse, verify
from outlast.cloud.identity.sigv4a import derive_key
from tests.unit.identity.signing import KEY_ID, NOW_S, SECRET, Req


def signed_for(regions: str, *, names: str = "host;x-amz-date;x-amz-region-set") -> Req:
    headers = {"host": "api.example.com", "x-amz-date": "20260201T000000Z", "x-amz-region-set": regions}
    lines = "".join(f"{name}:{headers[name]}\n" for name in names.split(";"))
    canonical = f"POST\n/orders\n\n{lines}\n{names}\n{sha256(b'{}').hexdigest()}"
    scope = "20260201/execute-api/aws4_request"
    text = f"AWS4-ECDSA-P256-SHA256\n20260201T000000Z\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    signature = derive_key(KEY_ID, SECRET).sign(text.encode(), ec.ECDSA(hashes.SHA256())).hex()
    header = f"AWS4-ECDSA-P256-SHA256 Credential={KEY_ID}/{scope}, SignedHeaders={names}, Signature={signature}"
    return Req("POST", "/orders", "", {**headers, "authorization": header}, b"{}")


def check(request: Req, region: str = "us-east-1") -> None:
    verify(parse(request), request, SECRET, NOW_S, SigningKeys(), region=region, service="execute-api")


def test_the_derivation_gives_the_published_key() -> None:
    numbers = derive_key("AKISORANDOMAASORANDOM", "q+jcrXGc+0zWN6uzclKVhvMmUsIfRPa4rlRandom").private_numbers()
    assert f"{numbers.private_value:064x}" == "7fd3bd010c0d9c292141c2b77bfbde1042c92e6836fff749d1269ec890fca1bd"


@pytest.mark.parametrize("regions", ["*", "us-*", "us-west-2,us-east-1", "us-east-1"])
def test_a_region_in_the_set_accepts(regions: str) -> None:
    request = signed_for(regions)
    assert parse(request).regions == tuple(regions.split(","))
    check(request)


def test_a_region_outside_the_set_refuses() -> None:
    with pytest.raises(SignatureFault, match="valid region"):
        check(signed_for("us-west-2,eu-*"))


def test_the_region_set_must_be_signed() -> None:
    with pytest.raises(SignatureFault, match="Region-Set"):
        check(signed_for("us-west-2", names="host;x-amz-date"))


@pytest.mark.parametrize("change", [("x-amz-region-set", "*,us-east-1"), ("host", "other")])
def test_changes_are_refused(change: tuple[str, str]) -> None:
    with pytest.raises(SignatureFault, match="does not match"):
        check(signed_for("*").with_header(*change))


def test_a_signature_that_is_no_signature_is_refused() -> None:
    request = signed_for("*")
    header = request.headers["authorization"].rpartition("=")[0] + "=zz"
    with pytest.raises(SignatureFault, match="does not match"):
        check(request.with_header("authorization", header))
