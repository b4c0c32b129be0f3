"""The checkers of one Region: probes of endpoints on their schedule, and what alarms and routing controls say."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

from outlast.cloud.contract import Fault
from outlast.cloud.contract.names import Question, RecordType
from outlast.cloud.services.route53.dnsnames import wire
from outlast.cloud.services.route53.gossip import Gossip
from outlast.cloud.services.route53.health import NO_DATA, Outcome, checkers, steady, step
from outlast.cloud.services.route53.model import Check
from outlast.cloud.services.route53.probes import default_port
from outlast.cloud.services.route53.rules import may_be_probed
from outlast.cloud.services.route53.state import State

log = logging.getLogger("outlast.route53")

MOST_PROBES: Final = 64
"""Probes of one Region under way at once; further ones wait for the next turn."""
ALARMS_A_CALL: Final = 100
CONTROLS_AT_ONCE: Final = 16


def interval_s(state: State, check: Check) -> float:
    """Seconds between two probes: what the world's settings say, else what the health check says."""
    configured = float(state.region.settings.get("health_interval_s") or 0.0)
    return configured if configured > 0 else float(check.interval_s)


def expiry_s(every_s: float) -> float:
    """How long a view of an endpoint counts without being repeated: three missed probes, and time for a slow one."""
    return 3 * every_s + 10.0


class Checkers:
    """Which probe is due when. One Region's checkers do not coordinate with another's."""

    def __init__(self, state: State, gossip: Gossip) -> None:
        self._state = state
        self._gossip = gossip
        self._due_s: dict[str, tuple[int, float]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}

    def start_due(self) -> float:
        """Start the probes that are due; seconds until the next is."""
        state, now_s = self._state, self._state.region.clock.monotonic_s()
        mine = {check.id: check for check in state.board.checks.values() if self._probes(check)}
        state.board.expiry_s = {
            check.id: expiry_s(interval_s(state, check)) for check in state.board.checks.values() if check.is_endpoint
        }
        for gone in self._due_s.keys() - mine.keys():
            del self._due_s[gone]
        next_s = now_s + 1.0
        for check in mine.values():
            every_s = interval_s(state, check)
            version, due_s = self._due_s.get(check.id, (0, 0.0))
            if version != check.version:
                due_s = now_s + state.region.entropy.uniform() * min(1.0, every_s / 4)
                self._due_s[check.id] = (check.version, due_s)
            if due_s <= now_s and check.id not in self._running and len(self._running) < MOST_PROBES:
                self._start(check)
                due_s = max(due_s + every_s, now_s)
                self._due_s[check.id] = (check.version, due_s)
            next_s = min(next_s, max(due_s, now_s + 0.02))
        return next_s - now_s

    def _probes(self, check: Check) -> bool:
        region = self._state.region
        return check.is_endpoint and not check.disabled and region.name in checkers(check, region.names)

    def _start(self, check: Check) -> None:
        task = asyncio.get_running_loop().create_task(self._probe(check))
        self._running[check.id] = task
        task.add_done_callback(lambda _done: self._running.pop(check.id, None))

    async def _probe(self, check: Check) -> None:
        outcome = await self._outcome(check)
        if check.config.get("MeasureLatency"):
            self._measure(check, outcome)
        board = self._state.board
        self._gossip.saw(check.id, step(board.view(check.id, self._state.region.name), outcome, check))
        self._state.conclude()

    async def _outcome(self, check: Check) -> Outcome:
        now_ms = self._state.region.clock.now_ms()
        address = check.config.get("IPAddress") or self._resolve(check.config["FullyQualifiedDomainName"])
        if address is None:
            return Outcome(False, "Failure: The domain name could not be resolved to an IP address", now_ms)
        if not may_be_probed(address):
            return Outcome(False, f"Failure: The IP address {address} is nonroutable or multicast", now_ms)
        port = int(check.config.get("Port") or default_port(check.kind) or 80)
        return await self._state.prober.probe(check, address, self._local_port(address, port))

    def _resolve(self, name: str) -> str | None:
        """An address by the world's own DNS, as seen from this Region."""
        region = self._state.region
        here = region.addresses.hosts[region.name]
        draw = self._state.plane.lookup(Question(wire(name), RecordType.A, here, here))
        answer = draw.answers[draw.index(region.entropy.uniform())]
        for record in answer.answers:
            if record.type == RecordType.A:
                return ".".join(str(byte) for byte in record.rdata)
        return None

    def _local_port(self, address: str, port: int) -> int:
        """The cloud's own addresses answer on the world's port instead of 80 and 443."""
        addresses = self._state.region.addresses
        if port in (80, 443):
            for region, host in addresses.hosts.items():
                if host == address:
                    return addresses.ports[region]
        return port

    def _measure(self, check: Check, outcome: Outcome) -> None:
        """https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-latency.html"""
        region = self._state.region
        dimensions = {"HealthCheckId": check.id, "Region": region.name}
        for name, value in (
            ("ConnectionTime", outcome.connect_ms),
            ("SSLHandshakeTime", outcome.tls_ms),
            ("TimeToFirstByte", outcome.first_byte_ms),
        ):
            if value is not None:
                region.meter.series("AWS/Route53", name, dimensions, "Milliseconds").add(value)

    async def stop(self) -> None:
        """End the probes under way."""
        running = tuple(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


class Followers:
    """Follows what has a state of its own: routing controls through this Region, alarms that live in this Region."""

    def __init__(self, state: State, gossip: Gossip) -> None:
        self._state = state
        self._gossip = gossip
        self._principal = state.region.linked("route53")

    async def follow(self) -> None:
        """Read all of them once."""
        checks = [check for check in self._state.board.checks.values() if not check.disabled]
        here = self._state.region.name
        controls: dict[str, list[Check]] = {}
        alarms: dict[str, list[Check]] = {}
        for check in checks:
            if check.kind == "RECOVERY_CONTROL":
                controls.setdefault(check.control_arn, []).append(check)
            elif check.kind == "CLOUDWATCH_METRIC" and check.alarm[0] == here:
                alarms.setdefault(check.alarm[1], []).append(check)
        if here in self._state.region.settings.get("cluster_regions", (here,)):
            gate = asyncio.Semaphore(CONTROLS_AT_ONCE)
            await asyncio.gather(*(self._follow_control(arn, group, gate) for arn, group in controls.items()))
        names = sorted(alarms)
        for start in range(0, len(names), ALARMS_A_CALL):
            await self._follow_alarms(names[start : start + ALARMS_A_CALL], alarms)
        self._state.conclude()

    async def _call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """The reply, or None when there was none; the last known state then holds for a while."""
        try:
            return await self._state.region.aws(service, operation, params, principal=self._principal)
        except Fault as fault:
            log.debug("%s %s: %s", service, operation, fault.message)
            return None

    async def _follow_control(self, arn: str, checks: list[Check], gate: asyncio.Semaphore) -> None:
        async with gate:
            reply = await self._call("route53-recovery-cluster", "GetRoutingControlState", {"RoutingControlArn": arn})
        if reply is None:
            return
        on = reply["RoutingControlState"] == "On"
        said = f"{'Success' if on else 'Failure'}: The routing control is {'On' if on else 'Off'}."
        for check in checks:
            self._note(check, on, reply["RoutingControlState"], said)

    async def _follow_alarms(self, names: list[str], checks: Mapping[str, list[Check]]) -> None:
        reply = await self._call("cloudwatch", "DescribeAlarms", {"AlarmNames": names, "AlarmTypes": ["MetricAlarm"]})
        if reply is None:
            return
        states = {each["AlarmName"]: each["StateValue"] for each in reply.get("MetricAlarms", ())}
        for name in names:
            alarm_state = states.get(name, NO_DATA)
            for check in checks[name]:
                board = self._state.board
                healthy = board.without_data(check) if alarm_state == NO_DATA else alarm_state == "OK"
                said = f"{'Success' if healthy else 'Failure'}: The CloudWatch alarm is {alarm_state}."
                self._note(check, healthy, alarm_state, said)

    def _note(self, check: Check, healthy: bool, what: str, said: str) -> None:
        board, region = self._state.board, self._state.region
        before = board.view(check.id, region.name)
        view = steady(before, healthy, what, said, region.clock.now_ms(), check.version)
        if before is not None and before.state == what and before.version == check.version:
            board.hear(check.id, region.name, view, region.clock.monotonic_s())
        else:
            self._gossip.saw(check.id, view)
