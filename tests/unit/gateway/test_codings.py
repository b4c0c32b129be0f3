"""Content codings: what a client is answered in, and which compressed bodies can be read."""

from __future__ import annotations

import gzip
import random
import zlib

import pytest

from outlast.cloud.gateway import codings, plain
from outlast.cloud.wire import Request, Response, WireError


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("", None),
        ("identity", None),
        ("br, x-gzip", None),
        ("gzip, deflate", "gzip"),
        ("deflate, gzip", "deflate"),
        ("GZIP, br", "gzip"),
        ("gzip;q=0.5, deflate", "deflate"),
        ("gzip;q=0", None),
        ("gzip; q=0;q=1", None),
        ("gzip;q =0;q=1", "gzip"),
        ("gzip;q=0, gzip", "gzip"),
        ("gzip;q=7, deflate;q=9", "gzip"),
        ("deflate;q=0.5, gzip;q=none", "gzip"),
        ("deflate;q=-0.5, gzip;q=0.2", "gzip"),
        ("*", "gzip"),
        ("*, deflate", "deflate"),
        ("*, gzip;q=0.5", "deflate"),
        ("*;q=0", None),
        ("gzip br", None),
        ('"gzip"', None),
    ],
)
def test_the_coding_is_the_clients_first_choice_of_those_offered(accepted: str, coding: str | None) -> None:
    assert codings.chosen(accepted) == coding


def test_an_answer_is_compressed_from_four_kilobytes_on() -> None:
    request = Request("POST", "/", "", {"accept-encoding": "deflate"})
    small, large = (Response(200, (("x-amz-crc32", "1"),), b"x" * size) for size in (4_095, 4_096))
    assert plain.dressed(request, small) == small
    sent = plain.dressed(request, large)
    assert dict(sent.headers) == {"Content-Encoding": "deflate", "x-amz-crc32": str(zlib.crc32(sent.body))}
    assert zlib.decompress(sent.body) == large.body


def test_the_first_of_several_headers_counts() -> None:
    request = Request("POST", "/", "", {"accept-encoding": "identity,gzip", codings.FIRST: "identity"})
    large = Response(200, (), b"x" * 5_000)
    assert plain.dressed(request, large) == large


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"{}", mtime=0)),
        ("gzip", gzip.compress(b"{", mtime=0) + gzip.compress(b"}", mtime=0)),
        ("gzip", gzip.compress(b"{}", mtime=0) + b"junk"),
        ("deflate", zlib.compress(b"{}")),
        ("identity", b"{}"),
    ],
)
def test_a_body_is_opened(coding: str, body: bytes) -> None:
    assert codings.inflated(Request("POST", "/", "", {"content-encoding": coding}, body), "logs").body == b"{}"


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", b"{}"),
        ("gzip", b""),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-1]),
        ("gzip", gzip.compress(b"{}", mtime=0) + gzip.compress(b"{}", mtime=0)[:-1]),
        ("deflate", b"{}"),
        ("deflate", b""),
        ("br", b"{}"),
    ],
)
@pytest.mark.parametrize(
    ("service", "answer"),
    [
        ("dynamodb", ("InternalServerError", 500)),
        ("dynamodbstreams", ("InternalServerError", 500)),
        ("logs", ("SerializationException", 400)),
    ],
)
def test_what_is_no_stream_of_its_coding_is_dynamodbs_own_error_and_the_clients_elsewhere(
    coding: str, body: bytes, service: str, answer: tuple[str, int]
) -> None:
    with pytest.raises(WireError) as caught:
        codings.inflated(Request("POST", "/", "", {"content-encoding": coding}, body), service)
    assert (caught.value.code, caught.value.status) == answer


def test_bodies_are_bounded() -> None:
    bomb = Request("POST", "/", "", {"content-encoding": "gzip"}, gzip.compress(b"0" * 2_000_000))
    large = Request("POST", "/", "", {}, b"0" * (codings.MAX_PLAIN_BYTES + 1))
    for request, limit in ((bomb, 1_000_000), (large, codings.MAX_PLAIN_BYTES)):
        with pytest.raises(WireError) as caught:
            codings.inflated(request, "dynamodb", limit)
        assert caught.value.status == 413
    assert len(codings.inflated(bomb, "dynamodb").body) == 2_000_000


def test_a_body_of_many_streams_is_refused_before_it_costs() -> None:
    stream = gzip.compress(b" ")
    for count in (codings.MAX_STREAMS, codings.MAX_STREAMS + 1):
        request = Request("POST", "/", "", {"content-encoding": "gzip"}, stream * count)
        if count == codings.MAX_STREAMS:
            assert codings.inflated(request, "dynamodb").body == b" " * count
            continue
        with pytest.raises(WireError) as caught:
            codings.inflated(request, "dynamodb")
        assert caught.value.status == 413


@pytest.mark.parametrize("size", [codings.PIECE_BYTES - 1, codings.PIECE_BYTES, codings.PIECE_BYTES + 1, 100_000])
def test_a_stream_may_end_anywhere_in_a_piece(size: int) -> None:
    plain = random.Random(size).randbytes(size)
    for body, wanted in (
        (gzip.compress(plain, 0), plain),
        (gzip.compress(plain, 0) + gzip.compress(b"more") + b"junk", plain + b"more"),
    ):
        request = Request("POST", "/", "", {"content-encoding": "gzip"}, body)
        assert codings.inflated(request, "dynamodb").body == wanted
