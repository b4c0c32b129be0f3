"""The template process: everything imported once, then a fork for each execution environment.

Begun by `start`. It has one thread and holds no secret: what a worker is to know comes with its fork message. It ends
when the control socket closes or its Region dies, and its workers with it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
from collections.abc import Sequence
from typing import Any, Final

from outlast.cloud.runtime import fence, warm, worker
from outlast.cloud.runtime.cell import Births
from outlast.cloud.runtime.frames import EXITED, FORK, KILL, READY, Frame, Unpacker, pack
from outlast.cloud.runtime.sandbox import Spec

READ_BYTES: Final = 1 << 16
MAX_FDS: Final = 64


class Template:
    """Forks, reaps and ends workers as the Region says; each in its own place if there are `births`."""

    def __init__(self, control: socket.socket, births: Births | None) -> None:
        self._control = control
        self._births: contextlib.AbstractContextManager[None] = births or contextlib.nullcontext()
        self._unpacker = Unpacker()
        self._fds: list[int] = []
        self._workers: dict[int, int] = {}
        self._wake_read, self._wake_write = os.pipe()
        for fd in (self._wake_read, self._wake_write):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self._stopping = False
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def serve(self, why: str, ways: Sequence[socket.socket]) -> None:
        """Work until the Region closes the control socket.

        The Region is told `why` there is no enclosure (empty: there is one), and given the sockets that listen inside.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(self._wake_read, selectors.EVENT_READ)
            socket.send_fds(self._control, [pack(READY, {"why": why})], [way.fileno() for way in ways])
            for way in ways:
                way.close()
            while not self._stopping:
                for key, _ in selector.select():
                    if key.fileobj is self._control:
                        self._read_control()
                    else:
                        self._reap()
        for ident in list(self._workers.values()):
            self._kill(ident)

    def _read_control(self) -> None:
        data, fds = b"", list[int]()
        with contextlib.suppress(ConnectionError):
            data, fds, _flags, _address = socket.recv_fds(self._control, READ_BYTES, MAX_FDS)
        if not data:
            self._stopping = True
        self._fds += fds
        for frame in self._unpacker.feed(data):
            if frame.kind == FORK:
                self._fork(frame)
            elif frame.kind == KILL:
                self._kill(frame.meta["id"])

    def _fork(self, frame: Frame) -> None:
        spec = Spec.read(frame.meta)
        channel_fd, log_fd = self._fds.pop(0), self._fds.pop(0)
        try:
            with self._births:
                pid = os.fork()
                if pid == 0:
                    worker.run(spec, channel_fd, log_fd)
        except OSError as error:
            self._tell(EXITED, {"id": spec.ident, "status": -1, "why": f"fork failed: {error.strerror}"})
        else:
            self._workers[pid] = spec.ident
        os.close(channel_fd)
        os.close(log_fd)

    def _kill(self, ident: int) -> None:
        for pid, known in self._workers.items():
            if known == ident:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, READ_BYTES)
        while self._workers:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None:
                return
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(ended.si_pid, signal.SIGKILL)
            _, status = os.waitpid(ended.si_pid, 0)
            ident = self._workers.pop(ended.si_pid)
            self._tell(EXITED, {"id": ident, "status": os.waitstatus_to_exitcode(status), "why": ""})

    def _tell(self, kind: bytes, meta: dict[str, Any]) -> None:
        with contextlib.suppress(ConnectionError):
            self._control.sendall(pack(kind, meta))


def warm_up() -> None:
    """Import what workers use, and work their fences out."""
    warm.warm_up()
    for layers in ((), tuple(fence.LAYER_PACKAGES)):
        fence.plan(layers)
