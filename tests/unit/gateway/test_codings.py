"""Content codings: what a client is answered in, and which compressed bodies can be read."""

from __future__ import annotations

import gzip
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
    assert codings.inflated(Request("POST", "/", "", {"content-encoding": coding}, body)).body == b"{}"


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
def test_what_is_no_stream_of_its_coding_is_an_internal_error(coding: str, body: bytes) -> None:
    with pytest.raises(WireError) as caught:
        codings.inflated(Request("POST", "/", "", {"content-encoding": coding}, body))
    assert (caught.value.code, caught.value.status) == ("InternalServerError", 500)


def test_bodies_are_bounded() -> None:
    bomb = Request("POST", "/", "", {"content-encoding": "gzip"}, gzip.compress(b"0" * 2_000_000))
    large = Request("POST", "/", "", {}, b"0" * (codings.MAX_PLAIN_BYTES + 1))
    for request, limit in ((bomb, 1_000_000), (large, codings.MAX_INFLATED_BYTES)):
        with pytest.raises(WireError) as caught:
            codings.inflated(request, limit)
        assert caught.value.status == 413
    assert len(codings.inflated(bomb).body) == 2_000_000
