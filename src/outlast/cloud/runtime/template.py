"""The template process: everything imported once, then a fork for each execution environment.

Run as `python -m outlast.cloud.runtime.template FD FOLDER`: the Region's control socket, and the folder that holds
what workers use and goes when the template goes. It has one thread and holds no secret: what a worker is to know comes
with its fork message. It ends when the socket closes or its Region dies, and its workers with it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import socket
import sys
from typing import Any, Final

from outlast.cloud.runtime import fence, sandbox, warm, worker
from outlast.cloud.runtime.frames import EXITED, FORK, KILL, READY, Frame, Unpacker, pack
from outlast.cloud.runtime.sandbox import Spec

READ_BYTES: Final = 1 << 16
MAX_FDS: Final = 64


class Template:
    """Forks, reaps and ends workers as the Region says."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
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

    def serve(self) -> None:
        """Work until the Region closes the control socket."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(self._wake_read, selectors.EVENT_READ)
            self._control.sendall(pack(READY, {"pid": os.getpid()}))
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
            pid = os.fork()
        except OSError as error:
            self._tell(EXITED, {"id": spec.ident, "status": -1, "why": f"fork failed: {error.strerror}"})
        else:
            if pid == 0:
                worker.run(spec, channel_fd, log_fd)
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


def main(argv: list[str]) -> int:
    """Serve the Region whose control socket's descriptor is the first argument; the second is the folder to clear."""
    control = socket.socket(fileno=int(argv[1]))
    control.setblocking(True)
    os.set_inheritable(control.fileno(), False)
    with contextlib.suppress(OSError):
        os.setsid()
    sandbox.die_with_parent(signal.SIGTERM)
    warm.warm_up()
    for layers in ((), tuple(fence.LAYER_PACKAGES)):
        fence.plan(layers)
    Template(control).serve()
    shutil.rmtree(argv[2], ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
