"""aws-chunked bodies, with the published example of a signed upload."""

from __future__ import annotations

from dataclasses import replace

import pytest

from outlast.cloud.identity import chunked
from outlast.cloud.identity.faults import SignatureFault
from outlast.cloud.identity.sigv4 import SigningKeys, parse, verify
from tests.unit.identity.signing import Req

# https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
SIGNATURES = (
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
)
BODY = b"".join(
    [
        f"10000;chunk-signature={SIGNATURES[0]}\r\n".encode() + b"a" * 65536 + b"\r\n",
        f"400;chunk-signature={SIGNATURES[1]}\r\n".encode() + b"a" * 1024 + b"\r\n",
        f"0;chunk-signature={SIGNATURES[2]}\r\n\r\n".encode(),
    ]
)
NAMES = (
    "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;"
    "x-amz-storage-class"
)
UPLOAD = Req(
    "PUT",
    "/examplebucket/chunkObject.txt",
    "",
    {
        "host": "s3.amazonaws.com",
        "x-amz-date": "20130524T000000Z",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "66560",
        "content-length": "66824",
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={NAMES},Signature={SEED}",
    },
    BODY,
)


def check(request: Req) -> None:
    verify(parse(request), request, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", 1369353600, SigningKeys(), service="s3")


def test_the_published_upload_is_accepted() -> None:
    check(UPLOAD)
    assert chunked.decode(BODY).data == b"a" * 66560


@pytest.mark.parametrize("at", [100, 65536 + 200, len(BODY) - 10])
def test_a_changed_chunk_is_refused(at: int) -> None:
    body = BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :]
    with pytest.raises(SignatureFault, match="does not match"):
        check(replace(UPLOAD, body=body))


def test_a_missing_chunk_is_refused() -> None:
    first = BODY.index(b"400;")
    with pytest.raises(SignatureFault, match="does not match"):
        check(replace(UPLOAD, body=BODY[:first] + BODY[BODY.index(b"0;chunk", first + 1100) :]))


def test_trailers_are_read() -> None:
    parts = chunked.decode(b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n")
    assert (parts.data, parts.trailers) == (b"hello", {"x-amz-checksum-crc32": "NhCmhg=="})


@pytest.mark.parametrize("body", [b"", b"5\r\nhel", b"zz\r\n", b"-1\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n", b"1_0\r\n"])
def test_broken_framing_is_an_incomplete_body(body: bytes) -> None:
    with pytest.raises(SignatureFault) as caught:
        chunked.decode(body)
    assert caught.value.code == "IncompleteBody"
