"""The DNS listeners of one Region: UDP and TCP on the same port.

UDP answers from the kept wire form in the datagram's own callback. Each client address has its queue (dns_sockets), and
the event loop takes a few datagrams of each queue in turn, so that a flood takes time from others but no place. TCP
(RFC 7766) answers pipelined queries in order; connections are bounded in number, in time and in unread answers, so that
slow clients cost little.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, cast

from outlast.cloud.contract.names import Names
from outlast.cloud.effects import Clock, Entropy
from outlast.cloud.gateway.dns_answers import Responder
from outlast.cloud.gateway.dns_limits import RateLimit, RateLimiter
from outlast.cloud.gateway.dns_sockets import bind

FOLD_EVERY_S: Final = 5.0
LONGEST_DATAGRAM_BYTES: Final = 2_048
"""A question that is longer is not read to its end, and so is malformed."""
DATAGRAMS_A_TURN: Final = 8
"""Datagrams of one queue that are answered before others, and all else that the Region does, get their turn."""
MESSAGES_A_TURN: Final = 64
"""Pipelined questions of one TCP connection that are answered before others get their turn."""


@dataclass(frozen=True, slots=True)
class DnsLimits:
    """Bounds of the listeners."""

    rate: RateLimit = field(default_factory=RateLimit)
    lookup_share: float = 0.5
    """The share of the time that looking up what is not kept may take; see dns_answers."""
    connections: int = 256
    connections_per_client: int = 64
    idle_s: float = 10.0
    lifetime_s: float = 300.0


class DnsServer:
    """Serves `names` on one address. Use `start`, then `port`, then `close`."""

    def __init__(
        self,
        names: Names,
        *,
        clock: Clock,
        entropy: Entropy,
        server_id: str = "",
        limits: DnsLimits | None = None,
    ) -> None:
        self._limits = limits or DnsLimits()
        limiter = RateLimiter(self._limits.rate)
        self.responder = Responder(
            names,
            clock=clock,
            entropy=entropy,
            limiter=limiter,
            server_id=server_id.encode(),
            lookup_share=self._limits.lookup_share,
        )
        self._clock = clock
        self._datagrams: list[_Datagrams] = []
        self._server: asyncio.Server | None = None
        self._folder: asyncio.Task[None] | None = None
        self.connections: dict[_Connection, str] = {}
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one. Raises OSError when the address is in use."""
        loop = asyncio.get_running_loop()
        udp, tcp = bind(host, port)
        try:
            for each in udp:
                self._datagrams.append(_Datagrams(each, self.responder))
            self._server = await loop.create_server(lambda: _Connection(self), sock=tcp)
        except BaseException:
            await self.close()
            for each in (*udp, tcp):
                each.close()
            raise
        self.port = int(tcp.getsockname()[1])
        self._folder = loop.create_task(self._fold())

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._folder is not None:
            self._folder.cancel()
            with suppress(asyncio.CancelledError):
                await self._folder
        self.responder.fold()
        for datagrams in self._datagrams:
            datagrams.close()
        self._datagrams.clear()
        if self._server is not None:
            self._server.close()
        for connection in tuple(self.connections):
            connection.end()
        if self._server is not None:
            await self._server.wait_closed()

    def admits(self, address: str) -> bool:
        """Whether one more connection from `address` may stay."""
        if len(self.connections) >= self._limits.connections:
            return False
        return list(self.connections.values()).count(address) < self._limits.connections_per_client

    @property
    def limits(self) -> DnsLimits:
        return self._limits

    async def _fold(self) -> None:
        while True:
            await self._clock.sleep(FOLD_EVERY_S)
            self.responder.fold()


class _Datagrams:
    """One queue of UDP: one packet, at most one answer. What cannot be sent at once is dropped and piles up nowhere."""

    def __init__(self, udp: socket.socket, responder: Responder) -> None:
        self._udp = udp
        self._respond = responder.respond
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(udp, self._read)

    def _read(self) -> None:
        """Answer some of what waits; the event loop comes back for the rest after everybody else's turn."""
        receive, send = self._udp.recvfrom, self._udp.sendto
        try:
            for _ in range(DATAGRAMS_A_TURN):
                data, address = receive(LONGEST_DATAGRAM_BYTES)
                answer = self._respond(data, address[0])
                if answer is not None:
                    send(answer, address)
        except OSError:
            return  # nothing waits, nothing can be sent now, or the client's system refuses it

    def close(self) -> None:
        self._loop.remove_reader(self._udp)
        self._udp.close()


class _Connection(asyncio.Protocol):
    """TCP: messages behind two bytes of length, answered in order."""

    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._buffer = bytearray()
        self._address = ""
        self._transport: asyncio.Transport
        self._idle: asyncio.TimerHandle | None = None
        self._life: asyncio.TimerHandle | None = None
        self._turn: asyncio.Handle | None = None
        self._full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if peer else ""
        if not self._server.admits(self._address):
            self._transport.abort()
            return
        self._server.connections[self] = self._address
        loop = asyncio.get_running_loop()
        self._life = loop.call_later(self._server.limits.lifetime_s, self.end)
        self._rest()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.pop(self, None)
        for waiting in (self._idle, self._life, self._turn):
            if waiting is not None:
                waiting.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._work()

    def _work(self) -> None:
        """Answer whole messages: some at a time, so that others get their turn, and none while answers wait unread.

        Nothing more is read meanwhile, so that neither questions nor answers pile up.
        """
        self._turn = None
        buffer = self._buffer
        at = answered = 0
        while len(buffer) - at >= 2 and answered < MESSAGES_A_TURN and not self._full:
            end = at + 2 + int.from_bytes(buffer[at : at + 2], "big")
            if end > len(buffer):
                break
            answer = self._server.responder.respond(bytes(buffer[at + 2 : end]), self._address, tcp=True)
            if answer is None:
                self.end()
                return
            self._transport.write(len(answer).to_bytes(2, "big") + answer)
            at = end
            answered += 1
        if at:
            del buffer[:at]
            self._rest()
        if answered == MESSAGES_A_TURN and not self._full:
            self._transport.pause_reading()
            self._turn = asyncio.get_running_loop().call_soon(self._work)
        elif not self._full:
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        self._full = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._full = False
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._work)

    @property
    def unread_bytes(self) -> int:
        """Answers that wait for the client to read."""
        return self._transport.get_write_buffer_size()

    def end(self) -> None:
        """Close at once; unsent answers are dropped."""
        self._transport.abort()

    def _rest(self) -> None:
        """Count the idle time from now; only whole messages count as activity."""
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(self._server.limits.idle_s, self.end)
