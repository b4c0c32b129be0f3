"""Requests and answers between the two processes of a Region, over any division of the bytes."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlast.cloud.gateway.listener import Later
from outlast.cloud.gateway.relay import Answering, Asking, Frames, Message
from outlast.cloud.wire import Request, Response

TLS = ("TLSv1.3", "TLS_AES_128_GCM_SHA256")
HEADERS = {"host": "dynamodb.us-east-1.amazonaws.com", "x-odd": "\x00\xff"}


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def close(self) -> None:
        return None


@given(
    st.lists(st.tuples(st.integers(1, 2**40), st.text(), st.binary(max_size=300)), max_size=12),
    st.lists(st.integers(0, 4000), max_size=12),
)
def test_frames_are_the_same_however_the_bytes_are_cut(messages: list[Message], cuts: list[int]) -> None:
    async def both() -> list[Message]:
        wire, taken = Wire(), list[Message]()
        sender = Frames(lambda _: None, lambda: None)
        sender.connection_made(wire)  # type: ignore[arg-type]
        for message in messages:
            sender.send(message)
        sender.close()
        receiver = Frames(taken.append, lambda: None)
        places = sorted({0, len(wire.data), *(cut for cut in cuts if cut < len(wire.data))})
        for start, end in itertools.pairwise(places):
            receiver.data_received(wire.data[start:end])
        return taken

    assert asyncio.run(both()) == messages


class Soon(Later):
    """An answer that its maker gives."""

    def __init__(self) -> None:
        self.reply: Callable[[Response], None] | None = None

    def then(self, reply: Callable[[Response], None]) -> None:
        self.reply = reply


class Pair:
    """Both ends, joined by a socket pair; `answer` makes the answers."""

    def __init__(self, answer: Callable[[Request, str, bool], Any]) -> None:
        self.told: list[Message] = []
        self.gone = asyncio.Event()
        self.asking = Asking(self.told.append, self.gone.set)
        self.answering = Answering(answer, self.told.append, lambda: None)

    def ask(self, path: str, body: bytes = b"") -> asyncio.Future[Response]:
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self.asking.respond(Request("POST", path, "a=b", HEADERS, body, TLS), "127.0.0.9", True).then(
            answered.set_result
        )
        return answered


@asynccontextmanager
async def pair(answer: Callable[[Request, str, bool], Any]) -> AsyncIterator[Pair]:
    made, loop = Pair(answer), asyncio.get_running_loop()
    ends = socket.socketpair()
    for frames, end in zip((made.asking.frames, made.answering.frames), ends, strict=True):
        await loop.create_unix_connection(lambda frames=frames: frames, sock=end)  # type: ignore[misc]
    try:
        yield made
    finally:
        made.answering.frames.close()
        await asyncio.wait_for(made.gone.wait(), 10)
        made.asking.frames.close()


async def test_a_request_and_its_answer_arrive_whole() -> None:
    seen: list[Any] = []

    def answer(request: Request, peer: str, secure: bool) -> Response:
        seen.append((request, peer, secure))
        return Response(299, (("x-a", "1"), ("x-a", "\xff")), request.body[::-1])

    body = bytes(range(256)) * 4096
    async with pair(answer) as ends:
        response = await asyncio.wait_for(ends.ask("/p", body), 10)
    assert (response.status, response.headers, response.body) == (299, (("x-a", "1"), ("x-a", "\xff")), body[::-1])
    assert seen == [(Request("POST", "/p", "a=b", HEADERS, body, TLS), "127.0.0.9", True)]


async def test_answers_come_in_the_order_in_which_they_are_ready() -> None:
    later = Soon()

    async def slow() -> Response:
        await asyncio.sleep(0)
        return Response(202, ())

    def answer(request: Request, peer: str, secure: bool) -> Response | Later | Awaitable[Response]:
        if request.path == "/slow":
            return slow()
        return later if request.path == "/later" else Response(200, ())

    async with pair(answer) as ends:
        first, slowly, now = ends.ask("/later"), ends.ask("/slow"), ends.ask("/now")
        assert (await asyncio.wait_for(now, 10)).status == 200
        assert (await asyncio.wait_for(slowly, 10)).status == 202
        assert not first.done()
        assert later.reply is not None
        later.reply(Response(201, ()))
        assert (await asyncio.wait_for(first, 10)).status == 201


async def test_an_order_arrives_before_the_answers_that_are_sent_after_it() -> None:
    def answer(request: Request, peer: str, secure: bool) -> Response:
        ends.answering.frames.send(("show", request.path))
        return Response(200, ())

    async with pair(answer) as ends:
        for path in ("/a", "/b"):
            await asyncio.wait_for(ends.ask(path), 10)
            assert ends.told[-1] == ("show", path)


async def test_a_request_whose_answer_fails_is_refused_rather_than_left(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> Response:
        raise asyncio.CancelledError

    async with pair(lambda *_: broken()) as ends:
        assert (await asyncio.wait_for(ends.ask("/"), 10)).status == 503


async def test_words_of_other_classes_are_answered_as_plain_ones() -> None:
    class Word(str):
        __slots__ = ()

    async with pair(lambda *_: Response(200, ((Word("x-a"), Word("b")),), bytearray(b"c"))) as ends:  # type: ignore[arg-type]
        response = await asyncio.wait_for(ends.ask("/"), 10)
    assert (response.headers, response.body) == ((("x-a", "b"),), b"c")
