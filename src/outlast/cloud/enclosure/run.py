"""Run a program enclosed: in place of this process, or isolated, with this process as its relay."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

from outlast.cloud.enclosure.enter import Unable, enter
from outlast.cloud.enclosure.relay import Relay
from outlast.cloud.enclosure.view import View
from outlast.cloud.enclosure.ways import Way, listen

MOST_DESCRIPTORS: Final = 250
STATUS: Final = struct.Struct("i")
CANNOT_RUN: Final = 126
NOT_FOUND: Final = 127


class Isolated:
    """A child in a network of its own, stopped before its program until the relay is there."""

    def __init__(self, view: View, ways: Sequence[Way]) -> None:
        if len(ways) > MOST_DESCRIPTORS:
            raise Unable("the world has too many addresses")
        self._view = view
        self._ways = ways

    def run(self, command: Sequence[str], environ: Mapping[str, str]) -> int:
        """Run the program to its end; its exit status, as a shell gives it. Raises Unable."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._be_child(theirs, command, environ)
        theirs.close()
        said, descriptors, _flags, _address = socket.recv_fds(ours, 4096, MOST_DESCRIPTORS)
        if said != b"ready":
            os.waitpid(pid, 0)
            raise Unable(said.decode(errors="replace") or "the attempt ended without a word")
        sockets = [socket.socket(fileno=each) for each in descriptors]
        asyncio.run(self._relay(pid, ours, sockets))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return code if code >= 0 else 128 - code

    def _be_child(self, channel: socket.socket, command: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
        status = CANNOT_RUN
        try:
            try:
                enter(self._view, network=True)
                made = listen(self._ways)
            except (Unable, OSError) as error:
                channel.send(str(error).encode()[:1000])
                os._exit(status)
            socket.send_fds(channel, [b"ready"], [each.fileno() for each in made])
            for each in made:
                each.close()
            channel.recv(1)
            become(command, environ)
        except OSError as error:
            status = NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_RUN
            os.write(2, f"outlast: {command[0]} cannot be run: {error.strerror}.\n".encode())
        finally:
            os._exit(status)

    async def _relay(self, pid: int, channel: socket.socket, sockets: Sequence[socket.socket]) -> None:
        """Serve the child's sockets until it has ended."""
        loop = asyncio.get_running_loop()
        relay = Relay()
        await relay.start(self._ways, sockets)
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, os.kill, pid, number)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal tells the program itself
        gone = asyncio.Event()
        watched = os.pidfd_open(pid)
        loop.add_reader(watched, gone.set)
        channel.send(b"!")
        channel.close()
        await gone.wait()
        loop.remove_reader(watched)
        os.close(watched)
        await relay.close()


def become(command: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Be the program from now on; raises OSError."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execvpe(command[0], list(command), dict(environ))  # noqa: S606  (exec is the purpose)
