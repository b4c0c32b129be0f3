"""Which addresses a checker asks."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any

import pytest

from outlast.cloud.contract.names import Answer, Draw, Rcode, Record, RecordType
from outlast.cloud.services.route53.checking import Checkers
from outlast.cloud.services.route53.health import Board, Outcome, View
from outlast.cloud.services.route53.model import Check
from outlast.cloud.simulation.clock import SimulatedClock
from outlast.cloud.simulation.entropy import SimulatedEntropy
from outlast.cloud.simulation.loop import simulate

HERE = "us-east-1"
NAMED = {"Type": "HTTP", "FullyQualifiedDomainName": "x.example.com", "RequestInterval": 30, "FailureThreshold": 1}


@pytest.mark.parametrize(
    ("address", "is_asked"),
    [
        ("127.0.0.1", True),
        ("10.0.0.1", True),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("255.255.255.255", False),
    ],
)
def test_a_name_of_an_address_that_may_not_be_checked_is_unhealthy(address: str, is_asked: bool) -> None:
    asked: list[str] = []
    seen: list[View] = []

    async def watch() -> None:
        clock = SimulatedClock()

        async def probe(_check: Check, where: str, _port: int) -> Outcome:
            asked.append(where)
            return Outcome(True, "Success", clock.now_ms())

        board = Board(HERE, (HERE,))
        board.put(Check("c", "r", 1, NAMED))
        record = Record(b"\x01x\x07example\x03com\x00", RecordType.A, 60, ip_address(address).packed)
        region = SimpleNamespace(
            name=HERE,
            names=(HERE,),
            clock=clock,
            entropy=SimulatedEntropy(1),
            settings={},
            addresses=SimpleNamespace(hosts={HERE: "127.0.0.2"}, ports={HERE: 8443}),
        )
        state: Any = SimpleNamespace(
            region=region,
            board=board,
            prober=SimpleNamespace(probe=probe),
            conclude=lambda: None,
            plane=SimpleNamespace(lookup=lambda _question: Draw.one(Answer(Rcode.NOERROR, (record,)))),
        )
        gossip: Any = SimpleNamespace(saw=lambda _check_id, view: seen.append(view))
        checkers = Checkers(state, gossip)
        while not seen:
            await clock.sleep(checkers.start_due())
        await checkers.stop()

    simulate(asyncio.wait_for(watch(), 100))
    assert asked == [address] * is_asked
    assert seen[0].healthy is is_asked
    if not is_asked:
        assert seen[0].last.reason == f"Failure: The IP address {address} is nonroutable or multicast"
