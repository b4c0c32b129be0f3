"""The Region's end of a template process: its control socket, and the ways out of its enclosure."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from outlast.cloud.enclosure.relay import Relay
from outlast.cloud.enclosure.ways import Way
from outlast.cloud.runtime.cell import MOST_WAYS, Cell
from outlast.cloud.runtime.frames import EXITED, READY, Unpacker
from outlast.cloud.runtime.start import NOT_ASKED

log = logging.getLogger("outlast.runtime")

START_TIMEOUT_S: Final = 30.0
FOLDER_PREFIX: Final = "outlast-run-"
READ_BYTES: Final = 1 << 16
KEPT_VARIABLES: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")


class HostDown(Exception):
    """The template could not be started or has died."""


Serve = Callable[[socket.socket], Awaitable[asyncio.Server]]


@dataclass(frozen=True, slots=True)
class Outside:
    """What workers may reach.

    `cell` says what an enclosure shows; `serve` answers on a socket for the Region's own `host` and `port` without a
    detour. `names` is the Region's name server and HTTPS port, for where there is no enclosure.
    """

    cell: Cell = field(default_factory=lambda: Cell((), "", ()))
    host: str = ""
    port: int = 0
    serve: Serve | None = None
    names: tuple[str, int, int] | None = None


class Template:
    """The template process and its control socket."""

    def __init__(
        self,
        parent: str | None,
        outside: Outside | None,
        exited: Callable[[int, int], None],
        lost: Callable[[], None],
    ) -> None:
        self.bare = ""
        self._outside = outside
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._relay = Relay()
        self.folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=parent))
        self._exited = exited
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._unpacker = Unpacker()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._queue: deque[tuple[bytes, tuple[int, ...]]] = deque()
        self._control, theirs = socket.socketpair()
        self._control.setblocking(False)
        with theirs:
            wanted = NOT_ASKED if outside is None else outside.cell.text()
            self.process = _spawn(theirs.fileno(), self.folder, wanted)
        self._loop.add_reader(self._control.fileno(), self._on_readable)

    async def start(self) -> None:
        """Wait until it has imported what it keeps warm; raises HostDown."""
        try:
            await asyncio.wait_for(asyncio.shield(self._ready), START_TIMEOUT_S)
        except (TimeoutError, HostDown) as error:
            await self.close()
            why = str(error) or f"not within {START_TIMEOUT_S:g} s"
            raise HostDown(f"the process that runs functions did not start: {why}") from error
        try:
            await self._open_ways()
        except OSError as error:
            await self.close()
            raise HostDown(f"the ways out of the enclosure could not be opened: {error}") from error

    async def _open_ways(self) -> None:
        """Answer on the sockets that listen inside the enclosure."""
        outside = self._outside
        if outside is None or not self._sockets:
            return
        relayed: list[Way] = []
        sockets: list[socket.socket] = []
        for way, one in zip(outside.cell.ways, self._sockets, strict=True):
            own = (way.host, way.to_port, way.datagrams) == (outside.host, outside.port, False)
            if outside.serve is not None and own:
                self._servers.append(await outside.serve(one))
            else:
                relayed.append(way)
                sockets.append(one)
        await self._relay.start(relayed, sockets)

    def send(self, frame: bytes, fds: tuple[int, ...] = ()) -> None:
        """Send a frame and descriptors; ours are closed once they are on their way."""
        self._queue.append((frame, fds))
        if len(self._queue) == 1:
            self._flush()

    def _flush(self) -> None:
        while self._queue:
            frame, fds = self._queue[0]
            try:
                sent = socket.send_fds(self._control, [frame], fds) if fds else self._control.send(frame)
            except BlockingIOError:
                self._loop.add_writer(self._control.fileno(), self._flush)
                return
            except OSError:
                sent = len(frame)
            for fd in fds:
                os.close(fd)
            self._queue[0] = (frame[sent:], ())
            if sent == len(frame):
                self._queue.popleft()
        if self._control.fileno() >= 0:
            self._loop.remove_writer(self._control.fileno())

    def _on_readable(self) -> None:
        try:
            data, fds, _flags, _address = socket.recv_fds(self._control, READ_BYTES, MOST_WAYS)
            self._sockets += [socket.socket(fileno=fd) for fd in fds]
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._control.fileno())
            if not self._ready.done():
                self._ready.set_exception(HostDown("it ended while starting"))
            self._lost()
            return
        for frame in self._unpacker.feed(data):
            if frame.kind == READY and not self._ready.done():
                self.bare = frame.meta["why"]
                self._ready.set_result(None)
            elif frame.kind == EXITED:
                self._exited(frame.meta["id"], frame.meta["status"])

    async def close(self) -> None:
        """Hang up, wait for the process to end, and see that its folder is gone."""
        if self._control.fileno() >= 0:
            self._loop.remove_reader(self._control.fileno())
            self._loop.remove_writer(self._control.fileno())
            self._control.close()
        for _, fds in self._queue:
            for fd in fds:
                os.close(fd)
        self._queue.clear()
        for server in self._servers:
            server.close()
        await self._relay.close()
        await asyncio.to_thread(_reap, self.process)
        await asyncio.to_thread(shutil.rmtree, self.folder, True)


def _spawn(control_fd: int, folder: Path, wanted: str) -> subprocess.Popen[bytes]:
    """Start the template with a clean slate: one inherited descriptor, no variables of ours but where to find code."""
    environ = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    environ.update(
        HOME=str(folder),
        LANG="en_US.UTF-8",
        TZ=":UTC",
        PYTHONUNBUFFERED="1",
        AWS_EC2_METADATA_DISABLED="true",
    )
    command = [sys.executable, "-P", "-m", "outlast.cloud.runtime.start", str(control_fd), str(folder), wanted]
    null = subprocess.DEVNULL
    return subprocess.Popen(command, env=environ, cwd=folder, pass_fds=(control_fd,), stdin=null, stdout=null)


def _reap(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
