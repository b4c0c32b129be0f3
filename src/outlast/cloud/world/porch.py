"""A Region's porch: the process that holds its clients' connections, beside the one that holds its state.

Reading, parsing and writing of HTTP and TLS take as much time as the answers do. In a process of their own they use
another core; whole requests go to the Region, answers come back (`gateway/relay.py`). The porch holds nothing that a
client was promised: it ends with its Region, and a Region whose porch is gone stops and is reported.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from outlast.cloud.effects import RealClock
from outlast.cloud.gateway.http import Connection, Limits, Listener
from outlast.cloud.gateway.listener import Respond
from outlast.cloud.gateway.relay import Answering, Asking, Message
from outlast.cloud.world.loops import return_memory, run, settle_memory
from outlast.cloud.world.presented import PresentedCertificates
from outlast.cloud.world.rest import Rest, give_back

PR_SET_PDEATHSIG = 1
BUFFER_BYTES = 1024 * 1024
SWEEP_S = 5.0
WORTH_RETURNING_BYTES = 64 << 20
ANSWER_S = 10.0


@dataclass(frozen=True, slots=True)
class Forked:
    """A porch that has been forked and waits for orders."""

    pid: int
    connection: socket.socket


def fork(certificates: Callable[[RealClock], PresentedCertificates]) -> Forked:
    """Fork the porch of the Region that this process will be, before it has threads or an event loop.

    It keeps what the Region has open, the channel to the supervisor too, which so ends when both are gone.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    for end in (ours, theirs):
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            end.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
    region = os.getpid()
    pid = os.fork()
    if pid:
        theirs.close()
        return Forked(pid, ours)
    status = 1
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == region:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it stops when its Region says so
            ours.close()
            run(Porch(certificates).run(theirs))
            status = 0
    except BaseException:
        traceback.print_exc()  # into the world's log: the Region can only say that its porch is gone
    finally:
        sys.stderr.flush()
        os._exit(status)


class Porch:
    """What runs in the process of the porch."""

    def __init__(self, certificates: Callable[[RealClock], PresentedCertificates]) -> None:
        self._clock = RealClock()
        self._certificates = certificates(self._clock)
        self._gone = asyncio.Event()
        self._orders: asyncio.Queue[Message] = asyncio.Queue()
        self._asking = Asking(self._order, self._gone.set)
        self._servers: list[asyncio.Server] = []
        self._listener: Listener | None = None

    async def run(self, connection: socket.socket) -> None:
        """Do as the Region orders until it says stop or is gone."""
        settle_memory()
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: self._asking.frames, sock=connection)
        tasks = [loop.create_task(each) for each in (self._gone.wait(), self._obey(), self._sweep())]
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for task in ended:
            task.result()  # raises what ended it, if it was a failure

    def _order(self, message: Message) -> None:
        """Take an order; how to answer from now on must hold for the very next connection."""
        if message[0] == "show":
            self._show(message[1])
        self._orders.put_nowait(message)

    async def _obey(self) -> None:
        while True:
            verb, content = await self._orders.get()
            failure = ""
            try:
                if verb == "listen":
                    await self._listen(**content)
                elif verb == "stop":
                    await self._stop()
            except OSError as error:
                failure = str(error)
            self._asking.frames.send((verb, failure))
            if verb == "stop":
                self._asking.frames.close()
                return

    async def _listen(self, host: str, ports: tuple[int, ...], plain_allowed: bool) -> None:
        self._listener = listener = Listener(
            respond=self._asking.respond,
            clock=self._clock,
            context=self._certificates.context,
            plain_allowed=plain_allowed,
            limits=Limits(),
        )
        loop = asyncio.get_running_loop()
        for port in ports:
            self._servers.append(
                await loop.create_server(lambda: Connection(listener), host, port, backlog=1024, reuse_address=True)
            )

    def _show(self, state: Mapping[str, Any]) -> None:
        self._clock.skew_ms = state["skew_ms"]
        self._certificates.take(state["certificates"])

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        if self._listener is not None:
            await self._listener.close()

    async def _sweep(self) -> None:
        rest = Rest()
        while True:
            await asyncio.sleep(SWEEP_S)
            if self._listener is not None and self._listener.sweep() > WORTH_RETURNING_BYTES:
                await asyncio.to_thread(return_memory)
            if rest.due():
                await asyncio.to_thread(give_back)
            self._certificates.renew()


class PorchClosed(Exception):
    """The porch is gone, or could not do what it was told; the text says what."""


class AtPorch:
    """The Region's end. `gone` is called when the porch ends without having been told to."""

    def __init__(self, forked: Forked, respond: Respond, gone: Callable[[], None]) -> None:
        self._forked = forked
        self._answering = Answering(respond, self._told, self._ended)
        self._gone = gone
        self._closed = False
        self._stopping = False
        self._waiting: dict[str, list[asyncio.Future[str]]] = {}

    async def open(self) -> None:
        """Take over the connection to the porch."""
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: self._answering.frames, sock=self._forked.connection)

    async def listen(self, host: str, ports: tuple[int, ...], plain_allowed: bool) -> None:
        """Let it listen; raises PorchClosed when it cannot."""
        await self._ordered("listen", {"host": host, "ports": ports, "plain_allowed": plain_allowed})

    def show(self, skew_ms: int, certificates: Mapping[str, Any]) -> asyncio.Future[str]:
        """Tell how far its clock is off and which certificates to show; takes effect before any answer sent later."""
        return self._order("show", {"skew_ms": skew_ms, "certificates": certificates})

    async def stop(self) -> None:
        """Let running requests end, close all connections, and let the process end."""
        self._stopping = True
        try:
            await self._ordered("stop", {})
        except (PorchClosed, TimeoutError):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._forked.pid, signal.SIGKILL)
        self._answering.frames.close()
        await asyncio.to_thread(self._reap)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._forked.pid, 0)

    async def _ordered(self, verb: str, content: Mapping[str, Any]) -> None:
        failure = await asyncio.wait_for(self._order(verb, content), ANSWER_S)
        if failure:
            raise PorchClosed(failure)

    def _order(self, verb: str, content: Mapping[str, Any]) -> asyncio.Future[str]:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        if self._closed:
            future.set_result("the porch is gone")
        else:
            self._waiting.setdefault(verb, []).append(future)
            self._answering.frames.send((verb, dict(content)))
        return future

    def _told(self, message: Message) -> None:
        verb, failure = message
        future = self._waiting[verb].pop(0)
        if not future.done():
            future.set_result(failure)

    def _ended(self) -> None:
        self._closed = True
        for futures in self._waiting.values():
            while futures:
                future = futures.pop()
                if not future.done():
                    future.set_result("the porch is gone")
        if not self._stopping:
            self._gone()
