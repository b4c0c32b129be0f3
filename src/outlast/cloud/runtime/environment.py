"""One execution environment, seen from the Region: a channel to a worker, its log, and the invocation under way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from outlast.cloud.runtime import logs
from outlast.cloud.runtime.frames import REPLY, STARTED, Frame, FrameError, Invocation, Reply, Unpacker

LOG_READ_BYTES: Final = 1 << 16
READS_AT_ONCE: Final = 4
MAX_LINES: Final = 10_000
MAX_LINE_BYTES: Final = 1 << 20
EXIT_NOTICE_S: Final = 2.0
SIGKILLED: Final = -9

Line = tuple[int, str]
"""When it was read (milliseconds since the epoch) and what it says."""


class Fate(Enum):
    """How an invocation, or the start of an environment, ended."""

    REPLIED = "replied"
    TIMED_OUT = "timed out"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class Started:
    """How an environment began: `body` is the error payload when the handler could not be loaded."""

    fate: Fate
    ok: bool
    init_ms: float
    body: bytes = b""
    status: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one event. `failed`: the handler raised. `status`: the worker's exit status when it exited."""

    fate: Fate
    failed: bool
    payload: bytes
    duration_ms: float
    memory_mb: int
    lines: tuple[Line, ...]
    status: int = 0


@dataclass(slots=True)
class Log:
    """The lines a worker wrote and nobody took yet; bounded."""

    fd: int
    now_ms: Callable[[], int]
    lines: list[Line] = field(default_factory=list)
    dropped: int = 0
    _rest: bytes = b""

    def drain(self) -> bool:
        """Read what is there, but no more than a pipe holds a few times over: a flood must not hold the Region up.

        False at the end of the log.
        """
        for _ in range(READS_AT_ONCE):
            try:
                data = os.read(self.fd, LOG_READ_BYTES)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                self._keep(self._rest)
                self._rest = b""
                return False
            *whole, self._rest = (self._rest + data).split(b"\n")
            for line in whole:
                self._keep(line)
            if len(self._rest) > MAX_LINE_BYTES:
                self._keep(self._rest)
                self._rest = b""
        return True

    def _keep(self, line: bytes) -> None:
        if not line:
            return
        if len(self.lines) >= MAX_LINES:
            self.dropped += 1
            return
        self.lines.append((self.now_ms(), logs.decode(line)))

    def take(self) -> tuple[Line, ...]:
        """Hand the lines over, an unfinished one too."""
        self._keep(self._rest)
        self._rest = b""
        if self.dropped:
            self.lines.append((self.now_ms(), f"[{self.dropped} more lines were not kept]"))
        taken, self.lines, self.dropped = tuple(self.lines), [], 0
        return taken


def _check(frame: Frame) -> None:
    """Raise FrameError for what a worker may not say."""
    if frame.kind == REPLY:
        Reply.read(frame.head)
    elif frame.kind != STARTED or not {"ok", "ms"} <= frame.meta.keys():
        raise FrameError("not a worker's frame")


class Environment(asyncio.Protocol):
    """A worker that runs one event at a time. Made by `Host.launch`; usable while `alive`."""

    def __init__(self, ident: int, log_fd: int, now_ms: Callable[[], int], kill: Callable[[int], None]) -> None:
        self.ident = ident
        self.alive = True
        self.log = Log(log_fd, now_ms)
        self.started: Started | None = None
        self._loop = asyncio.get_running_loop()
        self._kill = kill
        self._unpacker = Unpacker()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Frame | Fate] | None = None
        self._status = SIGKILLED
        self._began_s = 0.0
        self._loop.add_reader(log_fd, self._on_log)

    async def attach(self, channel: socket.socket, timeout_s: float) -> Started:
        """Take the channel over and wait until the handler is loaded, for at most `timeout_s`."""
        self._waiter = self._loop.create_future()
        transport, _ = await self._loop.create_unix_connection(lambda: self, sock=channel)
        self._transport = transport
        self._began_s = self._loop.time()
        answer = await self._answer(timeout_s)
        if isinstance(answer, Frame):
            meta = answer.meta
            ok = bool(meta["ok"])
            self.started = Started(Fate.REPLIED, ok, float(meta["ms"]), answer.body)
            self.alive = self.alive and ok
        else:
            self.started = Started(answer, False, self._elapsed_ms(), b"", self._status)
        return self.started

    async def invoke(self, request: Invocation, event: bytes) -> Outcome:
        """Run the handler once. Afterwards the environment may be dead: look at `alive`."""
        if self._transport is None or not self.alive or self._waiter is not None:
            raise RuntimeError("an environment runs one event at a time, while it is alive")
        self._waiter = self._loop.create_future()
        self._began_s = self._loop.time()
        self._transport.write(request.pack(event))
        answer = await self._answer(request.timeout_s)
        self.log.drain()
        if isinstance(answer, Frame):
            reply = Reply.read(answer.head)
            return Outcome(Fate.REPLIED, reply.failed, answer.body, reply.ms, reply.memory_mb, self.log.take())
        return Outcome(answer, True, b"", self._elapsed_ms(), 0, self.log.take(), self._status)

    def _elapsed_ms(self) -> float:
        return round((self._loop.time() - self._began_s) * 1000, 2)

    async def _answer(self, timeout_s: float) -> Frame | Fate:
        waiter = self._waiter
        assert waiter is not None
        timer = self._loop.call_later(timeout_s, self._expire)
        try:
            return await waiter
        except asyncio.CancelledError:
            self.end()
            raise
        finally:
            timer.cancel()
            self._waiter = None

    def _expire(self) -> None:
        self.end()
        self._settle(Fate.TIMED_OUT)

    def _settle(self, answer: Frame | Fate) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(answer)

    def end(self) -> None:
        """Kill the worker and everything it started; harmless when it is gone."""
        if self.alive:
            self.alive = False
            self._kill(self.ident)
        if self._transport is not None:
            self._transport.close()

    def exited(self, status: int) -> None:
        """The template saw the worker end."""
        self._status = status
        self.alive = False
        self._settle(Fate.EXITED)
        if self._transport is not None:
            self._transport.close()
        self.close_log()

    def close_log(self) -> None:
        """Read what is left of the log and let go of it."""
        if self.log.fd >= 0:
            self.log.drain()
            self._loop.remove_reader(self.log.fd)
            os.close(self.log.fd)
            self.log.fd = -1

    def _on_log(self) -> None:
        if not self.log.drain():
            with contextlib.suppress(ValueError):
                self._loop.remove_reader(self.log.fd)

    def data_received(self, data: bytes) -> None:
        """The worker spoke. A worker that breaks the form (its code has the channel too) is ended."""
        try:
            for frame in self._unpacker.feed(data):
                _check(frame)
                self._settle(frame)
        except FrameError:
            self.end()

    def connection_lost(self, exc: Exception | None) -> None:
        """The worker hung up: wait a moment for the template to say how it ended."""
        self._loop.call_later(EXIT_NOTICE_S, self._settle, Fate.EXITED)
