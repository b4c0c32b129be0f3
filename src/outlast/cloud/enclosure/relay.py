"""The way out of an isolated program: sockets that listen inside its network, answered from outside.

The program's own network has a loopback interface and nothing else. Before it starts, sockets are made there that
listen on the world's addresses; their descriptors are passed out, and a relay outside, which can reach the world,
accepts on them and passes bytes on. So the program reaches exactly those addresses. TLS goes through untouched.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import socket
from collections.abc import Sequence
from typing import Final, cast

from outlast.cloud.enclosure.ways import Way

READ_BYTES: Final = 1 << 16
MOST_CONNECTIONS: Final = 512
MOST_DATAGRAMS: Final = 256
DATAGRAM_TIMEOUT_S: Final = 5.0


class Relay:
    """Outside: answers the sockets of `listen`."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self._datagrams: list[asyncio.DatagramTransport] = []
        self._joined: set[asyncio.Task[None]] = set()

    async def start(self, ways: Sequence[Way], sockets: Sequence[socket.socket]) -> None:
        """Serve from now on."""
        for way, one in zip(ways, sockets, strict=True):
            if way.datagrams:
                self._datagrams.append(await _answer_datagrams(way, one))
            else:
                accept = functools.partial(self._accept, way)
                self._servers.append(await asyncio.start_server(accept, sock=one, limit=READ_BYTES))

    def _accept(self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._joined) >= MOST_CONNECTIONS:
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(_join(way, reader, writer))
        self._joined.add(task)
        task.add_done_callback(self._joined.discard)

    async def close(self) -> None:
        """Stop; what is on its way is dropped."""
        for server in self._servers:
            server.close()
        for transport in self._datagrams:
            transport.close()
        for task in self._joined:
            task.cancel()
        await asyncio.gather(*self._joined, return_exceptions=True)


async def _join(way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Connect outside and pass bytes both ways until both ends have said all."""
    try:
        out_reader, out_writer = await _connect(way, writer.get_extra_info("peername")[0])
    except OSError:
        writer.transport.abort()
        return
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_pour(reader, out_writer))
            both.create_task(_pour(out_reader, writer))
    except* OSError:
        out_writer.transport.abort()
        writer.transport.abort()
    finally:
        out_writer.close()
        writer.close()


async def _answer_datagrams(way: Way, one: socket.socket) -> asyncio.DatagramTransport:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Datagrams(way), sock=one)
    return transport


async def _connect(way: Way, source: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Outside, from the same address if the machine lets us: the world looks at where its clients are."""
    try:
        return await asyncio.open_connection(way.host, way.to_port, local_addr=(source, 0), limit=READ_BYTES)
    except OSError as error:
        if error.errno not in (errno.EADDRNOTAVAIL, errno.EACCES):
            raise
    return await asyncio.open_connection(way.host, way.to_port, limit=READ_BYTES)


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on until the end, and the end too."""
    while data := await reader.read(READ_BYTES):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


class _Datagrams(asyncio.DatagramProtocol):
    """Questions in, answers out; each question has a socket of its own outside for as long as it waits."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(self._waiting) < MOST_DATAGRAMS:
            task = asyncio.get_running_loop().create_task(self._ask(data, addr))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)

    async def _ask(self, data: bytes, addr: tuple[str, int]) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outside, contextlib.suppress(OSError, TimeoutError):
            outside.setblocking(False)
            with contextlib.suppress(OSError):
                outside.bind((addr[0], 0))
            outside.connect((self._way.host, self._way.to_port))
            await loop.sock_sendall(outside, data)
            async with asyncio.timeout(DATAGRAM_TIMEOUT_S):
                answer = await loop.sock_recv(outside, READ_BYTES)
            if self._transport is not None:
                self._transport.sendto(answer, addr)
