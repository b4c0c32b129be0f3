"""Signatures: the same as botocore's for one Region, verifiable ones for several."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import botocore.auth
import botocore.credentials
import pytest
from botocore.awsrequest import AWSRequest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from outlast.ops.signing import Credentials, ec_key, sign

KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "token")
NOW_S = 1_767_225_600.0
URL = "https://orders.example.com:8443/v1/orders/o-1?b=2&a=1"


def test_one_region_is_signed_as_botocore_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"order_id":"o-1"}'
    request = AWSRequest("POST", URL, headers={"content-type": "application/json"}, data=body)
    keys = botocore.credentials.Credentials(KEYS.access_key_id, KEYS.secret, KEYS.token)
    moment = datetime.fromtimestamp(NOW_S, UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda **_: moment, raising=True)
    botocore.auth.SigV4Auth(keys, "execute-api", "us-west-2").add_auth(request)
    ours = sign(KEYS, ["us-west-2"], "POST", URL, body, NOW_S, {"content-type": "application/json"})
    assert ours["authorization"] == request.headers["Authorization"]


def test_the_key_for_several_regions_is_the_documented_one() -> None:
    numbers = ec_key("AKISORANDOMAASORANDOM", "q+jcrXGc+0zWN6uzclKVhvMmUsIfRPa4rlRandom").public_key().public_numbers()
    assert f"{numbers.x:064x}" == "15d242ceebf8d8169fd6a8b5a746c41140414c3b07579038da06af89190fffcb"
    assert f"{numbers.y:064x}" == "0515242cedd82e94799482e4c0514b505afccf2c0c98d6a553bf539f424c5ec0"


def test_several_regions_are_signed_for_all_of_them() -> None:
    headers = sign(KEYS, ["us-east-1", "us-west-2"], "GET", "https://orders.example.com/v1/health", b"", NOW_S)
    assert headers["x-amz-region-set"] == "us-east-1,us-west-2"
    assert "AWS4-ECDSA-P256-SHA256 Credential=AKIDEXAMPLE/20260101/execute-api/aws4_request" in headers["authorization"]
    names = headers["authorization"].split("SignedHeaders=")[1].split(",")[0]
    assert names == "host;x-amz-date;x-amz-region-set;x-amz-security-token"
    lines = [f"{name}:{headers[name]}" for name in names.split(";")]
    canonical = "\n".join(["GET", "/v1/health", "", *lines, "", names, hashlib.sha256(b"").hexdigest()])
    text = "\n".join(
        [
            "AWS4-ECDSA-P256-SHA256",
            headers["x-amz-date"],
            "20260101/execute-api/aws4_request",
            hashlib.sha256(canonical.encode()).hexdigest(),
        ]
    )
    signature = bytes.fromhex(headers["authorization"].split("Signature=")[1])
    public = ec_key(KEYS.access_key_id, KEYS.secret).public_key()
    public.verify(signature, text.encode(), ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        public.verify(signature, text.encode() + b".", ec.ECDSA(hashes.SHA256()))
