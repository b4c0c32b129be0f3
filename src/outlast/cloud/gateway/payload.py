"""The body of a request as the operation shall see it: chunks joined, checksums that trailed it in their headers.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

from __future__ import annotations

from typing import Final

from outlast.cloud.gateway import codings
from outlast.cloud.identity import chunked
from outlast.cloud.wire import Request, WireError

TRAILING: Final = "x-amz-checksum-"
"""Only checksums may trail a body; nothing else that comes after the signature was checked is taken for a header."""
SIGNATURE: Final = "x-amz-trailer-signature"


def opened(request: Request, protocol: str, service: str) -> Request:
    """The request with its body plain; raises WireError or SignatureFault.

    S3 alone takes aws-chunked bodies. Compressed bodies of other protocols are opened where they are read.
    """
    if protocol == "json":
        if "content-encoding" in request.headers or len(request.body) > codings.MAX_PLAIN_BYTES:
            return codings.inflated(request, service)
    elif service == "s3" and chunked.is_chunked(request.headers.get("x-amz-content-sha256")):
        return unframed(request)
    return request


def unframed(request: Request) -> Request:
    """The request with the chunks of its body joined and its trailing checksums among its headers."""
    parts = chunked.decode(request.body)
    data = parts.data
    headers = dict(request.headers)
    stated = headers.pop("x-amz-decoded-content-length", "")
    if not (stated.isascii() and stated.isdecimal()):
        raise WireError("MissingContentLength", "You must provide the Content-Length HTTP header.", 411)
    if int(stated[:19]) != len(data):
        raise WireError("IncompleteBody", "The request body is not as long as its header says.")
    announced = [name.strip().lower() for name in headers.pop("x-amz-trailer", "").split(",") if name.strip()]
    came = {name: value for name, value in parts.trailers.items() if name != SIGNATURE}
    wrong = set(announced) ^ came.keys()
    if wrong or not all(name.startswith(TRAILING) and name not in headers for name in announced):
        raise WireError(
            "MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform."
        )
    headers.update(came)
    encodings = [each.strip() for each in headers.pop("content-encoding", "").split(",")]
    kept = ",".join(each for each in encodings if each and each != "aws-chunked")
    if kept:
        headers["content-encoding"] = kept
    headers["content-length"] = stated
    return Request(request.method, request.path, request.query, headers, data)
