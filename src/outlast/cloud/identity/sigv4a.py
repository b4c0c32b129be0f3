"""Signature Version 4A: one signature that holds in several Regions.

The private key is derived from the secret access key, so the verifier derives the same pair and checks with the public
half. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html; the derivation is NIST SP 800-108's KDF in
counter mode over HMAC-SHA256, repeated under a counter until it yields a scalar of the curve
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
"""

from __future__ import annotations

import hmac
from fnmatch import fnmatchcase
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from outlast.cloud.identity.faults import invalid
from outlast.cloud.identity.presented import ECDSA, Presented, split_regions
from outlast.cloud.identity.request import SignedRequest

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_KEY_BITS = (256).to_bytes(4, "big")


@lru_cache(maxsize=256)
def derive_key(access_key_id: str, secret: str) -> ec.EllipticCurvePrivateKey:
    """The P-256 private key that belongs to a pair of access key id and secret."""
    key = ("AWS4A" + secret).encode()
    for counter in range(1, 255):
        context = access_key_id.encode() + bytes([counter])
        fixed = (1).to_bytes(4, "big") + ECDSA.encode() + b"\0" + context + _KEY_BITS
        candidate = int.from_bytes(hmac.digest(key, fixed, "sha256"), "big")
        if candidate <= _ORDER - 2:
            return ec.derive_private_key(candidate + 1, ec.SECP256R1())
    raise invalid()


def check_signature(presented: Presented, secret: str, text: str) -> None:
    """Raise unless the presented signature of `text` was made with the key derived from `secret`."""
    try:
        signature = bytes.fromhex(presented.signature)
        public = derive_key(presented.access_key_id, secret).public_key()
        public.verify(signature, text.encode(), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        raise invalid() from None


def check_region_set(presented: Presented, request: SignedRequest, region: str | None) -> None:
    """Raise unless the signed region set covers this Region. The set must itself be signed."""
    if presented.kind == "header":
        if "x-amz-region-set" not in presented.signed_headers:
            raise invalid("'X-Amz-Region-Set' must be a 'SignedHeader' in the AWS Authorization.")
        regions = split_regions(request.headers.get("x-amz-region-set", ""))
    else:
        regions = presented.regions
    if region is not None and not any(fnmatchcase(region, pattern) for pattern in regions):
        raise invalid(f"Credential should be scoped to a valid region, not '{','.join(regions)}'. ")
