"""Links between Regions: authenticated, ordered, slow, cut, paused."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from outlast.cloud.effects import LinkDown, PeerGone, RealClock, RealEntropy, Unanswered
from outlast.cloud.effects.links import RealNetwork, Shape
from outlast.cloud.world.authority import Authority, client_context, server_context


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def network(name: str, addresses: dict[str, tuple[str, int]], authority: Authority, folder: Path) -> RealNetwork:
    pair = authority.issue((name,), dt.datetime.now(dt.UTC), common_name=name)
    ours = authority.pair.certificate_pem
    return RealNetwork(
        name,
        addresses,
        server_context(pair, folder, clients_of=ours),
        client_context(pair, folder, ours),
        RealClock(),
        RealEntropy(),
    )


class Pair:
    """Two Regions, `a` and `b`, that echo what they are asked."""

    def __init__(self, a: RealNetwork, b: RealNetwork) -> None:
        self.a, self.b = a, b
        self.heard: list[tuple[str, bytes]] = []

        async def hear(peer: str, message: bytes) -> bytes:
            self.heard.append((peer, message))
            return b"re:" + message

        a.serve("echo", hear)
        b.serve("echo", hear)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    authority = Authority.create("test", dt.datetime.now(dt.UTC))
    addresses = {"a": ("127.0.0.1", free_port()), "b": ("127.0.0.1", free_port())}
    made = Pair(network("a", addresses, authority, tmp_path), network("b", addresses, authority, tmp_path))
    await made.a.start()
    await made.b.start()
    yield made
    await made.a.close()
    await made.b.close()


async def test_an_ask_is_answered_and_the_peer_is_known_by_its_certificate(pair: Pair) -> None:
    assert await pair.a.ask("b", "echo", b"hello") == b"re:hello"
    assert await pair.b.ask("a", "echo", b"x" * 1_000_000) == b"re:" + b"x" * 1_000_000
    assert [peer for peer, _ in pair.heard] == ["a", "b"]


async def test_messages_of_a_channel_arrive_in_order_however_delays_vary(pair: Pair) -> None:
    pair.a.outgoing["b"] = Shape(delay_ms=(0, 30))
    await asyncio.gather(*(pair.a.ask("b", "echo", str(number).encode()) for number in range(30)))
    assert [int(message) for _peer, message in pair.heard] == list(range(30))


async def test_a_delay_is_added_each_way(pair: Pair) -> None:
    clock = RealClock()
    await pair.a.ask("b", "echo", b"warm")
    pair.a.outgoing["b"] = Shape(delay_ms=(80, 80))
    pair.b.outgoing["a"] = Shape(delay_ms=(40, 40))
    began = clock.monotonic_s()
    await pair.a.ask("b", "echo", b"slow")
    assert clock.monotonic_s() - began >= 0.115


async def test_a_cut_in_one_direction_stops_just_that_direction(pair: Pair) -> None:
    pair.a.outgoing["b"] = Shape(cut=True)
    with pytest.raises(LinkDown):
        await pair.a.ask("b", "echo", b"lost", timeout_s=0.1)
    assert pair.heard == []
    with pytest.raises(LinkDown):
        await pair.b.ask("a", "echo", b"heard but not answered", timeout_s=2.0)
    assert [message for _peer, message in pair.heard] == [b"heard but not answered"]
    pair.a.outgoing["b"] = Shape()
    assert await pair.a.ask("b", "echo", b"healed") == b"re:healed"


async def test_a_paused_channel_leaves_the_others_alone(pair: Pair) -> None:
    async def reply(_peer: str, message: bytes) -> bytes:
        return message

    pair.b.serve("replication", reply)
    pair.a.outgoing["b"] = Shape(paused=frozenset({"replication"}))
    with pytest.raises(LinkDown):
        await pair.a.ask("b", "replication", b"x", timeout_s=0.1)
    assert await pair.a.ask("b", "echo", b"x") == b"re:x"


async def test_a_lossy_link_loses_and_a_lossless_one_does_not(pair: Pair) -> None:
    pair.a.outgoing["b"] = Shape(loss=1.0)
    with pytest.raises(LinkDown):
        await pair.a.ask("b", "echo", b"x", timeout_s=0.1)
    assert pair.heard == []


async def test_a_link_loses_the_share_that_it_is_told_to(pair: Pair) -> None:
    async def lost() -> bool:
        try:
            await pair.a.ask("b", "echo", b"x", timeout_s=2.0)
        except LinkDown:
            return True
        return False

    pair.a.outgoing["b"] = Shape(loss=0.5)
    failed = sum(await asyncio.gather(*(lost() for _ in range(200))))
    assert 60 <= failed <= 140
    assert len(pair.heard) == 200 - failed, "what was lost was not heard, what was not lost was"


async def test_jitter_spreads_delays_over_its_range(pair: Pair) -> None:
    clock = RealClock()
    await pair.a.ask("b", "echo", b"warm")
    pair.a.outgoing["b"] = Shape(delay_ms=(10, 150))
    took_s = []
    for _ in range(12):
        began_s = clock.monotonic_s()
        await pair.a.ask("b", "echo", b"x")
        took_s.append(clock.monotonic_s() - began_s)
    assert min(took_s) >= 0.01
    assert max(took_s) >= 0.08, "twelve delays of 10 to 150 ms are not all below 80"


async def test_bandwidth_is_shared_by_all_messages_and_channels(pair: Pair) -> None:
    async def reply(_peer: str, _message: bytes) -> bytes:
        return b""

    pair.b.serve("bulk", reply)
    await pair.a.ask("b", "echo", b"warm")
    pair.a.outgoing["b"] = Shape(bytes_per_s=100_000)
    clock = RealClock()
    began_s = clock.monotonic_s()
    asks = [pair.a.ask("b", channel, bytes(5_000)) for channel in ("echo", "bulk") for _ in range(4)]
    await asyncio.gather(*asks)
    assert clock.monotonic_s() - began_s >= 0.4, "40 KB at 100 KB a second"


async def test_a_link_that_is_fast_again_holds_nothing_up(pair: Pair) -> None:
    pair.a.outgoing["b"] = Shape(bytes_per_s=10)
    asked = asyncio.create_task(pair.a.ask("b", "echo", bytes(10_000), timeout_s=30.0))
    await asyncio.sleep(0.05)
    assert not asked.done()
    pair.a.outgoing["b"] = Shape()
    assert await asked == b"re:" + bytes(10_000), "it would have taken a thousand seconds"


async def test_what_a_slow_link_held_up_leaves_once_the_link_is_fast_again(pair: Pair) -> None:
    pair.a.outgoing["b"] = Shape(delay_ms=(500_000, 500_000), channel_delay_ms={"echo": (500_000, 500_000)})
    held = [asyncio.create_task(pair.a.ask("b", "echo", text, timeout_s=400)) for text in (b"first", b"second")]
    await asyncio.sleep(0.3)
    assert pair.heard == []
    pair.a.outgoing["b"] = Shape()
    held.append(asyncio.create_task(pair.a.ask("b", "echo", b"third", timeout_s=400)))
    assert await asyncio.wait_for(asyncio.gather(*held), 100) == [b"re:first", b"re:second", b"re:third"]
    assert [message for _peer, message in pair.heard] == [b"first", b"second", b"third"]


async def test_an_ask_that_was_given_up_takes_no_bandwidth(pair: Pair) -> None:
    await pair.a.ask("b", "echo", b"warm")
    pair.a.outgoing["b"] = Shape(bytes_per_s=50_000)
    asks = [pair.a.ask("b", "echo", bytes(25_000), timeout_s=0.1) for _ in range(20)]
    assert all(isinstance(each, LinkDown) for each in await asyncio.gather(*asks, return_exceptions=True))
    assert await pair.a.ask("b", "echo", b"next", timeout_s=5.0) == b"re:next"


async def test_a_dead_peer_is_known_at_once_and_found_again(pair: Pair, tmp_path: Path) -> None:
    assert await pair.a.ask("b", "echo", b"1") == b"re:1"
    await pair.b.close()
    with pytest.raises(LinkDown):
        await pair.a.ask("b", "echo", b"2", timeout_s=2.0)


async def test_a_stranger_is_not_heard(pair: Pair, tmp_path: Path) -> None:
    other = Authority.create("stranger", dt.datetime.now(dt.UTC))
    addresses = {"a": ("127.0.0.1", free_port()), "b": pair.a._addresses["b"]}
    stranger = network("a", addresses, other, tmp_path)
    with pytest.raises(LinkDown):
        await stranger.ask("b", "echo", b"let me in", timeout_s=1.0)
    assert pair.heard == []
    await stranger.close()


async def test_no_handler_and_failing_handlers_are_told_to_the_asker(pair: Pair) -> None:
    with pytest.raises(LinkDown, match="serves no nothing"):
        await pair.a.ask("b", "nothing", b"x")


async def test_a_peer_that_does_not_run_is_told_from_one_that_is_cut_off(pair: Pair) -> None:
    pair.a.outgoing["b"] = Shape(cut=True)
    with pytest.raises(LinkDown) as cut:
        await pair.a.ask("b", "echo", b"x", 0.2)
    assert not isinstance(cut.value, PeerGone)
    pair.a.outgoing["b"] = Shape()
    assert await pair.a.ask("b", "echo", b"x") == b"re:x"
    await pair.b.close()
    found = []
    for _ in range(3):  # the first may still go out on the connection of before
        with pytest.raises(LinkDown) as caught:
            await pair.a.ask("b", "echo", b"x", 1.0)
        found.append(caught.value)
    assert isinstance(found[-1], PeerGone)


async def test_what_is_told_arrives_though_no_answer_could(pair: Pair) -> None:
    pair.b.outgoing["a"] = Shape(cut=True)
    await pair.a.tell("b", "echo", b"told")
    with pytest.raises(Unanswered):
        await pair.a.ask("b", "echo", b"asked", timeout_s=2.0)
    assert [message for _peer, message in pair.heard] == [b"told", b"asked"]


async def test_a_message_that_did_not_leave_in_time_is_not_called_unanswered(pair: Pair) -> None:
    pair.a.outgoing["b"] = Shape(bytes_per_s=100)
    for send in (pair.a.ask, pair.a.tell):
        with pytest.raises(LinkDown) as caught:
            await send("b", "echo", b"x" * 1000, 0.1)
        assert type(caught.value) is LinkDown
    pair.a.outgoing["b"] = Shape()
    assert await pair.a.ask("b", "echo", b"y") == b"re:y"


async def test_nothing_is_told_on_a_paused_channel(pair: Pair) -> None:
    pair.a.outgoing["b"] = Shape(paused=frozenset({"echo"}))
    await pair.a.tell("b", "echo", b"held back")
    pair.a.outgoing["b"] = Shape()
    await pair.a.ask("b", "echo", b"x")
    assert [message for _peer, message in pair.heard] == [b"x"]
