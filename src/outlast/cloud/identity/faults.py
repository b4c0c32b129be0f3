"""The errors of authentication, in AWS's words, and how each family of services names them.

The common names are those of the JSON services
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CommonErrors.html); query and REST-XML services say
the same with other codes (https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html), and S3 has its own
(https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
EXPIRED_REQUEST = "Request has expired"

_QUERY_CODES = {
    "MissingAuthenticationTokenException": ("MissingAuthenticationToken", 403),
    "IncompleteSignatureException": ("IncompleteSignature", 403),
    "InvalidSignatureException": ("SignatureDoesNotMatch", 403),
    "UnrecognizedClientException": ("InvalidClientTokenId", 403),
    "ExpiredTokenException": ("ExpiredToken", 403),
}
_S3_CODES = {
    "MissingAuthenticationTokenException": ("AccessDenied", 403, "Access Denied"),
    "IncompleteSignatureException": ("AuthorizationHeaderMalformed", 400, None),
    "InvalidSignatureException": (
        "SignatureDoesNotMatch",
        403,
        "The request signature we calculated does not match the signature you provided. Check your key and signing "
        "method.",
    ),
    "UnrecognizedClientException": (
        "InvalidAccessKeyId",
        403,
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    "ExpiredTokenException": ("ExpiredToken", 400, "The provided token has expired."),
}


class SignatureFault(Exception):
    """A request that could not be authenticated. `status` is the HTTP status the JSON services on AWS answer with."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def missing() -> SignatureFault:
    """No credentials at all."""
    return SignatureFault("MissingAuthenticationTokenException", "Request is missing Authentication Token")


def incomplete(message: str) -> SignatureFault:
    """Credentials that cannot be read."""
    return SignatureFault("IncompleteSignatureException", message)


def invalid(message: str = MISMATCH) -> SignatureFault:
    """Credentials that can be read but do not hold."""
    return SignatureFault("InvalidSignatureException", message)


def unrecognized() -> SignatureFault:
    """An access key id or a session token that this world did not issue."""
    return SignatureFault("UnrecognizedClientException", "The security token included in the request is invalid.")


EXPIRED = "ExpiredTokenException"


def expired_token() -> SignatureFault:
    """A session that is over."""
    return SignatureFault(EXPIRED, "The security token included in the request is expired")


def obscured(text: str) -> str:
    """AWS shows a header that may hold secrets only as its hash."""
    return base64.b64encode(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()).decode()


def _for_query(fault: SignatureFault) -> SignatureFault:
    code, status = _QUERY_CODES.get(fault.code, (fault.code, fault.status))
    return SignatureFault(code, fault.message, status)


def _for_rest_json(fault: SignatureFault) -> SignatureFault:
    if fault.code == "MissingAuthenticationTokenException":
        return SignatureFault(fault.code, "Missing Authentication Token", 403)
    return SignatureFault(fault.code, fault.message, 403)


def _for_s3(fault: SignatureFault) -> SignatureFault:
    if fault.code not in _S3_CODES:
        return fault
    code, status, message = _S3_CODES[fault.code]
    if fault.code == "InvalidSignatureException" and fault.message.startswith(("Signature expired", "Signature not ")):
        return SignatureFault(
            "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", 403
        )
    if fault.code == "InvalidSignatureException" and fault.message.startswith("Credential should be scoped"):
        return SignatureFault("AuthorizationHeaderMalformed", fault.message, 400)
    if fault.code == "IncompleteSignatureException" and "X-Amz-" in fault.message:
        code = "AuthorizationQueryParametersError"
    return SignatureFault(code, message or fault.message, status)


def faults_for(protocol: str, service: str = "") -> Callable[[SignatureFault], SignatureFault]:
    """How a service of this wire protocol ("json", "query", "rest-json", "rest-xml", "rpc-v2-cbor", …) names them.

    The function that comes back turns the common fault into the service's: code, text and HTTP status.
    """
    if service == "s3":
        return _for_s3
    if protocol in ("query", "rest-xml", "ec2"):
        return _for_query
    return _for_rest_json if protocol == "rest-json" else (lambda fault: fault)
