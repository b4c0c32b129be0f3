"""One coast's customers as a process: `python -m outlast.ops.load.run PLAN.json PARENT`, the drill's process id.

Requests come at their own rate whether or not earlier ones were answered (an open loop), so a slow service meets the
same demand as a fast one. At most `max_in_flight` are under way; what comes above that is logged as shed.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TextIO

import boto3
from botocore.exceptions import BotoCoreError

from outlast.ops.http import tls_context
from outlast.ops.load.client import Client, Habits, Service
from outlast.ops.load.log import Record, to_line
from outlast.ops.load.workload import Stock, Want, Workload
from outlast.ops.names import Machine, NameServer, Stub
from outlast.ops.outcome import OpsError
from outlast.ops.signing import Credentials

KEYS_FRESH_S = 300.0
ORPHAN_S = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What one coast's process does. `subnet` tells DNS where its customers are (EDNS Client Subnet)."""

    coast: str
    subnet: str
    base_url: str
    regions: tuple[str, ...]
    name_servers: tuple[tuple[str, int], ...]
    log: str
    stock: Stock
    https_port: int = 443
    ca_path: str | None = None
    rate_per_s: float = 10.0
    clients: int = 10
    stubborn_share: float = 0.2
    stubborn_hold_s: float = 300.0
    contested_every_s: float = 10.0
    timeout_s: float = 3.0
    max_in_flight: int = 200
    seed: int = 1
    machine_names: bool = False
    """Let the machine's resolver answer for what the name servers do not (the far end of aliases on AWS)."""

    @property
    def service(self) -> Service:
        """The service that is asked."""
        return Service(self.base_url, self.regions, self.https_port)


def save(plan: Plan, path: Path) -> None:
    """Write the plan for `load`."""
    path.write_text(json.dumps(asdict(plan), indent=2) + "\n", encoding="utf-8")


def load(path: Path) -> Plan:
    """The plan in a file that `save` wrote."""
    read = json.loads(path.read_text(encoding="utf-8"))
    read["stock"] = Stock(**read["stock"])
    read["regions"] = tuple(read["regions"])
    read["name_servers"] = tuple((host, port) for host, port in read["name_servers"])
    return Plan(**read)


class Keys:
    """The session's credentials, looked up again now and then: temporary ones change."""

    def __init__(self, session: boto3.Session, now_s: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._now_s = now_s
        self._until_s = 0.0
        self._held: Credentials | None = None

    def __call__(self) -> Credentials:
        """The credentials of the moment, or of before while newer ones cannot be had. Raises OpsError without any."""
        if self._held is None or self._now_s() >= self._until_s:
            self._until_s = self._now_s() + KEYS_FRESH_S
            self._held = self._looked_up() or self._held
        if self._held is None:
            raise OpsError("There are no credentials: choose a profile (--profile), or set them in the environment.")
        return self._held

    def _looked_up(self) -> Credentials | None:
        try:
            found = self._session.get_credentials()
            frozen = found.get_frozen_credentials() if found else None
        except BotoCoreError:
            return None
        return Credentials(str(frozen.access_key), str(frozen.secret_key), frozen.token) if frozen else None


def clients_of(plan: Plan, keys: Callable[[], Credentials]) -> list[Client]:
    """The coast's clients; the first ones are the stubborn ones.

    Each name server is asked first by as many clients as any other: else one that fails may be nobody's.
    """
    tls = tls_context(plan.ca_path)
    servers = [NameServer(host, port) for host, port in plan.name_servers]
    stubborn = round(plan.clients * plan.stubborn_share)
    order = random.Random(f"{plan.seed}/{plan.coast}/servers")
    order.shuffle(servers)
    found = []
    for number in range(plan.clients):
        hold_s = plan.stubborn_hold_s if number < stubborn else 0.0
        beyond = Machine() if plan.machine_names else None
        at = number % len(servers)
        others = [*servers[:at], *servers[at + 1 :]]
        names = Stub((servers[at], *order.sample(others, len(others))), plan.subnet, beyond=beyond)
        ident = f"{plan.coast}-{number:03d}"
        found.append(Client(ident, plan.coast, plan.service, names, tls, keys, Habits(plan.timeout_s, hold_s)))
    return found


class Coast:
    """Runs one plan until it is told to stop; writes a line for every request."""

    def __init__(self, plan: Plan, clients: list[Client], log: TextIO) -> None:
        self._plan = plan
        self._clients = clients
        self._log = log
        self._workload = Workload(plan.stock, plan.coast, plan.seed, contested_every_s=plan.contested_every_s)
        self._under_way: set[asyncio.Task[None]] = set()
        self._trouble: OSError | None = None
        self.stop = asyncio.Event()

    async def run(self) -> None:
        """Send until `stop` is set, then wait for what is under way.

        Raises OSError when the log cannot be written: requests that nobody knows of would make every share wrong.
        """
        due_s = time.time()
        for gap_s in self._workload.arrivals(self._plan.rate_per_s):
            due_s += gap_s
            if await self._stopped_within(due_s - time.time()):
                break
            self._begin(self._workload.next(due_s), due_s)
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=self._plan.timeout_s + 1)
        for client in self._clients:
            client.close()
        if self._trouble is not None:
            raise self._trouble

    def _begin(self, want: Want, due_s: float) -> None:
        client = self._clients[self._workload.client(len(self._clients))]
        if len(self._under_way) >= self._plan.max_in_flight:
            shed = Record(due_s, 0.0, client.ident, self._plan.coast, False, want.operation, "shed")
            self._write(replace(shed, order_id=want.order_id, product_id=want.product_id))
            return
        task = asyncio.get_running_loop().create_task(self._ask(client, want, due_s))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _ask(self, client: Client, want: Want, due_s: float) -> None:
        record = await client.ask(want, due_s)
        if record.acknowledged_write:
            self._workload.acknowledged(want.order_id)
        self._write(record)

    def _write(self, record: Record) -> None:
        if self._trouble is not None:
            return  # half a line may stand at the end: nothing may follow it
        try:
            self._log.write(to_line(record) + "\n")
        except OSError as error:
            self._trouble = error
            self.stop.set()

    async def _stopped_within(self, seconds: float) -> bool:
        if seconds <= 0:
            await asyncio.sleep(0)
            return self.stop.is_set()
        try:
            async with asyncio.timeout(seconds):
                await self.stop.wait()
        except TimeoutError:
            return False
        return True


async def run(plan: Plan, log: TextIO, parent: int) -> None:
    """Run the plan in this process until SIGTERM or SIGINT, or until `parent`, which started it, is gone.

    The parent may have died before this process could ask who it is.
    """
    coast = Coast(plan, clients_of(plan, Keys(boto3.Session())), log)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, coast.stop.set)

    def stop_as_orphan() -> None:
        """Customers without a drill go home: nobody else would end them."""
        if os.getppid() != parent:
            coast.stop.set()
        else:
            loop.call_later(ORPHAN_S, stop_as_orphan)

    stop_as_orphan()
    await coast.run()


def main(path: Path, parent: int) -> None:
    """Run the plan in the file at `path` for the process `parent`."""
    plan = load(path)
    try:
        with Path(plan.log).open("a", buffering=1, encoding="utf-8") as log:
            asyncio.run(run(plan, log, parent))
    except OSError as error:
        sys.exit(f"{plan.log} cannot be written: {error.strerror}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
