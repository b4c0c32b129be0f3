"""What a request presents as its credentials, read from the Authorization header or from the query of a presigned URL.

The texts of what is missing are AWS's. Everything that does not change from one request of a client to the next
(algorithm, credential scope, names of the signed headers) is read once and remembered by its text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple
from urllib.parse import unquote

from outlast.cloud.identity.dates import from_http_date
from outlast.cloud.identity.faults import SignatureFault, incomplete, invalid, missing, obscured
from outlast.cloud.identity.request import SignedRequest

HMAC = "AWS4-HMAC-SHA256"
ECDSA = "AWS4-ECDSA-P256-SHA256"
ALGORITHMS = (HMAC, ECDSA)
WEEK_S = 604_800

_S3 = frozenset({"s3", "s3express"})
_TOO_OLD = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
_SEPARATORS = re.compile(r"[\s,]+")


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of the credentials that a client repeats: for whom, for which day, Region and service, over what."""

    algorithm: str
    access_key_id: str
    date: str
    region: str
    """The Region of the credential scope; empty for SigV4A, whose Regions are in X-Amz-Region-Set."""
    service: str
    text: str
    """The scope as it stands in the string to sign."""
    signed_headers: tuple[str, ...]
    signed_headers_text: str
    s3: bool
    regions: tuple[str, ...]
    """The Region as a tuple of one; empty for SigV4A."""


class Presented(NamedTuple):
    """Credentials as presented; nothing here has been checked against a secret."""

    scope: Scope
    signature: str
    amz_date: str
    token: str | None
    kind: Literal["header", "presigned"]
    expires_s: int | None
    regions: tuple[str, ...]
    """The Regions the signature is meant for: one for SigV4, the region set (wildcards allowed) for SigV4A."""

    @property
    def access_key_id(self) -> str:
        return self.scope.access_key_id

    @property
    def date(self) -> str:
        return self.scope.date

    @property
    def region(self) -> str:
        """The Region of the credential scope; empty for SigV4A."""
        return self.scope.region

    @property
    def service(self) -> str:
        return self.scope.service

    @property
    def signed_headers(self) -> tuple[str, ...]:
        return self.scope.signed_headers

    @property
    def algorithm(self) -> str:
        return self.scope.algorithm


def parse(request: SignedRequest) -> Presented:
    """The credentials of a request. Raises SignatureFault when there are none or they cannot be read."""
    headers = request.headers
    authorization = headers.get("authorization")
    if authorization is None:
        return _from_query(request)
    if request.query and "X-Amz-Algorithm=" in request.query:
        raise invalid("Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.")
    scope = _usual(authorization[:-64])
    amz_date = headers.get("x-amz-date")
    if scope is None or amz_date is None:
        scope, signature, amz_date = _unusual(authorization, amz_date, headers.get("date"))
    else:
        signature = authorization[-64:]
        if not signature.isalnum() or not signature.isascii():
            scope, signature, amz_date = _unusual(authorization, amz_date, None)
    regions = scope.regions or split_regions(headers.get("x-amz-region-set", ""))
    return Presented(scope, signature, amz_date, headers.get("x-amz-security-token"), "header", None, regions)


def split_regions(text: str) -> tuple[str, ...]:
    """The members of an X-Amz-Region-Set."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


@lru_cache(maxsize=4096)
def _usual(head: str) -> Scope | None:
    """The scope, from a header in the order every SDK uses, cut before a 64-digit signature; None when it is not so."""
    if not head.startswith(HMAC + " ") or not head.endswith("Signature="):
        return None
    fields = _fields(head)
    if fields.keys() != {"Credential", "SignedHeaders", "Signature"}:
        return None
    return scope_of(HMAC, fields["Credential"], fields["SignedHeaders"])


def _unusual(authorization: str, amz_date: str | None, http_date: str | None) -> tuple[Scope, str, str]:
    """Any Authorization header, with AWS's text for each thing that it lacks."""
    if not authorization.lstrip().startswith("AWS4-"):
        if authorization.startswith("AWS "):
            raise SignatureFault("InvalidRequest", _TOO_OLD)
        raise missing()
    algorithm = _SEPARATORS.split(authorization.strip(), maxsplit=1)[0]
    if algorithm not in ALGORITHMS:
        raise incomplete(f"Unsupported AWS 'algorithm': '{algorithm}'.")
    fields = _fields(authorization.strip())
    lacking = [
        f"Authorization header requires '{name}' parameter. "
        for name in ("Credential", "Signature", "SignedHeaders")
        if not fields.get(name)
    ]
    if not amz_date and not http_date:
        lacking.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
    if lacking:
        hashed = obscured(authorization)
        raise incomplete("".join(lacking) + f"(Hashed with SHA-256 and encoded with Base64) Authorization={hashed}")
    signature = fields["Signature"]
    if not signature.isascii():
        raise invalid()
    date = amz_date or from_http_date(http_date or "")
    return scope_of(algorithm, fields["Credential"], fields["SignedHeaders"]), signature, date


def _fields(authorization: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for part in _SEPARATORS.split(authorization)[1:]:
        if not part:
            continue
        name, equals, value = part.partition("=")
        if not equals:
            raise incomplete(
                "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded "
                f"with Base64): '{obscured(authorization)}'."
            )
        if name in fields:
            raise incomplete(f"Authorization header repeats '{name}' parameter.")
        fields[name] = value
    return fields


def scope_of(algorithm: str, credential: str, signed_headers: str) -> Scope:
    """The scope from its two texts. Raises SignatureFault for what AWS refuses in them."""
    parts = credential.split("/")
    wanted = 5 if algorithm == HMAC else 4
    if len(parts) != wanted:
        shape = "keyid/date/region/service/term" if algorithm == HMAC else "keyid/date/service/term"
        raise incomplete(
            f"Credential must have exactly {wanted} slash-delimited elements, e.g. {shape}, got '{credential}'"
        )
    if parts[-1] != "aws4_request":
        raise invalid(f"Credential should be scoped with a valid terminator: 'aws4_request', not '{parts[-1]}'.")
    names = tuple(signed_headers.lower().split(";"))
    if "host" not in names and ":authority" not in names:
        raise invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    if algorithm == ECDSA:
        parts.insert(2, "")
    key_id, date, region, service, _ = parts
    text = "/".join(part for part in parts[1:] if part or algorithm == HMAC)
    regions = (region,) if algorithm == HMAC else ()
    return Scope(algorithm, key_id, date, region, service, text, names, ";".join(names), service in _S3, regions)


def is_presigned_by_version_two(query: str) -> bool:
    """Whether it is a URL of S3's older kind, which newer Regions refuse.

    https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
    """
    names = {part.partition("=")[0] for part in query.split("&")}
    return names >= {"AWSAccessKeyId", "Signature", "Expires"}


def _from_query(request: SignedRequest) -> Presented:
    if "X-Amz-" not in request.query:
        if is_presigned_by_version_two(request.query):
            raise SignatureFault("InvalidRequest", _TOO_OLD)
        raise missing()
    given: dict[str, str] = {}
    for part in request.query.split("&"):
        name, _, value = part.partition("=")
        if name.startswith("X-Amz-"):
            if name in given:
                raise incomplete(f"Duplicate query-string parameter '{name}'. Re-examine the query-string parameters.")
            given[name] = unquote(value)
    if not {"X-Amz-Algorithm", "X-Amz-Signature", "X-Amz-Credential"} & given.keys():
        raise missing()
    wanted = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")
    lacking = [f"AWS query-string parameters must include '{name}'. " for name in wanted if not given.get(name)]
    if lacking:
        raise incomplete("".join(lacking) + "Re-examine the query-string parameters.")
    algorithm = given["X-Amz-Algorithm"]
    if algorithm not in ALGORITHMS:
        raise incomplete(f"Unsupported AWS 'algorithm': '{algorithm}'. (X-Amz-Algorithm)")
    signature = given["X-Amz-Signature"]
    if not signature.isascii():
        raise invalid()
    scope = scope_of(algorithm, given["X-Amz-Credential"], given["X-Amz-SignedHeaders"])
    regions = scope.regions or split_regions(given.get("X-Amz-Region-Set", ""))
    return Presented(
        scope,
        signature,
        given["X-Amz-Date"],
        given.get("X-Amz-Security-Token"),
        "presigned",
        _expires_s(given.get("X-Amz-Expires"), required=scope.s3),
        regions,
    )


def _expires_s(text: str | None, *, required: bool) -> int | None:
    if text is None:
        if required:
            raise incomplete(
                "AWS query-string parameters must include 'X-Amz-Expires'. Re-examine the query-string parameters."
            )
        return None
    if not text.isascii() or not text.isdigit():
        raise incomplete("X-Amz-Expires should be a number")
    seconds = int(text[:9])
    if seconds > WEEK_S:
        raise incomplete(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
            "604800 seconds"
        )
    return seconds
