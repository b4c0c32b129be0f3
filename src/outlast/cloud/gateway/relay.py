"""Whole requests handed from the process that holds the connections to the one that answers, and answers back.

Both ends are processes of one Region, joined by a socket pair that nobody else can open. A frame is a length and one
value of Python's own marshal form; a tuple that begins with a number is a request or the answer to it, one that begins
with a word is an order. Frames arrive in the order in which they were sent, so an order reaches the other end before
the answer that was sent after it.
"""

from __future__ import annotations

import asyncio
import logging
import marshal
import struct
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, cast

from outlast.cloud.gateway.listener import Later, Respond
from outlast.cloud.wire import Request, Response

log = logging.getLogger("outlast.gateway")

LENGTH: Final = struct.Struct("<I")
FORM: Final = 2
"""The form of marshal without references, which cost more than they save here."""
UNANSWERED: Final = Response(503, ())
"""What a client gets when its request was dropped because the Region stops."""

Message = tuple[Any, ...]


class Frames(asyncio.Protocol):
    """One end of the socket pair: `taken(message)` for each frame, `gone()` once the other end has closed."""

    def __init__(self, taken: Callable[[Message], None], gone: Callable[[], None]) -> None:
        self._taken = taken
        self._gone = gone
        self._transport: asyncio.Transport | None = None
        self._rest = bytearray()
        self._wanted = LENGTH.size
        self._gathered: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._gone()

    def data_received(self, data: bytes) -> None:
        whole: bytes | bytearray = data
        if self._rest:
            self._rest += data
            if len(self._rest) < self._wanted:
                return
            whole, self._rest = self._rest, bytearray()
        at, end, view = 0, len(whole), memoryview(whole)
        while True:
            begin = at + LENGTH.size
            if begin > end:
                self._wanted = LENGTH.size
                break
            (size,) = LENGTH.unpack_from(whole, at)
            if begin + size > end:
                self._wanted = LENGTH.size + size
                break
            self._taken(marshal.loads(view[begin : begin + size]))  # noqa: S302 - from a process of our own
            at = begin + size
        if at < end:
            self._rest = bytearray(view[at:])

    def send(self, message: Message) -> None:
        """Send one message; it is dropped when the other end is gone."""
        if self._transport is not None:
            data = marshal.dumps(message, FORM)
            if not self._gathered:
                asyncio.get_running_loop().call_soon(self._flush)
            self._gathered += (LENGTH.pack(len(data)), data)
            if len(self._gathered) >= 8:
                self._flush()

    def _flush(self) -> None:
        """Write in one piece what one turn of the loop has gathered."""
        gathered, self._gathered = self._gathered, []
        if gathered and self._transport is not None:
            self._transport.write(b"".join(gathered))

    def close(self) -> None:
        """Close once everything was sent."""
        if self._transport is not None:
            self._flush()
            self._transport.close()


class Relayed(Later):
    """An answer that the other process will give."""

    __slots__ = ("reply",)

    def __init__(self) -> None:
        self.reply: Callable[[Response], None] = _nobody

    def then(self, reply: Callable[[Response], None]) -> None:
        """See Later."""
        self.reply = reply


def _nobody(_response: Response) -> None:
    """Before somebody waits for the answer."""


class Asking:
    """The end that holds the connections; `respond` is its listener's. `orders` takes what begins with a word."""

    def __init__(self, orders: Callable[[Message], None], gone: Callable[[], None]) -> None:
        self.frames = Frames(self._take, gone)
        self._orders = orders
        self._waiting: dict[int, Relayed] = {}
        self._number = 0

    def respond(self, request: Request, peer: str, secure: bool) -> Relayed:
        """Hand the request over; the answer comes later."""
        self._number = number = self._number + 1
        self._waiting[number] = relayed = Relayed()
        made = (request.method, request.path, request.query, request.headers, request.body, request.tls)
        self.frames.send((number, peer, secure, *made))
        return relayed

    def _take(self, message: Message) -> None:
        number = message[0]
        if number.__class__ is not int:
            self._orders(message)
            return
        self._waiting.pop(number).reply(Response(message[1], message[2], message[3]))


class Answering:
    """The end that answers, as `respond` does. `orders` takes what begins with a word."""

    def __init__(self, respond: Respond, orders: Callable[[Message], None], gone: Callable[[], None]) -> None:
        self.frames = Frames(self._take, gone)
        self._respond = respond
        self._orders = orders
        self._tasks: set[asyncio.Task[None]] = set()

    def _take(self, message: Message) -> None:
        number = message[0]
        if number.__class__ is not int:
            self._orders(message)
            return
        answer = self._respond(Request(*message[3:]), message[1], message[2])
        if isinstance(answer, Response):
            self._answer(number, answer)
        elif isinstance(answer, Later):
            answer.then(partial(self._answer, number))
        else:
            task = asyncio.get_running_loop().create_task(self._wait(number, answer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _wait(self, number: int, answer: Awaitable[Response]) -> None:
        """Answer when the coroutine ends."""
        response = UNANSWERED
        try:
            response = await answer
        finally:
            self._answer(number, response)

    def _answer(self, number: int, response: Response) -> None:
        try:
            self.frames.send((number, response.status, response.headers, response.body))
        except ValueError:  # a value of a class derived from str or bytes, which marshal refuses
            headers = tuple((str(name), str(value)) for name, value in response.headers)
            self.frames.send((number, int(response.status), headers, bytes(response.body)))
