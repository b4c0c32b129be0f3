"""The aws-chunked body encoding: its framing, its trailers and its chain of chunk signatures.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from outlast.cloud.identity.canonical import EMPTY_SHA256
from outlast.cloud.identity.faults import SignatureFault, invalid

FORMS = frozenset(
    {
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    }
)
"""The forms of x-amz-content-sha256 whose body is aws-chunked and that are understood here."""

_MAX_LINE = 8192


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: its bytes and, when it was signed, its signature."""

    data: bytes
    signature: str | None


@dataclass(frozen=True, slots=True)
class Chunked:
    """A body taken apart. The last, empty chunk is not among `chunks`; its signature is `final_signature`."""

    chunks: tuple[Chunk, ...]
    final_signature: str | None
    trailers: dict[str, str]
    """The trailing headers by lower-case name, in the order they came."""

    @property
    def data(self) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks)


def _malformed() -> SignatureFault:
    return SignatureFault("IncompleteBody", "The request body terminated unexpectedly", 400)


def is_chunked(payload_hash: str | None) -> bool:
    """Whether a request with this x-amz-content-sha256 has an aws-chunked body."""
    return payload_hash in FORMS


def decode(body: bytes) -> Chunked:
    """Take an aws-chunked body apart. Raises SignatureFault(IncompleteBody) when its framing does not hold."""
    chunks: list[Chunk] = []
    at = 0
    while True:
        line, at = _line(body, at)
        size_text, _, extension = line.partition(";")
        try:
            size = int(size_text, 16)
        except ValueError:
            raise _malformed() from None
        if size < 0 or not size_text.isalnum():
            raise _malformed()
        signature = extension.strip().removeprefix("chunk-signature=") if extension else None
        if size == 0:
            return Chunked(tuple(chunks), signature, _trailers(body, at))
        if body[at + size : at + size + 2] != b"\r\n":
            raise _malformed()
        chunks.append(Chunk(body[at : at + size], signature))
        at += size + 2


def _line(body: bytes, at: int) -> tuple[str, int]:
    end = body.find(b"\r\n", at, at + _MAX_LINE)
    if end < 0:
        raise _malformed()
    return body[at:end].decode("latin-1"), end + 2


def _trailers(body: bytes, at: int) -> dict[str, str]:
    trailers: dict[str, str] = {}
    while at < len(body):
        end = body.find(b"\r\n", at, at + _MAX_LINE)
        line = body[at : end if end >= 0 else len(body)].decode("latin-1").rstrip("\n")
        at = end + 2 if end >= 0 else len(body)
        if not line:
            break
        name, colon, value = line.partition(":")
        if not colon:
            raise _malformed()
        trailers[name.strip().lower()] = value.strip()
    return trailers


def check_signatures(body: bytes, *, trailer: bool, seed: str, sign: Callable[[str, str], str]) -> None:
    """Check the chain of chunk signatures that begins with the request's own.

    `sign(kind, rest)` signs the string to sign of that kind ("PAYLOAD" or "TRAILER"), of which `rest` is what follows
    the scope line.
    """
    parts = decode(body)
    previous = seed
    for chunk in (*parts.chunks, Chunk(b"", parts.final_signature)):
        digest = sha256(chunk.data).hexdigest()
        expected = sign("PAYLOAD", f"{previous}\n{EMPTY_SHA256}\n{digest}")
        _same(expected, chunk.signature)
        previous = expected
    if trailer:
        text = "".join(f"{name}:{value}\n" for name, value in parts.trailers.items() if name != _TRAILER_SIGNATURE)
        expected = sign("TRAILER", f"{previous}\n{sha256(text.encode('latin-1')).hexdigest()}")
        _same(expected, parts.trailers.get(_TRAILER_SIGNATURE))


_TRAILER_SIGNATURE = "x-amz-trailer-signature"


def _same(expected: str, given: str | None) -> None:
    if given is None or not given.isascii() or not hmac.compare_digest(expected, given):
        raise invalid()
