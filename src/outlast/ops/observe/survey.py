"""All vantage points at once, each at its own rate; one that hangs or fails holds up none of the others."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import permutations
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.clients import Clients, error_code
from outlast.ops.deployment import Deployment, RegionPart
from outlast.ops.ledger.model import Link
from outlast.ops.load.client import aimed_at
from outlast.ops.names import Machine, Names, NoAnswer, Stub
from outlast.ops.observe import copies, events, heartbeat, metrics, retries
from outlast.ops.observe.heartbeat import Beat
from outlast.ops.observe.probes import Probe
from outlast.ops.plan.retries import Asked
from outlast.ops.sightings import Sample
from outlast.ops.signing import Credentials

COASTS: Final[Mapping[str, str]] = {"east": "192.0.2.0/24", "west": "198.51.100.0/24"}
"""Where the kit asks DNS from: documentation prefixes, which a local world's map places on the two coasts."""
THREADS: Final = 16


@dataclass(frozen=True, slots=True)
class Rates:
    """Seconds between two looks of each kind."""

    probe_s: float = 0.5
    metrics_s: float = 2.0
    heartbeat_s: float = 1.0
    events_s: float = 10.0
    copies_s: float = 3.0
    retries_s: float = 15.0
    names_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Told:
    """What DNS tells a coast: addresses and the Region they belong to, or why there is none."""

    coast: str
    addresses: tuple[str, ...]
    region: str
    ttl_s: float
    error: str = ""


@dataclass(slots=True)
class Latest:
    """The newest of everything that was seen; empty where nothing has been seen yet."""

    beats: dict[tuple[str, str], Beat] = field(default_factory=dict)
    alarms: dict[tuple[str, str], str] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    counted: dict[str, metrics.Counted] = field(default_factory=dict)
    refused: dict[str, float] = field(default_factory=dict)
    durations_ms: dict[str, float] = field(default_factory=dict)
    told: dict[str, Told] = field(default_factory=dict)
    links: dict[str, list[Link]] = field(default_factory=dict)
    asked: dict[str, Asked] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    ahead_s: dict[str, float] = field(default_factory=dict)
    """By how much this machine's clock is ahead of each Region's; 0 where they agree."""

    def unwelcome(self, codes: Collection[str]) -> str:
        """The error, when every source has failed by one of `codes` and none has told anything; else empty."""
        met = set(self.errors.values())
        known = self.alarms or self.rates or any(beat.age_ms is not None for beat in self.beats.values())
        return "" if known or not met or met.difference(codes) else min(met)

    def healing(self, region: str) -> str:
        """What is not whole of a Region's copy of the data, by what was seen; empty when nothing is known of it."""
        return copies.healing(region, [link for links in self.links.values() for link in links])

    def keeps_up(self, regions: Sequence[str], limit_ms: float) -> bool:
        """Whether each Region's heartbeat was seen in every other one, no older than `limit_ms`."""
        ages = [beat.age_ms for pair in permutations(regions, 2) if (beat := self.beats.get(pair)) is not None]
        known = [age for age in ages if age is not None and age <= limit_ms]
        return len(known) == len(regions) * (len(regions) - 1)


class Survey:
    """Watches a deployment until cancelled. `on_sample` gets every sample, in the order of their time."""

    def __init__(
        self,
        clients: Clients,
        deployment: Deployment,
        keys: Callable[[], Credentials],
        tls: ssl.SSLContext | None,
        on_sample: Callable[[Sample], None],
        rates: Rates | None = None,
        now_s: Callable[[], float] = time.time,
        coasts: Mapping[str, str] = COASTS,
    ) -> None:
        self.latest = Latest()
        self._clients = clients
        self._deployment = deployment
        self._on_sample = on_sample
        self._rates = rates or Rates()
        self._now_s = now_s
        self._begun_s = now_s()
        self._threads = ThreadPoolExecutor(THREADS, "survey")
        self._names = names_for(deployment)
        self._coasts = {coast: names_for(deployment, subnet) for coast, subnet in coasts.items()}
        self._probes = [
            Probe(part.name, part.api_url, deployment.https_port, self._names, tls, keys, pooled, now_s=now_s)
            for part in deployment.regions
            for pooled in (False, True)
        ]
        self._canaries = {
            (vantage, part.name): metrics.CanaryReader(vantage, part.name)
            for vantage in ("observer-canary", "region-canary")
            for part in deployment.regions
        }

    async def run(self) -> None:
        """Look until cancelled."""
        rates = self._rates
        regions = self._deployment.regions
        try:
            async with asyncio.TaskGroup() as group:
                for probe in self._probes:
                    group.create_task(self._probe(probe, group))
                for part in regions:
                    look = partial(self._look_at_metrics, part)
                    group.create_task(self._every(rates.metrics_s, f"metrics {part.name}", look))
                    copy = partial(self._look_at_copies, part.name)
                    group.create_task(self._every(rates.copies_s, f"replicas {part.name}", copy))
                    again = partial(self._look_at_retries, part)
                    group.create_task(self._every(rates.retries_s, f"retries {part.name}", again))
                    for other in self._deployment.others(part.name):
                        beat = partial(self._look_at_heartbeat, part.name, other.name)
                        group.create_task(self._every(rates.heartbeat_s, f"heartbeat {part.name}", beat))
                group.create_task(self._every(rates.metrics_s, "observer canaries", self._look_at_canaries))
                for region, names in metrics.alarm_names(self._deployment).items():
                    look = partial(self._look_at_alarms, region, names)
                    group.create_task(self._every(rates.metrics_s, f"alarms {region}", look))
                group.create_task(self._every(rates.events_s, "health events", self._look_at_events))
                for coast, names_of in self._coasts.items():
                    ask = partial(self._look_at_names, coast, names_of)
                    group.create_task(self._every(rates.names_s, f"names {coast}", ask))
        finally:
            for probe in self._probes:
                probe.close()
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _probe(self, probe: Probe, group: asyncio.TaskGroup) -> None:
        """Probe at a steady rate. Fresh probes do not wait for earlier ones; a kept connection serves one at a time."""

        async def look() -> None:
            self._on_sample(await probe.look())

        while True:
            begun = time.monotonic()
            if probe.pooled:
                await look()
            else:
                group.create_task(look())
            await asyncio.sleep(max(0.0, self._rates.probe_s - (time.monotonic() - begun)))

    async def _every(
        self, seconds: float, source: str, look: Callable[[], Awaitable[Sample | Sequence[Sample] | None]]
    ) -> None:
        """Look at a steady rate. An AWS error is kept in `latest.errors` and the next look comes all the same."""
        while True:
            begun = time.monotonic()
            try:
                seen = await look()
                self.latest.errors.pop(source, None)
            except (ClientError, BotoCoreError) as error:
                self.latest.errors[source] = error_code(error)
                seen = None
            for sample in [seen] if isinstance(seen, Sample) else seen or ():
                self._on_sample(sample)
            await asyncio.sleep(max(0.0, seconds - (time.monotonic() - begun)))

    async def _call(self, call: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def _ask_metrics(self, region: str, wanted: Sequence[metrics.Series], period_s: int) -> metrics.Points:
        ahead_s = self._clients.ahead_s(region)
        self.latest.ahead_s[region] = ahead_s
        now_s = self._now_s() - ahead_s  # points stand at the Region's time
        from_s = now_s - metrics.LOOK_BACK * max(period_s, self._deployment.canary_period_s)
        client = self._clients.of("cloudwatch", region)
        points: metrics.Points = await self._call(
            lambda: metrics.ask(client, wanted, period_s, from_s - from_s % period_s, now_s + period_s)
        )
        return points

    async def _ask_canaries(self, region: str, names: Sequence[str]) -> list[Sequence[tuple[float, float]]]:
        """The success of each canary, run by run."""
        wanted = [metrics.canary_series(f"c{number}", name) for number, name in enumerate(names)]
        period_s = metrics.period_within(self._deployment.canary_period_s)
        points = await self._ask_metrics(region, wanted, period_s)
        return [points.get(series.ident, ()) for series in wanted]

    async def _look_at_metrics(self, part: RegionPart) -> list[Sample]:
        period_s = metrics.period_over(self._deployment.canary_period_s)
        points = await self._ask_metrics(part.name, metrics.region_series(part), period_s)
        (success,) = await self._ask_canaries(part.name, [part.canary])
        now_s = self._now_s()
        rate = metrics.request_rate(points, period_s)
        if rate is not None:
            self.latest.rates[part.name] = rate
        counted = metrics.newest_count(points, period_s, now_s, self.latest.ahead_s[part.name])
        if counted is not None:
            self.latest.counted[part.name] = counted
        refused = metrics.refused_share(points)
        if refused is not None:
            self.latest.refused[part.name] = refused
        duration_ms = metrics.run_ms(points)
        if duration_ms is not None:
            self.latest.durations_ms[part.name] = duration_ms
        own = self._canaries["region-canary", part.name].read(success, now_s)
        return [*metrics.read_region(part.name, points, now_s), *own]

    async def _look_at_canaries(self) -> list[Sample]:
        regions = self._deployment.regions
        names = [part.observer_canary for part in regions]
        found = await self._ask_canaries(self._deployment.observer_region, names)
        now_s = self._now_s()
        return [
            sample
            for part, success in zip(regions, found, strict=True)
            for sample in self._canaries["observer-canary", part.name].read(success, now_s)
        ]

    async def _look_at_alarms(self, region: str, names: Sequence[str]) -> list[Sample]:
        client = self._clients.of("cloudwatch", region)
        states = await self._call(lambda: metrics.read_alarms(client, names))
        now_s = self._now_s()
        for name, state in states.items():
            self.latest.alarms[region, name] = state
        samples: list[Sample] = []
        for part in self._deployment.regions:
            if region == part.name:
                samples += metrics.alarm_sample("region-alarm", part.name, part.alarm, states.get(part.alarm), now_s)
            if region == self._deployment.observer_region:
                name = part.observer_alarm
                samples += metrics.alarm_sample("observer-alarm", part.name, name, states.get(name), now_s)
        return samples

    async def _look_at_heartbeat(self, origin: str, seen_in: str) -> Sample | None:
        table = self._deployment.tables.customers
        writer, reader = self._clients.of("dynamodb", origin), self._clients.of("dynamodb", seen_in)
        problem = await self._call(lambda: heartbeat.write(writer, table, origin, self._now_s()))
        beat: Beat = await self._call(lambda: heartbeat.read(reader, table, origin, seen_in, self._now_s()))
        beat = replace(beat, not_written=problem)
        self.latest.beats[origin, seen_in] = beat
        now_s = self._now_s()
        late = beat.age_ms is None or beat.age_ms > LATE_HEARTBEAT_MS
        if late and not beat.error and now_s - self._begun_s < LATE_HEARTBEAT_MS / 1000:
            return None  # the first one of this watch is still on its way
        return beat.sample(now_s, LATE_HEARTBEAT_MS)

    async def _look_at_copies(self, region: str) -> None:
        try:
            self.latest.links[region] = await self._call(lambda: copies.read(self._clients, self._deployment, region))
        except (ClientError, BotoCoreError):
            self.latest.links.pop(region, None)  # what it said before may not be so any more
            raise

    async def _look_at_retries(self, part: RegionPart) -> None:
        client = self._clients.of("cloudwatch", part.name)
        try:
            found = await self._call(
                lambda: retries.read(client, self._deployment, part, self._now_s() - self._clients.ahead_s(part.name))
            )
        except (ClientError, BotoCoreError):
            self.latest.asked.pop(part.name, None)
            raise
        self.latest.asked[part.name] = found

    async def _look_at_events(self) -> list[Sample]:
        client = self._clients.of("health", events.HEALTH_REGION)
        found: list[Sample] = await self._call(
            lambda: events.read(client, self._deployment.region_names, self._now_s())
        )
        return found

    async def _look_at_names(self, coast: str, names: Names) -> None:
        try:
            resolved = await names.resolve(self._deployment.service_name)
        except NoAnswer as error:
            self.latest.told[coast] = Told(coast, (), "", 0.0, str(error))
            return
        region = aimed_at(resolved.names)
        problem = "" if resolved.addresses else "an empty answer"
        self.latest.told[coast] = Told(coast, resolved.addresses, region, resolved.ttl_s, problem)


LATE_HEARTBEAT_MS: Final = 10_000.0


def names_for(deployment: Deployment, subnet: str = "") -> Names:
    """A resolver for the deployment's names, asking as a client in `subnet` would.

    A local world's servers answer for amazonaws.com too; AWS's answer for the zone alone.
    """
    if deployment.kind == "aws":
        return Stub(deployment.name_servers, subnet, beyond=Machine()) if subnet else Machine()
    return Stub(deployment.name_servers, subnet)
