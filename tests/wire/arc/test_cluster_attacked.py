"""Routing control on real processes while endpoints are killed, cut off, skewed and all started again at once.

Clients set ten controls at a time to the bits of a number that no other request writes, and read them back, each
through any endpoint. What they saw is recorded and must be linearizable: no update half applied, none lost that was
acknowledged, none seen and then unseen. Left out are reads through an endpoint without a majority, which promise the
last state known there and no more.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.conftest import World
from tests.property.consensus.history import NOT_YET, Operation, is_linearizable
from tests.wire.arc.conftest import REGIONS, Arc

BITS = 10
QUICK = Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=5)
UNAVAILABLE = "EndpointTemporarilyUnavailableException"


def is_code(error: ClientError, code: str) -> bool:
    return bool(error.response["Error"]["Code"] == code)


@dataclass
class Recorder:
    """Clients at work, and what they saw."""

    world: World
    panel: str
    controls: list[str]
    history: list[Operation] = field(default_factory=list)
    weak: list[tuple[frozenset[str], float, float]] = field(default_factory=list)
    through: dict[int, str] = field(default_factory=dict)
    failures: list[BaseException] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _next: int = 0

    def work(self, seed: int) -> None:
        """One client, until all is over."""
        dice = random.Random(seed)
        clients = {region: self.world.client("route53-recovery-cluster", region, config=QUICK) for region in REGIONS}
        while not self.over.is_set():
            region = dice.choice(REGIONS)
            try:
                if dice.random() < 0.4:
                    self._write(clients[region])
                else:
                    self._read(clients[region], region)
            except Exception as error:
                self.failures.append(error)
                raise
            time.sleep(0.03)

    def _write(self, client: Any) -> None:
        with self._lock:
            self._next += 1
            number = self._next
        entries = [
            {"RoutingControlArn": arn, "RoutingControlState": "On" if number >> bit & 1 else "Off"}
            for bit, arn in enumerate(self.controls)
        ]
        operation = Operation("write", str(number).encode(), time.monotonic())
        try:
            client.update_routing_control_states(UpdateRoutingControlStateEntries=entries)
        except ClientError as error:
            if is_code(error, "ThrottlingException"):
                return  # nothing was changed
            if not is_code(error, UNAVAILABLE):
                raise
        except BotoCoreError:
            pass  # it may take effect, or not
        else:
            operation.ended = time.monotonic()
        with self._lock:
            self.history.append(operation)

    def _read(self, client: Any, region: str) -> None:
        operation = Operation("read", None, time.monotonic())
        try:
            rows = client.list_routing_controls(ControlPanelArn=self.panel)["RoutingControls"]
        except ClientError as error:
            if not is_code(error, UNAVAILABLE):
                raise
            return
        except BotoCoreError:
            return
        operation.ended = time.monotonic()
        states = {row["RoutingControlArn"]: row["RoutingControlState"] == "On" for row in rows}
        number = sum(states[arn] << bit for bit, arn in enumerate(self.controls))
        operation.told = str(number).encode() if number else None
        with self._lock:
            self.through[id(operation)] = region
            self.history.append(operation)

    def write_here_read_there(self, here: str, there: str) -> None:
        """What was acknowledged here is seen there, however late the news of it comes there by itself."""
        writer, reader = (self.world.client("route53-recovery-cluster", each, config=QUICK) for each in (here, there))
        until_s = time.monotonic() + 4.0
        while time.monotonic() < until_s:
            self._write(writer)
            self._read(reader, there)

    @contextmanager
    def without_majority(self, *regions: str) -> Iterator[None]:
        """Reads through these endpoints meanwhile promise less."""
        began = time.monotonic()
        yield
        self.weak.append((frozenset(regions), began, time.monotonic()))

    def strong(self) -> list[Operation]:
        """The history without reads that an endpoint without a majority may have answered.

        A write that failed and that nobody saw may as well not have happened; leaving those out keeps the search short.
        """
        kept = [each for each in self.history if not self._is_weak(each)]
        seen = {each.told for each in kept}
        return [each for each in kept if each.kind == "read" or each.ended != NOT_YET or each.written in seen]

    def _is_weak(self, operation: Operation) -> bool:
        region = self.through.get(id(operation))
        return any(
            region in regions and operation.began <= until and operation.ended >= since
            for regions, since, until in self.weak
        )


def crash_and_start(recorder: Recorder, *regions: str) -> None:
    for region in regions:
        recorder.world.kill(region)
    time.sleep(0.5)
    for region in regions:
        recorder.world.control("start-region", region=region)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_what_clients_see_is_linearizable_while_endpoints_crash_and_are_cut(make_world: Callable[..., World]) -> None:
    world = make_world("--replication-delay-ms", "none")
    arc = Arc(world)
    cluster = arc.cluster("c")
    panel = arc.panel(cluster, "p")
    recorder = Recorder(world, panel, [arc.control(cluster, panel, f"c{bit}") for bit in range(BITS)])
    clients = [threading.Thread(target=recorder.work, args=(seed,)) for seed in range(3)]
    for client in clients:
        client.start()
    try:
        for peer in REGIONS[1:]:
            world.fault("link-slow", REGIONS[0], peer, duration_s=5.0, parameters={"delay_ms": 250})
        recorder.write_here_read_there("us-west-2", REGIONS[0])
        crash_and_start(recorder, "us-east-1")
        crash_and_start(recorder, "us-west-2", "eu-west-1")
        with recorder.without_majority("us-east-2"):
            fault = world.fault("region-isolated", "us-east-2")
            time.sleep(2.0)
            world.end_fault(fault)
        skewed = world.fault("clock-skew", "ap-northeast-1", parameters={"skew_ms": 200_000})
        time.sleep(1.0)
        with recorder.without_majority(*REGIONS):
            crash_and_start(recorder, *REGIONS)
            arc.clients.clear()
            for region in REGIONS:
                arc.until(lambda region=region: answers(arc, region, panel), 30)
        time.sleep(1.0)
        world.end_fault(skewed)
    finally:
        recorder.over.set()
        for client in clients:
            client.join()
    assert not recorder.failures
    history = recorder.strong()
    acknowledged = [each for each in history if each.kind == "write" and each.ended != NOT_YET]
    assert len(acknowledged) >= 5
    assert len([each for each in history if each.kind == "read"]) >= 10
    assert is_linearizable(history)


def answers(arc: Arc, region: str, panel: str) -> bool:
    try:
        return len(arc.endpoint(region).list_routing_controls(ControlPanelArn=panel)["RoutingControls"]) == BITS
    except (BotoCoreError, ClientError):
        return False
