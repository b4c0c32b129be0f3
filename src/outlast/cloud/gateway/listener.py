"""What all connections of one listening address share: their limits, their number, the bytes that they hold.

Every client gets a bounded share of connections, memory and time. When all places are taken a newcomer gets the place
of a connection that does nothing, so that half-open ones cannot keep others out.
"""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Protocol

from outlast.cloud.effects import Clock
from outlast.cloud.wire import Request, Response


class Later(ABC):
    """An answer that is ready but for something that is on its way, such as a sync."""

    @abstractmethod
    def then(self, reply: Callable[[Response], None]) -> None:
        """Call `reply` once, when the answer may leave; never at once."""


Respond = Callable[[Request, str, bool], Response | Later | Awaitable[Response]]
"""The answer itself where nothing has to be waited for: most requests then cost no task."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection, one client and all of them together may use.

    A request's head must be there after `head_s`; its body must then come at `body_bytes_per_s` or more. An answer that
    the client does not read is dropped with its connection after `write_s`.
    """

    header_bytes: int = 65_536
    headers: int = 200
    body_bytes: int = 72 * 1024 * 1024
    pipelined: int = 16
    connections: int = 4_096
    connections_per_client: int = 2_048
    held_bytes: int = 512 * 1024 * 1024
    held_bytes_per_client: int = 384 * 1024 * 1024
    idle_s: float = 75.0
    head_s: float = 20.0
    body_bytes_per_s: int = 4_096
    write_s: float = 60.0


class Client(Protocol):
    """A connection as the listener sees it."""

    peer: str

    @property
    def busy(self) -> bool: ...
    @property
    def resting(self) -> bool: ...
    def expire(self, now: float) -> None: ...
    def abort(self) -> None: ...


@dataclass(slots=True)
class Listener:
    """What all connections of one listening address share."""

    respond: Respond
    clock: Clock
    context: Callable[[], ssl.SSLContext | None]
    plain_allowed: bool = True
    limits: Limits = field(default_factory=Limits)
    open: dict[Client, None] = field(default_factory=dict)
    """The connections, the one that came first first."""
    running: int = 0
    """Requests that are being answered, also those whose client has gone."""
    _by_client: Counter[str] = field(default_factory=Counter)
    _held: Counter[str] = field(default_factory=Counter)
    _held_bytes: int = 0
    _most_held_bytes: int = 0
    _date: tuple[int, bytes] = (0, b"")

    def admit(self, one: Client) -> bool:
        """Count the connection in; False when there is no place for it, nor a resting one to make room."""
        limits = self.limits
        if self._by_client[one.peer] >= limits.connections_per_client and not self._make_room(one.peer):
            return False
        if len(self.open) >= limits.connections and not self._make_room(""):
            return False
        self.open[one] = None
        self._by_client[one.peer] += 1
        return True

    def _make_room(self, peer: str) -> bool:
        """End the oldest connection that does nothing (of this client, if one is named)."""
        for other in self.open:
            if other.resting and peer in ("", other.peer):
                self.leave(other)
                other.abort()
                return True
        return False

    def leave(self, one: Client) -> None:
        """The connection is over."""
        if self.open.pop(one, self) is None:
            self._by_client[one.peer] -= 1
            if not self._by_client[one.peer]:
                del self._by_client[one.peer]

    def hold(self, peer: str, size: int) -> bool:
        """Count the bytes of a large body in; False when the client, or all together, would hold too many."""
        limits = self.limits
        if self._held_bytes + size > limits.held_bytes or self._held[peer] + size > limits.held_bytes_per_client:
            return False
        self._held[peer] += size
        self._held_bytes += size
        self._most_held_bytes = max(self._most_held_bytes, self._held_bytes)
        return True

    def release(self, peer: str, size: int) -> None:
        """The other end of `hold`."""
        self._held_bytes -= size
        self._held[peer] -= size
        if not self._held[peer]:
            del self._held[peer]

    def date(self) -> bytes:
        """The Date header and the end of the head, made once a second."""
        now = self.clock.now_ms() // 1000
        if self._date[0] != now:
            self._date = (now, b"Date: %s\r\n\r\n" % formatdate(now, usegmt=True).encode())
        return self._date[1]

    def sweep(self) -> int:
        """Close connections that have been idle, or slow to send or to read, for too long.

        Returns how many bytes of large bodies have been let go of since they were most.
        """
        now = self.clock.monotonic_s()
        for one in tuple(self.open):
            one.expire(now)
        let_go = self._most_held_bytes - self._held_bytes
        self._most_held_bytes = self._held_bytes
        return let_go

    async def close(self, grace_s: float = 2.0) -> None:
        """Let running requests finish for `grace_s`, then close every connection."""
        deadline = self.clock.monotonic_s() + grace_s
        while self.running and self.clock.monotonic_s() < deadline:
            await self.clock.sleep(0.02)
        for one in tuple(self.open):
            one.abort()
