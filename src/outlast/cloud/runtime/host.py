"""The Region's side of running users' code: start the template, unpack code, launch environments, tidy up after them.

Nothing here blocks the Region's event loop: files are written in a thread, processes are started by one `vfork`, and
workers are forked by the template. With nothing to run there is no template and no timer.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import zipfile
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from outlast.cloud.runtime.environment import Environment
from outlast.cloud.runtime.frames import EXITED, FORK, KILL, READY, Unpacker, pack

START_TIMEOUT_S: Final = 30.0
INIT_TIMEOUT_S: Final = 10.0
IDLE_S: Final = 60.0
FOLDER_PREFIX: Final = "outlast-run-"
READ_BYTES: Final = 1 << 16
MAX_UNPACKED_BYTES: Final = 262_144_000
KEPT_VARIABLES: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")


class HostDown(Exception):
    """The template could not be started or has died."""


class BadArchive(ValueError):
    """The code archive is no zip file, or unpacks to more than the limit."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What a new execution environment is made of; `code` names an archive given to `Host.unpack`."""

    code: str
    handler: str
    memory_mb: int
    variables: Mapping[str, str]
    kind: str = "function"
    storage_mb: int = 512
    layers: tuple[str, ...] = ()
    init_timeout_s: float = INIT_TIMEOUT_S


class Host:
    """All execution environments of one Region.

    `names` is the Region's name server and HTTPS port for workers; `folder` is where unpacked code and workers' scratch
    files lie while there is a template (empty: the system's temporary folder).
    """

    def __init__(
        self,
        now_ms: Callable[[], int],
        names: tuple[str, int, int] | None = None,
        idle_s: float = IDLE_S,
        folder: str = "",
    ) -> None:
        self._now_ms = now_ms
        self._folder = folder or None
        self._names = names
        self._idle_s = idle_s
        self._template: _Template | None = None
        self._starting: asyncio.Task[_Template] | None = None
        self._unpacking: dict[str, asyncio.Task[None]] = {}
        self._environments: dict[int, Environment] = {}
        self._next = 1
        self._idle: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> bool:
        """Whether a template process is there."""
        return self._template is not None

    @property
    def environments(self) -> int:
        """How many workers there are."""
        return len(self._environments)

    @property
    def template_pid(self) -> int:
        """The template's process id, 0 without one."""
        return self._template.process.pid if self._template else 0

    async def warm(self) -> None:
        """Have a template ready; raises HostDown."""
        await self._ready()

    async def unpack(self, name: str, archive: Callable[[], bytes]) -> None:
        """Have the archive's files under `name` for `Launch.code`; raises BadArchive. Cheap when they are there."""
        template = await self._ready()
        task = self._unpacking.get(name)
        if task is None:
            task = asyncio.create_task(asyncio.to_thread(_unpack, archive(), template.folder / "code" / name))
            self._unpacking[name] = task
        try:
            await asyncio.shield(task)
        except (BadArchive, OSError):
            self._unpacking.pop(name, None)
            raise

    async def launch(self, launch: Launch) -> Environment:
        """Start a worker and load its handler; look at `.started`. Raises HostDown."""
        template = await self._ready()
        ident, self._next = self._next, self._next + 1
        ours, theirs = socket.socketpair()
        log_read, log_write = os.pipe()
        for fd in (ours.fileno(), log_read):
            os.set_blocking(fd, False)
        environment = Environment(ident, log_read, self._now_ms, self._kill)
        self._environments[ident] = environment
        scratch = template.folder / "scratch" / str(ident)
        await asyncio.to_thread(_make_folder, scratch)
        meta = self._fork_message(launch, ident, template.folder, scratch)
        try:
            template.send(pack(FORK, meta), (theirs.detach(), log_write))
            await environment.attach(ours, launch.init_timeout_s)
        except BaseException:
            self._forget(ident, SIGKILL_STATUS)
            raise
        return environment

    def _fork_message(self, launch: Launch, ident: int, folder: Path, scratch: Path) -> dict[str, Any]:
        task = folder / "code" / launch.code
        own = {"LAMBDA_TASK_ROOT": str(task), "TMPDIR": str(scratch), "HOME": str(scratch)}
        return {
            "id": ident,
            "kind": launch.kind,
            "task": str(task),
            "scratch": str(scratch),
            "cache": str(folder / "cache" / launch.code),
            "handler": launch.handler,
            "memory_mb": launch.memory_mb,
            "storage_mb": launch.storage_mb,
            "variables": {**launch.variables, **own},
            "layers": list(launch.layers),
            "names": self._names,
        }

    def _kill(self, ident: int) -> None:
        if self._template is not None:
            self._template.send(pack(KILL, {"id": ident}))

    def _forget(self, ident: int, status: int) -> None:
        environment = self._environments.pop(ident, None)
        if environment is not None:
            environment.exited(status)
        if self._template is not None:
            self._later(asyncio.to_thread(shutil.rmtree, self._template.folder / "scratch" / str(ident), True))
        if not self._environments:
            self._await_idleness()

    def _later(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _await_idleness(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(self._idle_s, self._let_go)

    def _let_go(self) -> None:
        self._idle = None
        if not self._environments and self._template is not None:
            template, self._template = self._template, None
            self._unpacking.clear()
            self._later(template.close())

    async def _ready(self) -> _Template:
        if self._template is not None:
            return self._template
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        starting = self._starting
        try:
            return await asyncio.shield(starting)
        finally:
            if starting.done():
                self._starting = None

    async def _start(self) -> _Template:
        await asyncio.to_thread(_clear_leftovers, self._folder)
        template = _Template(self._folder, self._forget, self._lost)
        await template.start()
        self._template = template
        self._await_idleness()
        return template

    def _lost(self) -> None:
        """The template died by itself: its workers died with it."""
        template, self._template = self._template, None
        self._unpacking.clear()
        for ident in list(self._environments):
            self._forget(ident, SIGKILL_STATUS)
        if template is not None:
            self._later(template.close())

    async def close(self) -> None:
        """End every worker and the template, and remove their files."""
        if self._idle is not None:
            self._idle.cancel()
        template, self._template = self._template, None
        for environment in list(self._environments.values()):
            environment.end()
            environment.exited(SIGKILL_STATUS)
        self._environments.clear()
        if template is not None:
            await template.close()
        if self._closing:
            await asyncio.gather(*self._closing, return_exceptions=True)


SIGKILL_STATUS: Final = -9


class _Template:
    """The template process and its control socket."""

    def __init__(self, parent: str | None, exited: Callable[[int, int], None], lost: Callable[[], None]) -> None:
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
            self.process = _spawn(theirs.fileno(), self.folder)
        self._loop.add_reader(self._control.fileno(), self._on_readable)

    async def start(self) -> None:
        """Wait until it has imported what it keeps warm; raises HostDown."""
        try:
            await asyncio.wait_for(asyncio.shield(self._ready), START_TIMEOUT_S)
        except (TimeoutError, HostDown) as error:
            await self.close()
            raise HostDown(f"the process that runs functions did not start: {error}") from error

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
            data = self._control.recv(READ_BYTES)
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
        await asyncio.to_thread(_reap, self.process)
        await asyncio.to_thread(shutil.rmtree, self.folder, True)


def _clear_leftovers(parent: str | None) -> None:
    """Remove what a Region that was killed left in a folder of its own."""
    if parent is not None:
        for left in Path(parent).glob(f"{FOLDER_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)


def _spawn(control_fd: int, folder: Path) -> subprocess.Popen[bytes]:
    """Start the template with a clean slate: one inherited descriptor, no variables of ours but where to find code."""
    environ = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    environ.update(
        HOME=str(folder),
        LANG="en_US.UTF-8",
        TZ=":UTC",
        PYTHONUNBUFFERED="1",
        AWS_EC2_METADATA_DISABLED="true",
    )
    command = [sys.executable, "-P", "-m", "outlast.cloud.runtime.template", str(control_fd), str(folder)]
    null = subprocess.DEVNULL
    return subprocess.Popen(command, env=environ, cwd=folder, pass_fds=(control_fd,), stdin=null, stdout=null)


def _reap(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _make_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _unpack(archive: bytes, folder: Path) -> None:
    """Unpack a zip into a folder, all or nothing; raises BadArchive."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    _make_folder(partial)
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as bundle:
            if sum(info.file_size for info in bundle.infolist()) > MAX_UNPACKED_BYTES:
                raise BadArchive(f"Unzipped size must be smaller than {MAX_UNPACKED_BYTES} bytes")
            bundle.extractall(partial)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise BadArchive(f"Could not unzip uploaded file: {error}") from error
    with contextlib.suppress(FileExistsError, OSError):
        partial.rename(folder)
