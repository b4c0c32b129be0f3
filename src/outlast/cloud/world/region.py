"""One Region as a process: its engine, its services, its listeners, and its end of the supervisor's channel."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outlast.cloud.contract import Addresses, Meter, Region, Service
from outlast.cloud.effects import Clock, Effects, RealClock, RealEntropy
from outlast.cloud.effects.links import RealNetwork
from outlast.cloud.engine import Engine, OlderCopy, StorageUnavailable
from outlast.cloud.gateway import pipeline
from outlast.cloud.gateway.caller import GateCaller
from outlast.cloud.gateway.dns import DnsServer
from outlast.cloud.gateway.gate import Gate
from outlast.cloud.gateway.http import Connection, Limits, Listener
from outlast.cloud.gateway.listener import Respond
from outlast.cloud.gateway.trail import Journal
from outlast.cloud.world import catalogue, porch
from outlast.cloud.world.authority import Authority, Pair, client_context, server_context
from outlast.cloud.world.channel import Channel, ChannelClosed
from outlast.cloud.world.config import WorldConfig
from outlast.cloud.world.disks import TroubledDisk
from outlast.cloud.world.faultwire import RemoteBoard, read_fault, read_shape
from outlast.cloud.world.loops import return_memory, run, settle_memory
from outlast.cloud.world.presented import PresentedCertificates, Renewed
from outlast.cloud.world.rest import Rest, give_back

log = logging.getLogger("outlast.world")

SWEEP_S = 5.0
WORTH_RETURNING_BYTES = 64 << 20
FIRST_BACKOFF_S, LAST_BACKOFF_S = 0.2, 10.0
ROOM_TRIES, ROOM_TRY_S = 100, 0.05


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a world keeps to itself: its authority, the key that seals tokens, the master key of storage, the root."""

    authority: Authority
    sealing_key: bytes
    master_key: bytes
    root_access_key_id: str
    root_secret_access_key: str


class RegionProcess:
    """Everything that runs in the process of one Region."""

    def __init__(self, config: WorldConfig, secrets: Secrets, name: str, forked: porch.Forked | None) -> None:
        self._config = config
        self._secrets = secrets
        self._name = name
        self._folder = config.path / "regions" / name
        self._clock = RealClock()
        self._entropy = RealEntropy()
        self._disk = TroubledDisk()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._forked = forked
        self._porch: porch.AtPorch | None = None
        self._porch_lost = False
        self._listener: Listener | None = None
        self._servers: list[asyncio.Server] = []
        self._dns: DnsServer | None = None
        self._gate: Gate | None = None
        self._renewed: list[Renewed] = []
        self.channel = Channel(self._told)

    async def run(self, connection: socket.socket) -> None:
        """Start, serve until told to stop or until the supervisor is gone, stop."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stopping.set)
        await self.channel.open(connection)
        started = self._clock.monotonic_s()
        try:
            await self._start()
        except Exception as error:
            log.debug("the Region could not start", exc_info=error)
            with contextlib.suppress(Exception):
                await self.channel.ask("failed", {"reason": f"{type(error).__name__}: {error}"}, 5.0)
            raise SystemExit(1) from error
        settle_memory()
        await self.channel.ask("ready", {"seconds": self._clock.monotonic_s() - started})
        gone = loop.create_task(self.channel.closed.wait())
        stop = loop.create_task(self._stopping.wait())
        await asyncio.wait((gone, stop), return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        stop.cancel()
        await self._stop()
        if self._porch_lost:
            raise SystemExit(1)

    async def _start(self) -> None:
        config = self._config
        self._certificates = certificates = presented(config, self._secrets, self._name, self._clock)
        network = self._network()
        effects = Effects(self._clock, self._entropy, self._disk, network)
        self._network_door = network
        engine = await Engine.open(
            self._folder / "data", region=self._name, key=self._secrets.master_key, effects=effects
        )
        for cut in engine.dropped:
            log.warning(
                "the last life ended in a write that was never acknowledged: %d bytes were cut off %s at byte %d",
                cut.n_bytes,
                self._folder / "data" / cut.file,
                cut.at,
            )
        engine.on_older_copy(self._was_older_copy)
        region = self._region(effects, engine)
        gate = Gate(region)
        self._gate = gate
        gate.trail = Journal(region, self._folder / "cloudtrail", data=config.settings.data_events)
        region.capabilities["trail"] = gate.trail
        region.capabilities.update(
            aws=GateCaller(gate), certificates=certificates, board=RemoteBoard(self.channel), door=self._serve_inside
        )
        services = catalogue.services()
        region.resource_types = catalogue.resource_types(services)
        for service in services:
            self._open(gate, service)
        respond: Respond = lambda request, peer, secure: pipeline.answer(gate, request, peer, secure)  # noqa: E731
        if self._forked is not None:
            self._porch = porch.AtPorch(self._forked, respond, self._porch_gone)
            await self._porch.open()
            certificates.changed = self._show
        self._take_faults(await self.channel.ask("faults"))
        await network.start()
        await asyncio.gather(
            *(starter(hosted.state) for hosted in gate.hosted.values() for starter in hosted.service.starters)
        )
        await self._listen(gate, respond)
        self._run_timers(gate)

    def _was_older_copy(self, told: OlderCopy) -> None:
        log.warning(
            "the data in %s was put back from an older copy: %s knows later writes of it. "
            "The Region goes on under a new identity: what it has forgotten comes from the others, and all have one "
            "another's writes again once every replica is ACTIVE",
            self._folder / "data",
            told.peer,
        )

    def _network(self) -> RealNetwork:
        authority, config, folder = self._secrets.authority, self._config, self._folder
        authority_pem = authority.pair.certificate_pem

        def issue() -> Pair:
            return authority.issue((self._name,), self._moment(), common_name=self._name)

        addresses = {region: (config.hosts[region], config.link_port) for region in config.regions}
        server = server_context(issue(), folder, clients_of=authority_pem)
        client = client_context(issue(), folder, authority_pem)
        self._renewed = [Renewed(issue, context, folder, self._clock.now_s()) for context in (server, client)]
        return RealNetwork(self._name, addresses, server, client, self._clock, self._entropy)

    def _moment(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._clock.now_s(), dt.UTC)

    def _region(self, effects: Effects, engine: Engine) -> Region:
        config, secrets = self._config, self._secrets
        return Region(
            name=self._name,
            account_id=config.account_id,
            names=config.regions,
            effects=effects,
            engine=engine,
            meter=Meter(),
            addresses=Addresses(
                hosts=config.hosts,
                ports=dict.fromkeys(config.regions, config.port),
                dns_ports=dict.fromkeys(config.regions, config.dns_port),
                front_url=config.front_url,
                ca_path=str(config.path / "ca.pem"),
            ),
            secret=secrets.sealing_key,
            folder=str(self._folder),
            settings=config.region_settings((secrets.root_access_key_id, secrets.root_secret_access_key)),
        )

    def _open(self, gate: Gate, service: Service[Any]) -> None:
        shared = None if service.shares is None else gate.hosted[service.shares].state
        state = service.open(gate.region) if shared is None else shared
        gate.host(service, state)
        for name, make in service.provides.items():
            gate.region.capabilities[name] = make(state)

    async def _listen(self, gate: Gate, respond: Respond) -> None:
        host = self._config.hosts[self._name]
        listener = Listener(
            respond=respond,
            clock=self._clock,
            context=self._certificates.context,
            plain_allowed=host.startswith("127."),
            limits=Limits(),
        )
        self._listener = listener
        ports = tuple(filter(None, (self._config.port, self._config.https_port)))
        if self._porch is not None:
            self._show()
            await self._porch.listen(host, ports, listener.plain_allowed)
        else:
            loop = asyncio.get_running_loop()
            for port in ports:
                self._servers.append(
                    await loop.create_server(lambda: Connection(listener), host, port, backlog=1024, reuse_address=True)
                )
        self._dns = DnsServer(
            gate.region.zones, clock=self._clock, entropy=self._entropy, server_id=f"{self._name}.outlast"
        )
        await self._dns.start(host, self._config.dns_port)

    def _show(self) -> asyncio.Future[str] | None:
        """Tell the porch what to show and by which clock, if there is one."""
        return None if self._porch is None else self._porch.show(self._clock.skew_ms, self._certificates.state())

    def _porch_gone(self) -> None:
        log.error("%s: the process that holds its connections is gone; the Region stops", self._name)
        self._porch_lost = True
        self._stopping.set()

    async def _serve_inside(self, listening: socket.socket) -> asyncio.Server:
        """Answer on a socket that listens inside the enclosure of this Region's functions."""
        listener = self._listener
        assert listener is not None
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: Connection(listener), sock=listening)

    def _run_timers(self, gate: Gate) -> None:
        loop = asyncio.get_running_loop()
        for hosted in gate.hosted.values():
            for timer in hosted.service.timers:
                self._tasks.append(loop.create_task(self._keep_running(timer, hosted.state)))
        self._tasks.append(loop.create_task(self._sweep()))
        if gate.trail is not None:
            self._tasks.append(loop.create_task(gate.trail.keep_writing()))

    async def _keep_running(self, timer: Callable[[Any], Awaitable[None]], state: Any) -> None:
        """Run the timer until the Region stops; a failure is logged and retried with backoff."""
        backoff_s = FIRST_BACKOFF_S
        task = asyncio.current_task()
        while task is None or not task.cancelling():  # Python 3.11's wait_for can lose a cancellation
            began = self._clock.monotonic_s()
            try:
                await timer(state)
            except StorageUnavailable as error:  # the engine has told it
                log.debug("%s: the timer %s waits: %s", self._name, getattr(timer, "__qualname__", timer), error)
            except ChannelClosed as error:  # the supervisor has died; the nursery is about to end this Region too
                log.warning("%s: the timer %s waits: %s", self._name, getattr(timer, "__qualname__", timer), error)
            except Exception:
                log.exception("%s: the timer %s failed", self._name, getattr(timer, "__qualname__", timer))
            if self._clock.monotonic_s() - began > LAST_BACKOFF_S:
                backoff_s = FIRST_BACKOFF_S
            await self._clock.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, LAST_BACKOFF_S)

    async def _sweep(self) -> None:
        assert self._gate is not None
        rest = Rest()
        while True:
            await self._clock.sleep(SWEEP_S)
            if self._listener is not None and self._listener.sweep() > WORTH_RETURNING_BYTES:
                await asyncio.to_thread(return_memory)
            if rest.due():
                await self._gate.region.engine.rest()
                await asyncio.to_thread(give_back)
            self._certificates.renew()
            for each in self._renewed:
                each.renew(self._clock.now_s())

    async def _told(self, verb: str, content: Mapping[str, Any]) -> Any:
        """What the supervisor asks of this Region."""
        if verb == "stop":
            self._stopping.set()
            return {}
        if verb == "faults":
            was_full = self._disk.trouble.full
            self._take_faults(content)
            shown = self._show()
            if shown is not None:
                await shown
            if was_full and not self._disk.trouble.full:
                await self._room_again()
            return {}
        raise ValueError(f"a Region does not know {verb}")

    async def _room_again(self) -> None:
        """Return once writes are let in after a full disk; the engine tries by itself, every second."""
        assert self._gate is not None
        for _ in range(ROOM_TRIES):
            with contextlib.suppress(StorageUnavailable):
                self._gate.region.engine.store.check()
                return
            await asyncio.sleep(ROOM_TRY_S)

    def _take_faults(self, content: Mapping[str, Any]) -> None:
        assert self._gate is not None
        faults = tuple(read_fault(each) for each in content["active"] if self._name in each["spec"]["regions"])
        active = self._gate.region.faults
        active.active = faults
        for peer, shape in content["shapes"].get(self._name, {}).items():
            self._network_door.outgoing[peer] = read_shape(shape)
        self._network_door.isolated = active.of("region-isolated") is not None
        skew = active.of("clock-skew")
        self._clock.skew_ms = 0 if skew is None else int(skew.spec.parameters.get("skew_ms", 0))
        slow = active.of("disk-slow")
        self._disk.trouble.sync_delay_ms = 0.0 if slow is None else float(slow.spec.parameters.get("delay_ms", 0))
        self._disk.trouble.full = active.of("disk-full") is not None
        wrong = active.of("certificate-wrong") is not None
        self._certificates.trouble("expired" if active.of("certificate-expired") else "wrong" if wrong else "")

    async def _stop(self) -> None:
        """Stop taking requests, let running ones end, close what services hold, close storage."""
        for server in self._servers:
            server.close()
        if self._porch is not None:
            await self._porch.stop()
        if self._listener is not None:
            await self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._gate is not None:
            for hosted in self._gate.hosted.values():
                for closer in hosted.service.closers:
                    try:
                        await asyncio.wait_for(closer(hosted.state), 5.0)
                    except Exception:
                        log.exception("%s: %s did not close cleanly", self._name, hosted.service.name)
            if self._dns is not None:
                await self._dns.close()
            if self._gate.trail is not None:
                self._gate.trail.close()
            await self._network_door.close()
            await self._gate.region.engine.close()
        self.channel.close()


def presented(config: WorldConfig, secrets: Secrets, name: str, clock: Clock) -> PresentedCertificates:
    """The certificates that a Region shows."""
    names = ("localhost", config.hosts[name], config.front_host, f"*.{name}.amazonaws.com")
    return PresentedCertificates(secrets.authority, config.path / "regions" / name, names, clock.now_s)


def main(config: WorldConfig, secrets: Secrets, name: str, connection: socket.socket) -> None:
    """Run the Region in this process, and its porch in another where there are cores for both, until told to stop."""
    logging.basicConfig(format=f"%(asctime)s {name} %(name)s %(levelname)s %(message)s", level=logging.WARNING)
    folder = Path(config.folder) / "regions" / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    forked = None
    if len(os.sched_getaffinity(0)) > 1:
        forked = porch.fork(lambda clock: presented(config, secrets, name, clock))
    with contextlib.suppress(ChannelClosed):
        run(RegionProcess(config, secrets, name, forked).run(connection))
