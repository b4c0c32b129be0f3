"""The warm parent: one thread, no event loop, everything imported, from which every process of the world is forked.

It forks the supervisor first, then a Region whenever the supervisor asks, and tells it of every death. When the
supervisor is gone it ends the Regions and returns.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

PR_SET_PDEATHSIG = 1
MESSAGE_BYTES = 65_536


@dataclass(slots=True)
class Nursery:
    """`run_region(name, connection)` and `run_supervisor(connection)` are what the children run."""

    run_region: Callable[[str, socket.socket], None]
    run_supervisor: Callable[[socket.socket], int]
    _children: dict[int, str] = field(default_factory=dict)
    _stop_asked: bool = False

    def run(self) -> int:
        """Serve until the supervisor ends; return its exit status."""
        gc.collect()
        gc.freeze()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        previous = {
            number: signal.signal(number, self._on_signal)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
        }
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        supervisor = self._fork(lambda: self.run_supervisor(theirs), (ours,))
        theirs.close()
        try:
            return self._serve(ours, wake_read, supervisor)
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in previous.items():
                signal.signal(number, handler)
            self._end_children()
            ours.close()
            os.close(wake_read)
            os.close(wake_write)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._stop_asked = True

    def _serve(self, ours: socket.socket, wake_read: int, supervisor: int) -> int:
        selector = selectors.DefaultSelector()
        selector.register(ours, selectors.EVENT_READ)
        selector.register(wake_read, selectors.EVENT_READ)
        told = False
        while True:
            for key, _events in selector.select():
                if key.fileobj is ours:
                    self._take(ours)
                else:
                    os.read(wake_read, 4096)
            if self._stop_asked and not told:
                told = True
                _tell(ours, {"stop": True})
            status = self._reap(ours, supervisor)
            if status is not None:
                return status

    def _take(self, ours: socket.socket) -> None:
        try:
            data, descriptors, _flags, _address = socket.recv_fds(ours, MESSAGE_BYTES, 1)
        except ConnectionResetError:  # the supervisor went before it had read everything
            return
        if not data:
            return
        name = json.loads(data)["spawn"]
        connection = socket.socket(fileno=descriptors[0])
        pid = self._fork(lambda: self.run_region(name, connection), (ours,))
        connection.close()
        self._children[pid] = name
        _tell(ours, {"spawned": name, "pid": pid})

    def _fork(self, work: Callable[[], int | None], close: tuple[socket.socket, ...]) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            for each in close:
                each.close()
            status = work() or 0
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _reap(self, ours: socket.socket, supervisor: int) -> int | None:
        """Report the dead to the supervisor; its own exit status when it is among them."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return 1
            if pid == 0:
                return None
            code = os.waitstatus_to_exitcode(status)
            if pid == supervisor:
                return code
            name = self._children.pop(pid, None)
            if name is not None:
                _tell(ours, {"died": name, "pid": pid, "code": code})

    def _end_children(self) -> None:
        for pid in tuple(self._children):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self._children.clear()


def _tell(ours: socket.socket, message: object) -> None:
    try:
        ours.send(json.dumps(message).encode())
    except OSError:
        return
