"""AWS Signature Version 4: what a request presents as its credentials, and whether the signature holds.

Two steps, because the secret is looked up between them: `parse` reads the credentials, `verify` checks them. Both
follow https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html; presigned URLs follow
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING

from outlast.cloud.identity import chunked
from outlast.cloud.identity.canonical import (
    EMPTY_SHA256,
    UNSIGNED_PAYLOAD,
    canonical_headers,
    canonical_query,
    canonical_uri,
)
from outlast.cloud.identity.faults import SignatureFault, invalid
from outlast.cloud.identity.presented import HMAC, Presented, Scope, parse
from outlast.cloud.identity.request import SignedRequest
from outlast.cloud.identity.timing import check_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from hashlib import _Hash

__all__ = ["SKEW_S", "Presented", "SigningKeys", "parse", "verify"]

SKEW_S = 300
_BOUND = frozenset({"x-amz-date", "x-amz-security-token", "x-amz-content-sha256"})
"""Headers that need no signature of their own: the string to sign, the key and the body are held against them."""
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


class SigningKeys:
    """Derived signing keys, kept as started HMAC states; bounded, the longest unused goes first."""

    __slots__ = ("_kept", "_limit")

    def __init__(self, limit: int = 2048) -> None:
        self._limit = limit
        self._kept: OrderedDict[tuple[str, str, str, str, str], tuple[_Hash, _Hash]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def signature(self, scope: Scope, secret: str, text: str) -> str:
        """The hexadecimal signature of `text` under the key derived for this scope."""
        key = (scope.access_key_id, secret, scope.date, scope.region, scope.service)
        states = self._kept.get(key)
        if states is None:
            states = self._derive(key)
        else:
            self._kept.move_to_end(key)
        inner = states[0].copy()
        inner.update(text.encode())
        outer = states[1].copy()
        outer.update(inner.digest())
        return outer.hexdigest()

    def _derive(self, key: tuple[str, str, str, str, str]) -> tuple[_Hash, _Hash]:
        _, secret, date, region, service = key
        derived = signing_key(secret, date, region, service).ljust(64, b"\0")
        states = (sha256(derived.translate(_INNER)), sha256(derived.translate(_OUTER)))
        self._kept[key] = states
        if len(self._kept) > self._limit:
            self._kept.popitem(last=False)
        return states


def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of a day, a Region and a service, derived from a secret access key."""
    derived = ("AWS4" + secret).encode()
    for part in (date, region, service, "aws4_request"):
        derived = hmac.digest(derived, part.encode(), "sha256")
    return derived


def verify(
    presented: Presented,
    request: SignedRequest,
    secret: str,
    now_s: float,
    keys: SigningKeys,
    *,
    region: str | None = None,
    service: str | None = None,
) -> None:
    """Raise SignatureFault unless the request was signed with this secret, recently, for this Region and service.

    `region` and `service` are what the request was addressed to; None leaves that check to the caller. `now_s` is the
    wall clock in seconds. Payloads may be left unsigned, or signed in chunks, only under a scope for S3.
    """
    scope = presented.scope
    if service is not None and scope.service != service:
        raise invalid(f"Credential should be scoped to correct service: '{service}'. ")
    if region is not None and scope.region != region and scope.algorithm == HMAC:
        raise invalid(f"Credential should be scoped to a valid region, not '{scope.region}'. ")
    check_time(presented, now_s, SKEW_S)
    payload_hash = _payload_hash(presented, request)
    canonical = _canonical_request(presented, request, payload_hash)
    digest = sha256(canonical).hexdigest()
    text = f"{scope.algorithm}\n{presented.amz_date}\n{scope.text}\n{digest}"
    if scope.algorithm == HMAC:
        if not hmac.compare_digest(keys.signature(scope, secret, text), presented.signature):
            raise invalid()
        if payload_hash.startswith("STREAMING-AWS4-HMAC"):
            chunked.check_signatures(
                request.body,
                trailer=payload_hash.endswith("-TRAILER"),
                seed=presented.signature,
                sign=lambda kind, rest: keys.signature(
                    scope, secret, f"AWS4-HMAC-SHA256-{kind}\n{presented.amz_date}\n{scope.text}\n{rest}"
                ),
            )
        return
    _verify_asymmetric(presented, request, secret, text, region)


def _verify_asymmetric(
    presented: Presented, request: SignedRequest, secret: str, text: str, region: str | None
) -> None:
    from outlast.cloud.identity import sigv4a  # loads the elliptic curves only for those who use them

    sigv4a.check_region_set(presented, request, region)
    sigv4a.check_signature(presented, secret, text)


def _payload_hash(presented: Presented, request: SignedRequest) -> str:
    """The payload line: the body's hash, or for S3 one of the forms that say it is not (wholly) covered."""
    claimed = request.headers.get("x-amz-content-sha256")
    if presented.scope.s3:
        if claimed is None:
            if presented.kind == "presigned":
                return UNSIGNED_PAYLOAD
            raise SignatureFault("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
        if claimed == UNSIGNED_PAYLOAD or claimed in chunked.FORMS:
            return claimed
    body = request.body
    digest = sha256(body).hexdigest() if body else EMPTY_SHA256
    if claimed is not None and claimed != digest:
        if presented.scope.s3:
            raise SignatureFault(
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            )
        raise invalid()
    return digest


def _check_signed(headers: Mapping[str, str], names: tuple[str, ...], s3: bool) -> None:
    """Refuse headers of AWS's that the signature does not cover: whoever stands between could have put them there.

    "You must include the host header and any x-amz-* headers in the request"
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html#create-canonical-request).
    The JSON services read nothing of the kind but X-Amz-Target; so they are looked at for that alone.
    """
    if not s3 and "x-amz-target" in headers:
        if "x-amz-target" not in names:
            raise invalid("'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.")
        return
    for name in headers:
        if name.startswith("x-amz-") and name not in names:
            if s3:
                raise SignatureFault(
                    "AccessDenied", "There were headers present in the request which were not signed", 403
                )
            if name not in _BOUND:
                raise invalid(f"'{name.title()}' must be a 'SignedHeader' in the AWS Authorization.")


def _canonical_request(presented: Presented, request: SignedRequest, payload_hash: str) -> bytes:
    scope = presented.scope
    headers = request.headers
    names = scope.signed_headers
    _check_signed(headers, names, scope.s3)
    query = request.query
    if query:
        query = canonical_query(query, without="X-Amz-Signature" if presented.kind == "presigned" else "")
    text = (
        f"{request.method}\n{canonical_uri(request.path, double_encoded=not scope.s3)}\n{query}\n"
        f"{canonical_headers(headers, names)}\n\n{scope.signed_headers_text}\n{payload_hash}"
    )
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")
