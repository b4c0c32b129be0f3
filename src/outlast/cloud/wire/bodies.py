"""Request bodies as they arrive: compressed, or cut into signed chunks."""

from __future__ import annotations

import zlib

from outlast.cloud.wire.messages import Request, WireError

MAX_BODY_BYTES = 16 * 1024 * 1024


def plain_body(request: Request) -> bytes:
    """The body with a gzip or deflate Content-Encoding taken off; raises WireError when it is bad or too large."""
    encoding = request.headers.get("content-encoding")
    if not encoding or not request.body:
        return request.body
    encoding = encoding.strip().lower()
    if encoding not in ("gzip", "deflate"):
        return request.body
    inflater = zlib.decompressobj(wbits=47)
    try:
        body = inflater.decompress(request.body, MAX_BODY_BYTES)
    except zlib.error as error:
        raise WireError("SerializationException", "The compressed body cannot be read") from error
    if not inflater.eof:
        if inflater.unconsumed_tail:
            raise WireError("RequestEntityTooLargeException", "The request is too large once decompressed", 413)
        raise WireError("SerializationException", "The compressed body is cut short")
    return body


def joined_chunks(request: Request) -> bytes:
    """The body with aws-chunked framing taken off.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
    """
    if "aws-chunked" not in request.headers.get("content-encoding", ""):
        return request.body
    body, position, parts = request.body, 0, []
    while True:
        end = body.find(b"\r\n", position)
        if end < 0:
            raise WireError("IncompleteBody", "The request body terminated unexpectedly")
        try:
            size = int(body[position:end].split(b";", 1)[0], 16)
        except ValueError as error:
            raise WireError("InvalidChunkSizeError", "A chunk's size is no number") from error
        position = end + 2
        if size == 0:
            break
        if size < 0 or position + size > len(body):
            raise WireError("IncompleteBody", "The request body terminated unexpectedly")
        parts.append(body[position : position + size])
        position += size + 2
    joined = b"".join(parts)
    stated = request.headers.get("x-amz-decoded-content-length", "")
    if stated.isdecimal() and int(stated) != len(joined):
        raise WireError("IncompleteBody", "The body is not as long as its header says")
    return joined
