"""The real network between Regions: framed messages over mutually authenticated TLS, shaped at the sender's end.

A frame is: length of the rest (4 bytes), kind (1), number of the ask (8), length of the channel's name (1), the
channel, the payload. Asks and answers travel the same way, each shaped by the end that sends it, so a link can be
slow or cut in one direction only. A frame that a cut or lossy link drops is gone; its ask fails when its time is out.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from outlast.cloud.effects.clock import Clock
from outlast.cloud.effects.entropy import Entropy
from outlast.cloud.effects.network import CannotTake, Handler, LinkDown, PeerGone, Unanswered

MAX_FRAME_BYTES = 32 * 1024 * 1024
MAX_WAITING = 10_000
MAX_SERVING = 1_000
COPIED_BYTES = 4096
"""A greater message is not copied behind its head: a TLS record more costs less."""
TELL_EVERY_S = 30.0
LOOK_AGAIN_S = 0.2
UNACKNOWLEDGED_MS = 5_000
KEEPALIVE_S = 30
ASK, ANSWER, FAILED, TELL = 0, 1, 2, 3
HEADER = struct.Struct(">IBQB")


@dataclass(frozen=True, slots=True)
class Shape:
    """How one direction of a link behaves. `channel_delay_ms` adds to `delay_ms` for the channels it names.

    A frame waits until those before it have gone through at `bytes_per_s` (0 is no limit), then for its delay, but no
    longer than the shape of now would have it wait: what was held up by a slow link leaves once the link is fast again.
    """

    delay_ms: tuple[float, float] = (0.0, 0.0)
    channel_delay_ms: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    loss: float = 0.0
    cut: bool = False
    bytes_per_s: float = 0.0
    paused: frozenset[str] = frozenset()

    def with_cut(self, cut: bool) -> Shape:
        """The same shape, cut or healed."""
        return replace(self, cut=cut)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A frame in two parts, when it was posted (0: nothing holds it up), its delay and what draws it, its question."""

    head: bytes
    message: bytes
    posted_s: float
    delay_s: float
    delayed_as: str
    question: _Question | None


class _Question:
    """An ask that waits for its answer, or a tell that waits until it has left; `over` when nobody waits any more."""

    __slots__ = ("future", "left", "over", "peer", "told")

    def __init__(self, peer: str, told: bool) -> None:
        self.peer = peer
        self.told = told
        self.left = self.over = False
        self.future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def leave(self) -> None:
        """The frame is on its way, or lost there."""
        self.left = True
        if self.told and not self.future.done():
            self.future.set_result(b"")


class _Peer:
    """One outgoing connection and the frames that wait for it."""

    __slots__ = ("queue", "task", "writer")

    def __init__(self) -> None:
        self.queue: asyncio.Queue[_Waiting] = asyncio.Queue(MAX_WAITING)
        self.task: asyncio.Task[None] | None = None
        self.writer: asyncio.StreamWriter | None = None


class RealNetwork:
    """Links of one Region over TCP and TLS; `outgoing` shapes what leaves towards each peer.

    While `isolated` it hears nothing either, whatever the ends of its peers do.
    """

    def __init__(
        self,
        region: str,
        addresses: Mapping[str, tuple[str, int]],
        server_context: ssl.SSLContext,
        client_context: ssl.SSLContext,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._region = region
        self._addresses = dict(addresses)
        self._server_context = server_context
        self._client_context = client_context
        self._clock = clock
        self._entropy = entropy
        self._handlers: dict[str, Handler] = {}
        self._asks: dict[int, _Question] = {}
        self._next = 1
        self._to: dict[str, dict[str, _Peer]] = {peer: {} for peer in addresses if peer != region}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepted: set[asyncio.StreamWriter] = set()
        self._told: dict[str, float] = {}
        self._busy_until_s: dict[str, float] = {}
        self.isolated = False
        self.outgoing: dict[str, Shape] = {peer: Shape() for peer in self._to}

    @property
    def region(self) -> str:
        return self._region

    @property
    def peers(self) -> tuple[str, ...]:
        return tuple(self._to)

    def serve(self, channel: str, handler: Handler) -> None:
        self._handlers[channel] = handler

    async def start(self) -> None:
        """Listen for peers on this Region's own address."""
        host, port = self._addresses[self._region]
        self._server = await asyncio.start_server(
            lambda reader, writer: self._spawn(self._accept(reader, writer)),
            host,
            port,
            ssl=self._server_context,
            limit=1 << 20,
            reuse_address=True,
        )

    async def close(self) -> None:
        """Stop listening and drop every link."""
        if self._server is not None:
            self._server.close()
        for lanes in self._to.values():
            for peer in lanes.values():
                if peer.task is not None:
                    peer.task.cancel()
                if peer.writer is not None:
                    peer.writer.close()
        for writer in tuple(self._accepted):
            writer.transport.abort()
        for task in tuple(self._tasks):
            task.cancel()
        for question in self._asks.values():
            if not question.future.done():
                question.future.set_exception(LinkDown("the Region stops"))

    async def ask(self, peer: str, channel: str, message: bytes, timeout_s: float = 5.0) -> bytes:
        return await self._put(peer, channel, ASK, message, timeout_s)

    async def tell(self, peer: str, channel: str, message: bytes, timeout_s: float = 5.0) -> None:
        await self._put(peer, channel, TELL, message, timeout_s)

    async def _put(self, peer: str, channel: str, kind: int, message: bytes, timeout_s: float) -> bytes:
        if peer not in self._to:
            raise LinkDown(f"{peer} is not a peer of {self._region}")
        if len(message) > MAX_FRAME_BYTES - 1024:
            raise ValueError(f"a message of {len(message)} bytes is over the link's limit")
        number = self._next
        self._next += 1
        self._asks[number] = question = _Question(peer, kind == TELL)
        try:
            self._post(peer, channel, kind, number, message, question)
            return await asyncio.wait_for(question.future, timeout_s)
        except TimeoutError:
            if question.left:
                raise Unanswered(f"no answer from {peer} within {timeout_s} s") from None
            raise LinkDown(f"the message to {peer} did not leave within {timeout_s} s") from None
        finally:
            question.over = True
            self._asks.pop(number, None)

    def _post(
        self, name: str, channel: str, kind: int, number: int, message: bytes, question: _Question | None = None
    ) -> None:
        shape = self.outgoing[name]
        if shape.cut or (shape.loss and self._entropy.uniform() < shape.loss):
            _gone(question)
            return
        if question is not None and channel in shape.paused:
            _gone(question)
            return
        peer = self._to[name].setdefault(channel, _Peer())
        encoded = channel.encode()
        head = HEADER.pack(len(message) + len(encoded) + 10, kind, number, len(encoded)) + encoded
        delayed_as = channel if question is not None else ""
        low, high = _delays_s(shape, delayed_as)
        delay_s = low + (high - low) * self._entropy.uniform() if high > 0 else 0.0
        posted_s = self._clock.monotonic_s() if delay_s or shape.bytes_per_s else 0.0
        try:
            peer.queue.put_nowait(_Waiting(head, message, posted_s, delay_s, delayed_as, question))
        except asyncio.QueueFull:
            raise LinkDown(f"{MAX_WAITING} messages wait for {name} already") from None
        if peer.task is None or peer.task.done():
            peer.task = asyncio.get_running_loop().create_task(self._send(name, peer))

    async def _send(self, name: str, peer: _Peer) -> None:
        """Write the waiting frames in order, each when it may leave; connects when it must."""
        while not peer.queue.empty():
            waiting = peer.queue.get_nowait()
            if waiting.question is not None and waiting.question.over:
                continue  # whoever asked has given up
            if waiting.posted_s:
                await self._wait_for(name, waiting)
            if self.outgoing[name].cut:
                _gone(waiting.question)
                continue
            try:
                if peer.writer is None or peer.writer.is_closing():
                    peer.writer = await self._connect(name)
                if len(waiting.message) > COPIED_BYTES:
                    peer.writer.writelines((waiting.head, waiting.message))
                else:
                    peer.writer.write(waiting.head + waiting.message)
                await peer.writer.drain()
                _gone(waiting.question)
            except ConnectionRefusedError:
                self._fail(name, PeerGone(f"{name} does not run"))
            except (OSError, ssl.SSLError, TimeoutError):
                if peer.writer is not None:
                    peer.writer.close()
                peer.writer = None
                self._fail(name, LinkDown(f"{name} does not answer"))

    async def _wait_for(self, name: str, waiting: _Waiting) -> None:
        """Return when the frame has gone through the link's bandwidth, which all channels share, and its delay is over.

        A link that becomes slower or faster meanwhile is looked at again.
        """
        while True:
            bytes_per_s = self.outgoing[name].bytes_per_s
            through_s = waiting.posted_s
            if bytes_per_s:
                through_s = (
                    max(through_s, self._busy_until_s.get(name, 0.0))
                    + (len(waiting.head) + len(waiting.message)) / bytes_per_s
                )
                self._busy_until_s[name] = through_s
            else:
                self._busy_until_s.pop(name, None)
            while (shape := self.outgoing[name]).bytes_per_s == bytes_per_s:
                delay_s = min(waiting.delay_s, _delays_s(shape, waiting.delayed_as)[1])
                left_s = through_s + delay_s - self._clock.monotonic_s()
                if left_s <= 0:
                    return
                await self._clock.sleep(min(left_s, LOOK_AGAIN_S))

    def _fail(self, name: str, why: LinkDown) -> None:
        """The connection to `name` broke: what waits for its answers fails at once."""
        for question in tuple(self._asks.values()):
            if question.peer == name and not question.future.done():
                question.future.set_exception(type(why)(*why.args))

    async def _connect(self, name: str) -> asyncio.StreamWriter:
        host, port = self._addresses[name]
        opening = asyncio.open_connection(host, port, ssl=self._client_context, server_hostname=name, limit=1 << 20)
        reader, writer = await asyncio.wait_for(opening, 5.0)
        _give_up_soon(writer)
        self._spawn(self._watch(name, reader))
        return writer

    async def _watch(self, name: str, reader: asyncio.StreamReader) -> None:
        """An outgoing connection carries nothing back; its end means that the peer went."""
        with contextlib.suppress(OSError, ssl.SSLError):
            await reader.read(1)
        self._fail(name, LinkDown(f"{name} does not answer"))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = peer_name(writer)
        _give_up_soon(writer)
        self._accepted.add(writer)
        try:
            if name not in self._to:
                return
            while True:
                length, kind, number, channel_length = HEADER.unpack(await reader.readexactly(HEADER.size))
                if length > MAX_FRAME_BYTES:
                    return
                rest = await reader.readexactly(length - 10)
                channel, payload = rest[:channel_length].decode(), rest[channel_length:]
                self._take(name, channel, kind, number, payload)
        except (asyncio.IncompleteReadError, OSError, ssl.SSLError):
            return
        finally:
            self._accepted.discard(writer)
            writer.close()

    def _take(self, name: str, channel: str, kind: int, number: int, payload: bytes) -> None:
        if self.isolated:
            return
        if kind == ASK:
            if len(self._tasks) < MAX_SERVING:
                self._spawn(self._answer(name, channel, number, payload))
            return
        if kind == TELL:
            handler = self._handlers.get(channel)
            if handler is not None and len(self._tasks) < MAX_SERVING:
                self._spawn(_hear(handler, name, payload))
            return
        waiting = self._asks.get(number)
        if waiting is None or waiting.peer != name or waiting.told or waiting.future.done():
            return
        if kind == ANSWER:
            waiting.future.set_result(payload)
        else:
            waiting.future.set_exception(LinkDown(payload.decode("utf-8", "replace")))

    async def _answer(self, name: str, channel: str, number: int, payload: bytes) -> None:
        handler = self._handlers.get(channel)
        try:
            if handler is None:
                self._post(name, channel, FAILED, number, f"{self._region} serves no {channel}".encode())
            else:
                self._post(name, channel, ANSWER, number, await handler(name, payload))
        except LinkDown:
            return
        except Exception as error:
            with contextlib.suppress(LinkDown):
                self._post(name, channel, FAILED, number, f"{type(error).__name__} in {self._region}".encode())
            if not isinstance(error, CannotTake):
                raise

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        """Tell of a failure once in a while: a peer asks again and again, and a log must not grow with it."""
        self._tasks.discard(task)
        if task.cancelled() or task.exception() is None:
            return
        kind, now = type(task.exception()).__name__, self._clock.monotonic_s()
        if now - self._told.get(kind, -TELL_EVERY_S) >= TELL_EVERY_S:
            self._told[kind] = now
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a message's handler failed", "exception": task.exception(), "task": task}
            )


def _delays_s(shape: Shape, channel: str) -> tuple[float, float]:
    """The shortest and the longest delay of a frame; answers, which no channel's own delay holds up, name none."""
    low, high = shape.delay_ms
    extra = shape.channel_delay_ms.get(channel, (0.0, 0.0))
    return (low + extra[0]) / 1000, (high + extra[1]) / 1000


def _gone(question: _Question | None) -> None:
    """The frame has left or is lost: nobody here can tell."""
    if question is not None:
        question.leave()


async def _hear(handler: Handler, peer: str, message: bytes) -> None:
    """Let a handler have a message that nobody answers."""
    with contextlib.suppress(CannotTake):
        await handler(peer, message)


def _give_up_soon(writer: asyncio.StreamWriter) -> None:
    """Let the kernel end a connection whose other host is silent: a new one is there before it would try again."""
    with contextlib.suppress(OSError):
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S)


def peer_name(writer: asyncio.StreamWriter) -> str:
    """The Region that the peer's certificate names; empty when it shows none."""
    certificate = writer.get_extra_info("peercert") or {}
    for part in certificate.get("subject", ()):
        for key, value in part:
            if key == "commonName":
                return str(value)
    return ""
