"""The customers of a drill: one process for each coast, their sample data, and their log."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from outlast.ops.deployment import Deployment
from outlast.ops.drill.file import LoadPlan
from outlast.ops.http import Unreachable, tls_context
from outlast.ops.load.client import Client, Habits, Service
from outlast.ops.load.log import Record, Tail
from outlast.ops.load.run import Plan, save
from outlast.ops.load.workload import Stock
from outlast.ops.names import NoAnswer
from outlast.ops.observe.survey import names_for
from outlast.ops.outcome import OpsError
from outlast.ops.signing import Credentials

STOP_S: Final = 10.0
CUSTOMERS: Final = 20
OWN: Final = 600
CONTESTED: Final = 100
FILL_TRIES: Final = 5
FILL_TIMEOUT_S: Final = 15.0


class Crowd:
    """Starts, follows and stops the customers. `coasts` maps each coast to the subnet that it asks DNS from."""

    def __init__(
        self,
        deployment: Deployment,
        load: LoadPlan,
        coasts: Mapping[str, str],
        folder: Path,
        prefix: str,
        variables: Mapping[str, str],
    ) -> None:
        self.stock = Stock(prefix, CUSTOMERS, OWN, CONTESTED)
        self._deployment = deployment
        self._load = load
        self._coasts = coasts
        self._folder = folder
        self._variables = variables
        self._running: list[subprocess.Popen[bytes]] = []
        self.trouble = ""
        self.logs = [folder / f"requests-{coast}.jsonl" for coast in coasts]
        self._tail = Tail(self.logs)

    async def fill(self, keys: Callable[[], Credentials]) -> None:
        """Have the service write the sample data. Raises OpsError."""
        service = Service(self._deployment.base_url, self._deployment.region_names, self._deployment.https_port)
        tls = tls_context(self._deployment.ca_path)
        names = names_for(self._deployment, next(iter(self._coasts.values())))
        client = Client("operator", "none", service, names, tls, keys, Habits(timeout_s=FILL_TIMEOUT_S))
        wanted = [(self.stock.own_prefix(coast), CUSTOMERS, OWN) for coast in self._coasts]
        wanted.append((self.stock.contested_prefix, 0, CONTESTED))
        await asyncio.gather(*(_fill(client, *each) for each in wanted))
        client.close()

    def start(self) -> None:
        """Start the processes."""
        for coast, subnet in self._coasts.items():
            path = self._folder / f"customers-{coast}.json"
            save(self._plan(coast, subnet), path)
            with (self._folder / f"customers-{coast}.log").open("ab") as log:
                command = [sys.executable, "-m", "outlast.ops.load.run", str(path), str(os.getpid())]
                environment = {**os.environ, **self._variables}
                self._running.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))

    def fresh(self) -> list[Record]:
        """Requests that ended since the last look. Raises OpsError when a process has died."""
        for process in self._running:
            if process.poll() is not None:
                raise OpsError(self._why(process.returncode))
        return self._tail.fresh()

    def _why(self, code: int) -> str:
        """What a process that has ended by itself said last."""
        for log in sorted(self._folder.glob("customers-*.log")):
            said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            if said:
                return f"A customers' process has ended: {said[-1]}"
        return f"A customers' process ended with {code}; see {self._folder}."

    def stop(self) -> list[Record]:
        """Stop the processes and return the requests that ended since the last look; `trouble` says whose log is not
        whole."""
        for process in self._running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._running:
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.returncode:
                self.trouble = self.trouble or self._why(process.returncode)
        self._running.clear()
        return self._tail.fresh()

    def _plan(self, coast: str, subnet: str) -> Plan:
        deployment, load = self._deployment, self._load
        return Plan(
            coast=coast,
            subnet=subnet,
            base_url=deployment.base_url,
            regions=deployment.region_names,
            name_servers=tuple((server.host, server.port) for server in deployment.name_servers),
            log=str(self._folder / f"requests-{coast}.jsonl"),
            stock=self.stock,
            https_port=deployment.https_port,
            ca_path=deployment.ca_path,
            rate_per_s=load.rate_per_s,
            clients=load.clients,
            stubborn_share=load.stubborn_share,
            contested_every_s=load.contested_every_s,
            timeout_s=load.timeout_s,
            machine_names=deployment.kind == "aws",
        )


async def _fill(client: Client, prefix: str, customers: int, products: int) -> None:
    problems: Sequence[str] = []
    for _ in range(FILL_TRIES):
        try:
            answer = await client.fill(prefix, customers, products)
        except (NoAnswer, Unreachable, TimeoutError) as error:
            problems = [*problems, f"{type(error).__name__} {error}".strip()]
            continue
        if answer.status == 200:
            return
        problems = [*problems, f"status {answer.status} {answer.body[:200].decode(errors='replace')}"]
    raise OpsError(f"The sample data could not be written: {problems[-1]}.")
