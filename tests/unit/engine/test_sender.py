"""The sender's wake-ups: none is lost, whatever happens while it gathers."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from outlast.cloud.effects import LinkDown, RealClock
from outlast.cloud.engine.messages import HELLO, pack, unpack
from outlast.cloud.engine.sender import Sender

PEER = "us-west-2"


class Home:
    """What a sender needs of replication: no streams, a peer that answers greetings and loses batches."""

    def __init__(self) -> None:
        self.closing = False
        self.identity = b"ours"
        self.greeted = asyncio.Event()
        network = SimpleNamespace(ask=self.ask)
        self.heartbeats = SimpleNamespace(answered=lambda _peer: None)
        self.engine = SimpleNamespace(effects=SimpleNamespace(clock=RealClock(), network=network))

    async def ask(self, _peer: str, _channel: str, message: bytes, _timeout_s: float) -> bytes:
        if unpack(message)[0] != HELLO:
            raise LinkDown("lost")
        self.greeted.set()
        return pack([b"theirs"])

    def meet(self, _peer: str, _identity: bytes) -> None:
        return None

    def streams_to(self, _peer: str) -> list[Any]:
        return []


async def test_a_batch_lost_while_the_next_is_gathered_is_greeted_for_again() -> None:
    home = Home()
    sender = Sender(cast(Any, home), PEER)
    running = asyncio.create_task(sender.run())
    try:
        sender.wake()
        await asyncio.wait_for(home.greeted.wait(), 10)
        home.greeted.clear()
        sender._sent_s = home.engine.effects.clock.monotonic_s() + 0.1  # a batch has just been sent
        sender.wake()
        await asyncio.sleep(0.02)  # it gathers now
        await sender._send([], b"a batch")
        await asyncio.wait_for(home.greeted.wait(), 10)
    finally:
        running.cancel()
