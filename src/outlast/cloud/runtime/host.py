"""The Region's side of running users' code: start the template, unpack code, launch environments, tidy up after them.

Nothing here blocks the Region's event loop: files are written in a thread, processes are started by one `vfork`, and
workers are forked by the template. With nothing to run there is no template and no timer.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import shutil
import socket
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from outlast.cloud.runtime import cell
from outlast.cloud.runtime.environment import Environment
from outlast.cloud.runtime.frames import FORK, KILL, pack
from outlast.cloud.runtime.link import FOLDER_PREFIX, HostDown, Outside, Template

log = logging.getLogger("outlast.runtime")

SIGKILL_STATUS: Final = -9
INIT_TIMEOUT_S: Final = 10.0
IDLE_S: Final = 60.0
MAX_UNPACKED_BYTES: Final = 262_144_000


__all__ = ["BadArchive", "Host", "HostDown", "Launch", "Outside"]


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

    `outside` is what workers reach; `folder` is where unpacked code and workers' scratch files lie while there is a
    template (empty: the system's temporary folder). Workers are enclosed unless `enclose` is False or the system does
    not allow it: then `bare` says why.
    """

    def __init__(
        self,
        now_ms: Callable[[], int],
        outside: Outside | None = None,
        idle_s: float = IDLE_S,
        folder: str = "",
        *,
        enclose: bool = True,
    ) -> None:
        self._now_ms = now_ms
        self._folder = folder or None
        self._outside = outside or Outside()
        self._enclose = enclose
        self.bare = ""
        self._idle_s = idle_s
        self._template: Template | None = None
        self._starting: asyncio.Task[Template] | None = None
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
        shown = await asyncio.to_thread(cell.places, template.folder, launch.code, ident)
        meta = self._fork_message(launch, ident, template, shown)
        try:
            template.send(pack(FORK, meta), (theirs.detach(), log_write))
            await environment.attach(ours, launch.init_timeout_s)
        except BaseException:
            self._forget(ident, SIGKILL_STATUS)
            raise
        return environment

    def _fork_message(
        self, launch: Launch, ident: int, template: Template, shown: list[tuple[str, str, bool]]
    ) -> dict[str, Any]:
        folder = template.folder
        if template.bare:
            task, scratch, cache = (str(folder / part) for part in (f"code/{launch.code}", f"scratch/{ident}", "cache"))
            cache, shown, variables = f"{cache}/{launch.code}", [], dict(launch.variables)
        else:
            task, scratch, cache = cell.TASK, cell.SCRATCH, cell.CACHE
            variables = cell.variables(self._outside.cell, launch.variables)
        own = {"LAMBDA_TASK_ROOT": task, "TMPDIR": scratch, "HOME": scratch}
        return {
            "id": ident,
            "kind": launch.kind,
            "task": task,
            "scratch": scratch,
            "cache": cache,
            "handler": launch.handler,
            "memory_mb": launch.memory_mb,
            "storage_mb": launch.storage_mb,
            "variables": {**variables, **own},
            "layers": list(launch.layers),
            "names": self._outside.names if template.bare else None,
            "shown": shown,
            "authority": self._outside.cell.authority,
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

    async def _ready(self) -> Template:
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

    async def _start(self) -> Template:
        await asyncio.to_thread(_clear_leftovers, self._folder)
        outside = self._outside if self._enclose else None
        template = Template(self._folder, outside, self._forget, self._lost)
        await template.start()
        if template.bare != self.bare and self._enclose:
            log.warning("functions run without an enclosure (%s): %s", template.bare, cell.lack())
        self.bare = template.bare
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


def _clear_leftovers(parent: str | None) -> None:
    """Remove what a Region that was killed left in a folder of its own."""
    if parent is not None:
        for left in Path(parent).glob(f"{FOLDER_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)


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
