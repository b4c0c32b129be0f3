"""The door between Regions: messages over links that can be delayed, cut and healed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

Handler = Callable[[str, bytes], Awaitable[bytes]]


class LinkDown(Exception):
    """The link is cut, the peer is gone, or no answer came in time; the message may or may not have arrived."""


class Unanswered(LinkDown):
    """The message has left and no answer came in time: it was lost, or the answer was, or the peer is slow."""


class PeerGone(LinkDown):
    """Nothing listens at the peer's address: it does not run, and the message did not arrive."""


class CannotTake(Exception):
    """Raised by a handler that can do nothing with messages for now, for a reason that is told elsewhere."""


class Network(Protocol):
    """One Region's links to its peers. Regions share nothing else."""

    @property
    def region(self) -> str:
        """The Region this end belongs to."""
        ...

    @property
    def peers(self) -> tuple[str, ...]:
        """Every other Region of the world, reachable or not."""
        ...

    async def ask(self, peer: str, channel: str, message: bytes, timeout_s: float = 5.0) -> bytes:
        """Send `message` and return the peer's answer; raises LinkDown, or Unanswered when it has left.

        Messages of one channel leave in order.
        """
        ...

    async def tell(self, peer: str, channel: str, message: bytes, timeout_s: float = 5.0) -> None:
        """Send `message`, which nobody answers, and return when it has left or was lost; raises LinkDown."""
        ...

    def serve(self, channel: str, handler: Handler) -> None:
        """Answer messages of `channel` with `handler(peer, message)`; one that raises leaves the peer with LinkDown."""
        ...
