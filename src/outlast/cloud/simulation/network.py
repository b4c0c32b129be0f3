"""The network's twin: links with delay, loss and cuts, between Regions that live on one virtual loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from outlast.cloud.effects import Entropy, LinkDown, Unanswered
from outlast.cloud.effects.network import Handler

Trace = Callable[[str], None]


@dataclass(slots=True)
class Link:
    """One direction between two Regions. Messages overtake one another within the range of delays."""

    min_delay_s: float = 0.0
    max_delay_s: float = 0.0
    loss: float = 0.0
    cut: bool = False


class SimulatedNet:
    """All the links of a simulated world."""

    def __init__(self, regions: tuple[str, ...], entropy: Entropy, trace: Trace | None = None) -> None:
        self.regions = regions
        self.entropy = entropy
        self.trace: Trace = trace or (lambda line: None)
        self.links = {(a, b): Link() for a in regions for b in regions if a != b}
        self.ends: dict[str, SimulatedNetwork] = {}
        self.errors: list[Exception] = []

    def join(self, region: str) -> SimulatedNetwork:
        """A new end for a Region that starts; the end it had before is gone."""
        self.leave(region)
        self.ends[region] = SimulatedNetwork(self, region)
        return self.ends[region]

    def leave(self, region: str) -> None:
        """The Region's process dies."""
        end = self.ends.pop(region, None)
        if end is not None:
            end.close()

    def cut(self, one: str, other: str, both: bool = True) -> None:
        """Let nothing through from `one` to `other` (and back, when `both`)."""
        self.links[one, other].cut = True
        if both:
            self.links[other, one].cut = True

    def heal(self, one: str, other: str) -> None:
        """Let messages through again, both ways."""
        self.links[one, other].cut = self.links[other, one].cut = False

    def heal_all(self) -> None:
        """Every link as good as new."""
        for link in self.links.values():
            link.cut, link.loss = False, 0.0

    def passes(self, one: str, other: str) -> float | None:
        """The delay in seconds of the next message on a link; None when it is lost."""
        link = self.links[one, other]
        if link.cut or (link.loss and self.entropy.uniform() < link.loss):
            return None
        return link.min_delay_s + (link.max_delay_s - link.min_delay_s) * self.entropy.uniform()


class SimulatedNetwork:
    """One Region's end."""

    def __init__(self, net: SimulatedNet, region: str) -> None:
        self._net = net
        self._handlers: dict[str, Handler] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.region = region
        self.peers = tuple(each for each in net.regions if each != region)

    async def ask(self, peer: str, channel: str, message: bytes, timeout_s: float = 5.0) -> bytes:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._spawn(self._carry(peer, channel, message, answer))
        try:
            return await asyncio.wait_for(answer, timeout_s)
        except TimeoutError:
            raise Unanswered(f"no answer from {peer} within {timeout_s} s") from None

    async def tell(self, peer: str, channel: str, message: bytes, timeout_s: float = 5.0) -> None:
        self._spawn(self._carry(peer, channel, message, asyncio.get_running_loop().create_future()))

    def serve(self, channel: str, handler: Handler) -> None:
        self._handlers[channel] = handler

    def close(self) -> None:
        """Drop everything under way that this end handles."""
        for task in tuple(self._tasks):
            task.cancel()
        self._handlers.clear()

    async def _carry(self, peer: str, channel: str, message: bytes, answer: asyncio.Future[bytes]) -> None:
        """There, through the handler, and back; a lost message leaves `answer` pending."""
        net = self._net
        delay_s = net.passes(self.region, peer)
        net.trace(f"{self.region}>{peer} {channel} {len(message)} {delay_s}")
        if delay_s is None:
            return
        await asyncio.sleep(delay_s)
        other = net.ends.get(peer)
        handler = other._handlers.get(channel) if other is not None else None
        if other is None or handler is None or net.links[self.region, peer].cut:
            return
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        other._spawn(_handle(handler, self.region, message, reply, net.errors))
        try:
            result = await reply
        except (LinkDown, asyncio.CancelledError):
            return
        delay_s = net.passes(peer, self.region)
        net.trace(f"{peer}<{self.region} {channel} {len(result)} {delay_s}")
        if delay_s is None:
            return
        await asyncio.sleep(delay_s)
        if not answer.done() and not net.links[peer, self.region].cut:
            answer.set_result(result)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _handle(
    handler: Handler, peer: str, message: bytes, reply: asyncio.Future[bytes], errors: list[Exception]
) -> None:
    try:
        result = await handler(peer, message)
    except asyncio.CancelledError:
        reply.cancel()
        raise
    except Exception as error:
        errors.append(error)
        if not reply.done():
            reply.set_exception(LinkDown(f"{type(error).__name__}: {error}"))
    else:
        if not reply.done():
            reply.set_result(result)
