"""Signatures of requests to an API: SigV4 for one Region, SigV4A for a name that several Regions serve.

A customer of `orders.<zone>` does not know which Region will answer. SigV4 names one Region and is refused by all
others; SigV4A signs with an elliptic-curve key derived from the secret access key and is valid in a set of Regions.
botocore needs a native library for SigV4A, so it is written here, for requests without unusual paths.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

HMAC: Final = "AWS4-HMAC-SHA256"
ECDSA: Final = "AWS4-ECDSA-P256-SHA256"
ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SERVICE: Final = "execute-api"


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key; `token` is the session token of temporary ones."""

    access_key_id: str
    secret: str
    token: str | None = None


def sign(
    credentials: Credentials,
    regions: Sequence[str],
    method: str,
    url: str,
    body: bytes,
    now_s: float,
    headers: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The headers to send, lower case, `host` and `authorization` included. One Region: SigV4; several: SigV4A."""
    parts = urlsplit(url)
    moment = datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    signed = {name.lower(): value for name, value in (headers or {}).items()}
    signed |= {"host": parts.netloc, "x-amz-date": moment}
    if credentials.token:
        signed["x-amz-security-token"] = credentials.token
    several = len(regions) > 1
    if several:
        signed["x-amz-region-set"] = ",".join(regions)
    names = ";".join(sorted(signed))
    canonical = "\n".join(
        [
            method,
            quote(parts.path or "/", safe="/-_.~"),
            _canonical_query(parts.query),
            *(f"{name}:{' '.join(signed[name].split())}" for name in sorted(signed)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    day = moment[:8]
    scope = f"{day}/{SERVICE}/aws4_request" if several else f"{day}/{regions[0]}/{SERVICE}/aws4_request"
    algorithm = ECDSA if several else HMAC
    text = "\n".join([algorithm, moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    if several:
        key = ec_key(credentials.access_key_id, credentials.secret)
        signature = key.sign(text.encode(), ec.ECDSA(hashes.SHA256())).hex()
    else:
        signature = hmac.new(_hmac_key(credentials.secret, day, regions[0]), text.encode(), hashlib.sha256).hexdigest()
    signed["authorization"] = (
        f"{algorithm} Credential={credentials.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return signed


@lru_cache(maxsize=16)
def ec_key(access_key_id: str, secret: str) -> ec.EllipticCurvePrivateKey:
    """The P-256 key of an access key: a counter-mode derivation, repeated until the number is a valid key."""
    root = b"AWS4A" + secret.encode()
    for counter in range(1, 255):
        context = access_key_id.encode() + bytes([counter])
        fixed = (1).to_bytes(4, "big") + ECDSA.encode() + b"\0" + context + (256).to_bytes(4, "big")
        candidate = int.from_bytes(hmac.new(root, fixed, hashlib.sha256).digest(), "big")
        if candidate <= ORDER - 2:
            return ec.derive_private_key(candidate + 1, ec.SECP256R1())
    raise ValueError("no signing key can be derived from this access key")


@lru_cache(maxsize=64)
def _hmac_key(secret: str, day: str, region: str) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in (day, region, SERVICE, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _canonical_query(query: str) -> str:
    pairs = [pair.partition("=")[::2] for pair in query.split("&") if pair]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))
