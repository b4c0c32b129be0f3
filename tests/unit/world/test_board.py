"""The fault board: what it refuses, what it does, and that faults end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from outlast.cloud.contract import FaultSpec
from outlast.cloud.effects import RealClock, RealEntropy
from outlast.cloud.world import catalogue
from outlast.cloud.world.board import Board, Scopes, scopes_of
from outlast.cloud.world.config import Settings
from outlast.cloud.world.faultwire import read_fault, read_shape, shapes_of, write_fault, write_shape

A, B, C = "us-east-1", "us-west-2", "eu-west-1"


class Hands:
    """Remembers what the board did."""

    def __init__(self) -> None:
        self.done: list[Any] = []

    async def kill_region(self, name: str) -> None:
        self.done.append(("kill", name))

    async def start_region(self, name: str) -> None:
        self.done.append(("start", name))

    def destroy_disk(self, name: str) -> None:
        self.done.append(("destroy", name))

    async def push_faults(self) -> None:
        self.done.append("push")


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def board(hands: Hands) -> Board:
    scopes = Scopes(
        {
            "dynamodb": frozenset({"GetItem", "CreateTable"}),
            "sts": frozenset({"AssumeRole"}),
            "execute-api": frozenset(),
        },
        frozenset({"dynamodb"}),
    )
    return Board(hands, (A, B, C), RealClock(), RealEntropy(), scopes)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (FaultSpec("region-lost", (A,)), "no fault of the kind"),  # type: ignore[arg-type]
        (FaultSpec("region-killed", ("mars-1",)), "no Region mars-1"),
        (FaultSpec("region-killed", ()), "needs a Region"),
        (FaultSpec("link-cut", (A,)), "two Regions"),
        (FaultSpec("link-cut", (A, A)), "two Regions"),
        (FaultSpec("disk-full", (A,), duration_s=0), "duration"),
        (FaultSpec("disk-full", (A,), duration_s=1e9), "duration"),
        (FaultSpec("disk-full", (A,), parameters={"share": 1}), "no parameter share"),
        (FaultSpec("dns-empty", (A,), parameters={"names": ('["orders.example"]',)}), "must be domain names"),
        (FaultSpec("dns-empty", (A,), parameters={"names": ("orders.example", "a b")}), "not 'a b'"),
        (FaultSpec("dns-empty", (A,), parameters={"names": ()}), "must be domain names"),
        (FaultSpec("disk-full", (A,), services=("dynamodb",)), "cannot be limited"),
        (FaultSpec("service-errors", (A,), parameters={"share": 2}), "between 0 and 1"),
        (FaultSpec("service-errors", (A,), parameters={"status": 99}), "status must be between 400 and 599"),
        (FaultSpec("gray-failure", (A,), parameters={"delay_ms": -1}), "delay_ms must be between"),
        (FaultSpec("gray-failure", (A,), parameters={"delay_ms": float("nan")}), "delay_ms must be between"),
        (FaultSpec("clock-skew", (A,), parameters={"skew_ms": float("inf")}), "skew_ms must be between"),
        (FaultSpec("link-slow", (A, B)), "link-slow needs bytes_per_s or delay_ms or jitter_ms or loss that is not 0"),
        (FaultSpec("link-slow", (A, B), parameters={"bytes_per_s": 0, "loss": 0.0}), "nothing would happen"),
        (FaultSpec("clock-skew", (A,)), "clock-skew needs skew_ms"),
        (FaultSpec("disk-slow", (A,), parameters={"delay_ms": 0}), "disk-slow needs delay_ms"),
        (FaultSpec("service-errors", (A,), services=("dynamo",)), "no service dynamo here"),
        (FaultSpec("service-errors", (A,), services=("dynamodb",), operations=("AssumeRole",)), "operation AssumeRole"),
        (FaultSpec("service-errors", (A,), operations=("GetItm",)), "operation GetItm"),
        (FaultSpec("service-errors", (A,), services=("execute-api",), operations=("GetItem",)), "operation GetItem"),
        (FaultSpec("control-plane-lost", (A,), services=("sts",)), "sts has no control plane"),
    ],
)
async def test_what_could_not_be_done_is_refused(board: Board, hands: Hands, spec: FaultSpec, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        await board.start(spec, "test")
    assert hands.done == []
    assert board.active() == []


async def test_a_killed_region_comes_back_when_the_fault_ends(board: Board, hands: Hands) -> None:
    fault = await board.start(FaultSpec("region-destroyed", (A,)), "test")
    assert hands.done == [("kill", A), ("destroy", A), "push"]
    ended = await board.end(fault.id)
    assert ended.ended_ms is not None
    assert hands.done[3:] == [("start", A), "push"]
    with pytest.raises(KeyError):
        await board.end(fault.id)


async def test_a_region_under_two_deadly_faults_stays_dead_until_both_end(board: Board, hands: Hands) -> None:
    one = await board.start(FaultSpec("region-killed", (A,)), "test")
    two = await board.start(FaultSpec("region-killed", (A, B)), "test")
    hands.done.clear()
    await board.end(two.id)
    assert ("start", B) in hands.done
    assert ("start", A) not in hands.done
    await board.end(one.id)
    assert ("start", A) in hands.done


async def test_a_fault_ends_by_itself(board: Board, hands: Hands) -> None:
    await board.start(FaultSpec("gray-failure", (A,), duration_s=0.05), "test")
    assert len(board.active()) == 1
    while board.active():
        await asyncio.sleep(0.01)
    (ended,) = await board.list()
    assert ended.ended_ms is not None
    assert ended.ended_ms >= ended.ends_ms


async def test_faults_and_shapes_survive_their_messages(board: Board) -> None:
    fault = await board.start(
        FaultSpec("link-slow", (A, B), parameters={"delay_ms": 50, "jitter_ms": 10, "loss": 0.5}), "me"
    )
    assert read_fault(write_fault(fault)) == fault
    shapes = shapes_of(A, (B, C), Settings(), [fault])
    assert shapes[B].delay_ms == (50, 60)
    assert shapes[B].loss == 0.5
    assert shapes[C].delay_ms == (0, 0)
    assert shapes_of(B, (A,), Settings(), [fault])[A].delay_ms == (0, 0)
    assert read_shape(write_shape(shapes[B])) == shapes[B]


async def test_isolation_cuts_both_ways_and_a_link_cut_one_way(board: Board) -> None:
    isolated = await board.start(FaultSpec("region-isolated", (A,)), "me")
    assert shapes_of(A, (B,), Settings(), [isolated])[B].cut
    assert shapes_of(B, (A, C), Settings(), [isolated])[A].cut
    assert not shapes_of(B, (A, C), Settings(), [isolated])[C].cut
    cut = await board.start(FaultSpec("link-cut", (A, B)), "me")
    assert shapes_of(A, (B,), Settings(), [cut])[B].cut
    assert not shapes_of(B, (A,), Settings(), [cut])[A].cut
    paused = await board.start(FaultSpec("replication-paused", (A, B)), "me")
    assert shapes_of(A, (B,), Settings(), [paused])[B].paused == {"replication"}


def test_the_scopes_are_those_of_the_catalogue() -> None:
    scopes = scopes_of(catalogue.services())
    assert {"dynamodb", "sts", "execute-api", "route53-recovery-cluster"} <= set(scopes.operations)
    assert "GetItem" in scopes.operations["dynamodb"]
    assert scopes.operations["execute-api"] == frozenset()
    assert {"dynamodb", "route53", "iam"} <= scopes.controlled
    assert not {"sts", "execute-api", "route53-recovery-cluster"} & scopes.controlled
