"""Which faults the provider tells of, when, and in which words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from outlast.cloud.contract import (
    ActiveFault,
    Addresses,
    Call,
    FaultSpec,
    Meter,
    Principal,
    Region,
    ValidationException,
)
from outlast.cloud.effects import Effects, RealDisk, RealEntropy
from outlast.cloud.effects.network import Handler, LinkDown
from outlast.cloud.engine import Engine
from outlast.cloud.services.health.errors import InvalidPaginationToken, UnsupportedLocale
from outlast.cloud.services.health.model import events_of
from outlast.cloud.services.health.operations import (
    describe_event_aggregates,
    describe_event_details,
    describe_event_types,
    describe_events,
)
from outlast.cloud.services.health.state import Events
from outlast.cloud.services.health.timers import tell

START_MS = 1_700_000_000_000
ARN = re.compile(r"arn:aws:health:[^:]*:[^:]*:event(?:/[\w-]+){3}\Z")
ROOT = Principal(kind="root", arn="arn:aws:iam::111122223333:root", account_id="111122223333")


def fault(kind: Any = "gray-failure", *regions: str, services: tuple[str, ...] = (), ident: str = "1a") -> ActiveFault:
    spec = FaultSpec(kind=kind, regions=regions or ("us-east-1",), services=services)
    return ActiveFault(f"fault-{ident}", spec, START_MS, START_MS + 600_000)


@pytest.mark.parametrize(
    ("given", "service", "words"),
    [
        (fault("gray-failure"), "MULTIPLE_SERVICES", "increased error rates and latencies"),
        (fault("service-errors", services=("dynamodb",)), "DYNAMODB", "increased error rates"),
        (fault("service-errors", services=("dynamodb", "lambda")), "MULTIPLE_SERVICES", "increased error rates"),
        (fault("region-killed"), "MULTIPLE_SERVICES", "a loss of power"),
        (fault("region-isolated"), "INTERNETCONNECTIVITY", "connectivity issues"),
        (fault("dns-empty"), "ROUTE53", "DNS resolution failures"),
        (fault("replication-paused", "us-east-1", "us-west-2"), "DYNAMODB", "replication latencies"),
    ],
)
def test_a_fault_of_a_region_is_told(given: ActiveFault, service: str, words: str) -> None:
    (event,) = events_of(given, START_MS + 30_000, 30_000)
    assert (event.service, event.region, event.status) == (service, "us-east-1", "open")
    assert event.code == f"AWS_{service}_OPERATIONAL_ISSUE"
    assert words in event.description()
    assert ARN.match(event.arn)


@pytest.mark.parametrize(
    "kind",
    ["link-cut", "link-slow", "clock-skew", "disk-full", "disk-slow", "certificate-expired", "certificate-wrong"],
)
def test_others_are_not(kind: str) -> None:
    assert list(events_of(fault(kind, "us-east-1", "us-west-2"), START_MS + 60_000, 30_000)) == []


def test_nothing_is_told_before_its_time_nor_of_what_was_over_sooner() -> None:
    assert list(events_of(fault(), START_MS + 29_999, 30_000)) == []
    short = replace(fault(), ended_ms=START_MS + 10_000)
    assert list(events_of(short, START_MS + 60_000, 30_000)) == []
    (closed,) = events_of(replace(fault(), ended_ms=START_MS + 40_000), START_MS + 60_000, 30_000)
    assert closed.status == "closed"
    assert "The issue has been resolved" in closed.description()


class Alone:
    """A network without peers."""

    region = "us-east-1"
    peers: tuple[str, ...] = ()

    async def ask(self, peer: str, channel: str, message: bytes, timeout_s: float = 5.0) -> bytes:
        raise LinkDown(peer)

    def serve(self, channel: str, handler: Handler) -> None:
        return None


class Clock:
    """Time that a test sets."""

    def __init__(self) -> None:
        self.time_ms = START_MS

    def now_ms(self) -> int:
        return self.time_ms

    def now_s(self) -> float:
        return self.time_ms / 1000

    def monotonic_s(self) -> float:
        return self.time_ms / 1000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Board:
    """A board that a test fills."""

    def __init__(self) -> None:
        self.faults: list[ActiveFault] = []

    async def list(self) -> Sequence[ActiveFault]:
        return self.faults


async def region_in(folder: Path, name: str, board: Board, clock: Clock) -> Region:
    effects = Effects(clock, RealEntropy(), RealDisk(), Alone())
    engine = await Engine.open(folder, region=name, key=bytes(32), effects=effects)
    return Region(
        name=name, account_id="111122223333", names=("us-east-1", "us-west-2", "eu-west-1"), effects=effects,
        engine=engine, meter=Meter(), addresses=Addresses({}, {}, {}, "", ""), secret=bytes(32),
        settings={"health_event_delay_s": 10.0}, capabilities={"board": board},
    )  # fmt: skip


def call_of(region: Region, state: Events) -> Call[Events]:
    return Call(state=state, region=region, principal=ROOT, request_id="r", now_ms=0, service="health", operation="")


async def test_events_open_close_and_are_found(tmp_path: Path) -> None:
    board, clock = Board(), Clock()
    region = await region_in(tmp_path / "a", "us-east-1", board, clock)
    state = Events.open(region)
    call = call_of(region, state)
    board.faults = [fault("gray-failure", "us-east-1", "us-west-2"), fault("dns-empty", "eu-west-1", ident="2b")]
    await tell(state)
    assert describe_events(call)["events"] == []
    clock.time_ms += 10_000
    await tell(state)
    assert len(describe_events(call)["events"]) == 3
    chosen = {"regions": ["us-east-1"], "eventStatusCodes": ["open"], "eventTypeCategories": ["issue"]}
    (event,) = describe_events(call, filter=chosen)["events"]
    assert event["eventTypeCode"] == "AWS_MULTIPLE_SERVICES_OPERATIONAL_ISSUE"
    board.faults[0] = replace(board.faults[0], ended_ms=clock.time_ms + 5_000)
    clock.time_ms += 6_000
    await tell(state)
    assert describe_events(call, filter=chosen)["events"] == []
    (event,) = describe_events(call, filter={"regions": ["us-east-1"]})["events"]
    assert (event["statusCode"], event["endTime"]) == ("closed", (START_MS + 15_000) / 1000)
    details = describe_event_details(call, event_arns=[event["arn"], event["arn"] + "x"])
    assert "resolved" in details["successfulSet"][0]["eventDescription"]["latestDescription"]
    assert details["failedSet"][0]["errorName"] == "InvalidEvent"
    window = {"startTimes": [{"from": START_MS / 1000 + 1}]}
    assert describe_events(call, filter=window)["events"] == []
    assert describe_event_aggregates(call, aggregate_field="eventTypeCategory")["eventAggregates"] == [
        {"aggregateValue": "issue", "count": 3}
    ]
    first = describe_events(call, max_results=2)
    assert len(describe_events(call, max_results=2, next_token=first["nextToken"])["events"]) == 1
    board.faults = []
    await tell(state)
    assert len(describe_events(call)["events"]) == 3
    await region.engine.close()


async def test_refusals(tmp_path: Path) -> None:
    board, clock = Board(), Clock()
    region = await region_in(tmp_path / "a", "us-west-2", board, clock)
    call = call_of(region, Events.open(region))
    with pytest.raises(ValidationException, match="availabilityZones is not supported"):
        describe_events(call, filter={"availabilityZones": ["us-east-1a"]})
    with pytest.raises(UnsupportedLocale):
        describe_events(call, locale="de")
    with pytest.raises(InvalidPaginationToken):
        describe_events(call, next_token="x")
    assert describe_event_types(call, filter={"services": ["DYNAMODB"]})["eventTypes"] == [
        {"service": "DYNAMODB", "code": "AWS_DYNAMODB_OPERATIONAL_ISSUE", "category": "issue"}
    ]
    await region.engine.close()
    elsewhere = await region_in(tmp_path / "b", "eu-west-1", board, clock)
    with pytest.raises(
        ValidationException, match="AWS Health has no endpoint in eu-west-1; ask us-east-1 or us-west-2"
    ):
        describe_events(call_of(elsewhere, Events.open(elsewhere)))
    await elsewhere.engine.close()
