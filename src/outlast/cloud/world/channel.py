"""Messages between the supervisor and a Region process: JSON frames over a socket pair, asks in both directions."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

LENGTH = struct.Struct(">I")
MAX_BYTES = 4 * 1024 * 1024
Handler = Callable[[str, Mapping[str, Any]], Awaitable[Any]]


class ChannelClosed(Exception):
    """The other end is gone."""


class RemoteError(Exception):
    """The other end could not do it; `kind` is the name of its exception."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Channel:
    """One end. `handler(verb, content)` answers what the other end asks."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._next = 1
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.closed = asyncio.Event()

    async def open(self, connection: socket.socket) -> None:
        """Take over a connected stream socket."""
        reader, self._writer = await asyncio.open_connection(sock=connection)
        self._keep(asyncio.get_running_loop().create_task(self.run(reader, self._writer)))

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve until the other end closes."""
        self._writer = writer
        try:
            while True:
                (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
                if length > MAX_BYTES:
                    return
                self._take(orjson.loads(await reader.readexactly(length)))
        except (asyncio.IncompleteReadError, OSError):
            return
        finally:
            self.close()

    def close(self) -> None:
        """Close; whatever waits for an answer gets ChannelClosed."""
        if self._writer is not None:
            self._writer.close()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ChannelClosed("the other end is gone"))
        self.closed.set()

    async def ask(self, verb: str, content: Mapping[str, Any] | None = None, timeout_s: float = 30.0) -> Any:
        """The other end's answer; raises ChannelClosed, RemoteError or TimeoutError."""
        if self._writer is None or self.closed.is_set():
            raise ChannelClosed("the other end is gone")
        number = self._next
        self._next += 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._send({"ask": number, "verb": verb, "content": content or {}})
        try:
            return await asyncio.wait_for(future, timeout_s)
        finally:
            self._waiting.pop(number, None)

    def _send(self, message: Mapping[str, Any]) -> None:
        if self._writer is not None and not self._writer.is_closing():
            data = orjson.dumps(message)
            self._writer.write(LENGTH.pack(len(data)) + data)

    def _take(self, message: Mapping[str, Any]) -> None:
        if "verb" in message:
            self._keep(asyncio.get_running_loop().create_task(self._answer(message)))
            return
        future = self._waiting.get(message["answer"])
        if future is None or future.done():
            return
        if "error" in message:
            future.set_exception(RemoteError(message["kind"], message["error"]))
        else:
            future.set_result(message["result"])

    async def _answer(self, message: Mapping[str, Any]) -> None:
        number = message["ask"]
        try:
            self._send({"answer": number, "result": await self._handler(message["verb"], message["content"])})
        except Exception as error:
            self._send({"answer": number, "error": str(error), "kind": type(error).__name__})

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
