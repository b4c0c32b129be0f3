"""The supervisor: starts and stops Regions, keeps the faults, holds the front door; outside every Region."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import logging
import os
import shutil
import signal
import socket
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from outlast.cloud.effects import RealClock, RealEntropy
from outlast.cloud.gateway.http import Connection, Limits, Listener
from outlast.cloud.world import catalogue
from outlast.cloud.world.authority import Pair, server_context
from outlast.cloud.world.board import Board, scopes_of
from outlast.cloud.world.channel import Channel, ChannelClosed, RemoteError
from outlast.cloud.world.config import WorldConfig, WorldError
from outlast.cloud.world.faultwire import read_spec, shapes_of, write_fault, write_shape
from outlast.cloud.world.front import FrontDoor
from outlast.cloud.world.loops import run
from outlast.cloud.world.presented import Renewed
from outlast.cloud.world.region import Secrets

log = logging.getLogger("outlast.supervisor")

Status = Literal["starting", "ready", "failed", "stopping", "down", "elsewhere"]
START_TIMEOUT_S = 60.0
PORCH_ENDS_S = 5.0
STOP_TIMEOUT_S = 10.0
SWEEP_S = 5.0
MAX_CONTROL_BYTES = 65_536


@dataclass(slots=True)
class Managed:
    """A Region as the supervisor knows it."""

    name: str
    status: Status = "down"
    pid: int = 0
    reason: str = ""
    seconds: float = 0.0
    channel: Channel | None = None
    expected: bool = True
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def become(self, status: Status, reason: str = "") -> None:
        self.status = status
        self.reason = reason
        self.changed.set()
        self.changed = asyncio.Event()


class Supervisor:
    """One world's supervisor; lives in a process of its own."""

    def __init__(self, config: WorldConfig, secrets: Secrets, nursery: socket.socket) -> None:
        self._config = config
        self._secrets = secrets
        self._nursery = nursery
        self._clock = RealClock()
        self._regions = {name: Managed(name) for name in config.local}
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        trusting = ssl.create_default_context(cadata=secrets.authority.pair.certificate_pem)
        addresses = {name: (host, config.port) for name, host in config.hosts.items()}
        self._front = FrontDoor(addresses, self._clock, trusting)
        scopes = scopes_of(catalogue.services())
        self.board = Board(self, config.regions, self._clock, RealEntropy(), scopes, config.local)

    async def run(self) -> int:
        """Start everything, serve until told to stop, stop everything."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stopping.set)
        self._nursery.setblocking(False)
        loop.add_reader(self._nursery.fileno(), self._hear)
        servers = await self._listen()
        try:
            failed = await self._start_all()
            self._say({"event": "ready", "url": self._config.front_url, "failed": failed})
            await self._stopping.wait()
            return 0
        except WorldError as error:
            self._say({"event": "failed", "reason": str(error)})
            return 1
        finally:
            for server in servers:
                server.close()
            self._front.close()
            await asyncio.gather(*(self.stop_region(name) for name in self._regions))
            self._config.control_path.unlink(missing_ok=True)

    async def _start_all(self) -> dict[str, str]:
        """Start every Region; the reasons of those that cannot be started. Raises WorldError when none can."""
        outcomes = await asyncio.gather(*(self.start_region(name) for name in self._regions), return_exceptions=True)
        failed: dict[str, str] = {}
        for name, outcome in zip(self._regions, outcomes, strict=True):
            if isinstance(outcome, WorldError):
                failed[name] = str(outcome)
                log.error("%s", outcome)
            elif outcome is not None:
                raise outcome
        if len(failed) == len(self._regions):
            raise WorldError(next(iter(failed.values())))
        return failed

    async def _listen(self) -> list[asyncio.Server]:
        config, loop = self._config, asyncio.get_running_loop()
        names = ("localhost", config.front_host, "*.localhost")

        def issue() -> Pair:
            return self._secrets.authority.issue(names, dt.datetime.fromtimestamp(self._clock.now_s(), dt.UTC))

        shown = Renewed(issue, server_context(issue(), config.path), config.path, self._clock.now_s())
        listener = Listener(
            respond=self._front.respond,
            clock=self._clock,
            context=lambda: shown.context,
            plain_allowed=config.front_host.startswith("127."),
            limits=Limits(),
        )
        front = await loop.create_server(
            lambda: Connection(listener), config.front_host, config.port, backlog=1024, reuse_address=True
        )
        self._spawn(self._sweep(listener, shown))
        config.control_path.unlink(missing_ok=True)
        control = await asyncio.start_unix_server(self._control, str(config.control_path))
        config.control_path.chmod(0o600)
        return [front, control]

    async def _sweep(self, listener: Listener, shown: Renewed) -> None:
        while True:
            await self._clock.sleep(SWEEP_S)
            listener.sweep()
            shown.renew(self._clock.now_s())

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _say(self, event: Mapping[str, Any]) -> None:
        """One line of JSON on standard output for whoever started the world; once nobody reads it, in the log."""
        with contextlib.suppress(OSError, ValueError):
            line = json.dumps(event).encode() + b"\n"
            try:
                os.write(1, line)
            except BrokenPipeError:
                os.dup2(2, 1)
                os.write(1, line)

    # Regions

    async def start_region(self, name: str) -> None:
        """Start a Region and wait until it answers; raises WorldError with its reason when it cannot."""
        region = self._regions[name]
        if region.status == "ready" and await self._has_died(region):
            await self._gone(region)
        if region.status in ("starting", "ready"):
            return
        region.become("starting")
        region.expected = False
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        region.channel = Channel(lambda verb, content: self._asked(region, verb, content))
        await region.channel.open(ours)
        socket.send_fds(self._nursery, [json.dumps({"spawn": name}).encode()], [theirs.fileno()])
        theirs.close()
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while region.status == "starting":
                    await region.changed.wait()
        except TimeoutError:
            raise WorldError(f"The Region {name} did not start within {START_TIMEOUT_S:.0f} s.") from None
        if region.status != "ready":
            raise WorldError(f"The Region {name} could not start: {region.reason}")

    async def stop_region(self, name: str) -> None:
        """Stop a Region cleanly; killed when it takes too long."""
        region = self._regions[name]
        if region.status not in ("ready", "starting") or region.channel is None:
            return
        region.expected = True
        region.become("stopping")
        with contextlib.suppress(ChannelClosed, RemoteError, TimeoutError):
            await region.channel.ask("stop", timeout_s=STOP_TIMEOUT_S)
        await self._gone(region)

    async def kill_region(self, name: str) -> None:
        """End the Region's process at once, as a power cut would."""
        region = self._regions[name]
        if region.pid and region.status in ("ready", "starting"):
            region.expected = True
            os.kill(region.pid, signal.SIGKILL)
            await self._gone(region)

    async def _has_died(self, region: Managed) -> bool:
        """Whether a Region that is said to run has just died, and nobody has told yet."""
        assert region.channel is not None
        try:
            await region.channel.ask("faults", self._faults(), 10.0)
        except ChannelClosed:
            return True
        except (RemoteError, TimeoutError):
            return False
        return False

    async def _gone(self, region: Managed) -> None:
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                while region.status != "down":
                    await region.changed.wait()
        except TimeoutError:
            if region.pid:
                os.kill(region.pid, signal.SIGKILL)

    def destroy_disk(self, name: str) -> None:
        """Remove everything that the Region kept; it must be down, or have failed to start."""
        if self._regions[name].status in ("down", "failed"):
            shutil.rmtree(self._config.path / "regions" / name, ignore_errors=True)

    async def push_faults(self) -> None:
        """Tell every Region that runs which faults hold; returns when each has taken them."""
        content = self._faults()
        asks = [
            region.channel.ask("faults", content, 10.0)
            for region in self._regions.values()
            if region.status == "ready" and region.channel is not None
        ]
        await asyncio.gather(*asks, return_exceptions=True)

    def _faults(self) -> dict[str, Any]:
        active = self.board.active()
        names = self._config.regions
        shapes = {
            name: {
                peer: write_shape(shape)
                for peer, shape in shapes_of(
                    name, [each for each in names if each != name], self._config.settings, active
                ).items()
            }
            for name in self._regions
        }
        return {"active": [write_fault(fault) for fault in active], "shapes": shapes}

    async def _asked(self, region: Managed, verb: str, content: Mapping[str, Any]) -> Any:
        """What a Region asks of the supervisor."""
        if verb == "ready":
            region.seconds = content["seconds"]
            region.become("ready")
            self._say({"event": "region", "region": region.name, "seconds": round(region.seconds, 3)})
            return {}
        if verb == "failed":
            region.become("failed", content["reason"])
            return {}
        if verb == "faults":
            return self._faults()
        return await self._board_verb(verb, content)

    async def _board_verb(self, verb: str, content: Mapping[str, Any]) -> Any:
        if verb == "fault-start":
            return write_fault(await self.board.start(read_spec(content["spec"]), content.get("started_by", "")))
        if verb == "fault-end":
            return write_fault(await self.board.end(content["id"]))
        if verb == "fault-list":
            return [write_fault(fault) for fault in await self.board.list()]
        raise ValueError(f"the supervisor does not know {verb}")

    def _hear(self) -> None:
        """What the nursery tells: births, deaths, and the user's wish to stop."""
        try:
            data = self._nursery.recv(MAX_CONTROL_BYTES)
        except BlockingIOError:
            return
        message: dict[str, Any] = json.loads(data) if data else {"stop": True}
        if "stop" in message:
            self._stopping.set()
        elif "spawned" in message:
            self._regions[message["spawned"]].pid = message["pid"]
        elif "died" in message:
            self._spawn(self._died(self._regions[message["died"]], message))

    async def _died(self, region: Managed, message: Mapping[str, Any]) -> None:
        """A Region is down once its porch, which ends after it, is gone too: both hold its channel's other end."""
        if message["pid"] != region.pid:
            return
        region.pid = 0
        if region.channel is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(region.channel.closed.wait(), PORCH_ENDS_S)
            region.channel.close()
        if region.status == "failed":
            return
        code = message["code"]
        reason = f"signal {-code}" if code < 0 else f"exit status {code}"
        if not region.expected and not self._stopping.is_set():
            self._say({"event": "crashed", "region": region.name, "reason": reason})
        region.become("down", reason)

    # the control socket

    async def _control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One JSON line in, one JSON line out."""
        try:
            line = await asyncio.wait_for(reader.readline(), 10.0)
            request = json.loads(line)
            try:
                answer: Any = {"result": await self._controlled(request["verb"], request.get("content", {}))}
            except (WorldError, ValueError, KeyError) as error:
                answer = {"error": str(error)}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        except (TimeoutError, OSError, ValueError):
            return
        finally:
            writer.close()

    async def _controlled(self, verb: str, content: Mapping[str, Any]) -> Any:
        if verb == "status":
            regions = [
                self._described(self._regions.get(name) or Managed(name, "elsewhere")) for name in self._config.regions
            ]
            return {"url": self._config.front_url, "regions": regions}
        if verb == "down":
            asyncio.get_running_loop().call_later(0.05, self._stopping.set)
            return {"pid": os.getppid()}
        if verb == "start-region":
            await self.start_region(self._known(content["region"]))
            return self._described(self._regions[content["region"]])
        if verb == "stop-region":
            await self.stop_region(self._known(content["region"]))
            return self._described(self._regions[content["region"]])
        return await self._board_verb(verb, content)

    def _known(self, name: str) -> str:
        if name not in self._config.regions:
            raise WorldError(f"This world has no Region {name}.")
        if name not in self._regions:
            raise WorldError(f"The Region {name} runs on another host.")
        return name

    def _described(self, region: Managed) -> dict[str, Any]:
        return {
            "region": region.name,
            "status": region.status,
            "pid": region.pid,
            "reason": region.reason,
            "url": f"https://{self._config.hosts[region.name]}:{self._config.port}",
        }


def main(config: WorldConfig, secrets: Secrets, nursery: socket.socket) -> int:
    """Run the supervisor in this process; its exit status."""
    logging.basicConfig(format="%(asctime)s supervisor %(name)s %(levelname)s %(message)s", level=logging.WARNING)
    status = 0

    async def work() -> None:
        nonlocal status
        status = await Supervisor(config, secrets, nursery).run()

    try:
        run(work())
    except OSError as error:
        print(json.dumps({"event": "failed", "reason": str(error)}), flush=True)
        return 1
    sys.stdout.flush()
    return status
