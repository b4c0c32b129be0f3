"""Records what every vantage point sees of a healthy world, for as long as is asked: the noise that rules must bear.

    python -m bench.signals --minutes 90 --into signals.jsonl.gz

Starts a world of three Regions, deploys the order service with canaries every ten seconds, sends customers of both
coasts, and watches with the kit's own survey; nothing is injected and nothing is edited. The noise is the machine's
own. The recording is written every five minutes and at the end; its header says when it was made, with which command,
under what load, and how busy the machine was. Ctrl-C and SIGTERM end it early and keep what there is.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

from outlast.cli.ops_deploy import Told, source_of, wish_of
from outlast.cli.ops_target import Target, open_target
from outlast.ops import deployment as deployments
from outlast.ops.deploy.parameters import Rhythm
from outlast.ops.deploy.run import Deployer
from outlast.ops.deployment import Deployment
from outlast.ops.drill.customers import Crowd
from outlast.ops.drill.file import LoadPlan
from outlast.ops.drill.measure import SLOW_MS
from outlast.ops.load.log import Record
from outlast.ops.observe.recording import save
from outlast.ops.observe.survey import COASTS
from outlast.ops.outcome import OpsError
from outlast.ops.sightings import Sample
from outlast.ops.watch import Watch

REGIONS: Final = ("us-east-1", "us-west-2", "us-east-2")
RHYTHM: Final = Rhythm("rate(10 seconds)", 10.0, 8, 10, 3, 0.3)
LOAD: Final = LoadPlan(rate_per_s=1.5, clients=5, stubborn_share=0.2, contested_every_s=60)
SEASON_S: Final = 300.0
RESTOCK_S: Final = 5.0
"""A world that stands still cannot be filled: that is noise as well, and nothing to end a recording for."""
WARM_UP_S: Final = 60.0
"""Until alarms have left INSUFFICIENT_DATA and every canary has run; these are not recorded."""


class Noted:
    """What was seen and under which circumstances, as it grows."""

    def __init__(self, deployment: Deployment, into: Path, minutes: float) -> None:
        self._minutes = minutes
        self.samples: list[Sample] = []
        self._deployment = deployment
        self._into = into
        self._busy: list[float] = []
        self._requests = self._failed = 0

    def look(self, records: Sequence[Record]) -> None:
        """Take the machine's load and the customers' requests down."""
        self._busy.append(os.getloadavg()[0])
        self._requests += len(records)
        self._failed += sum(each.bad(SLOW_MS) for each in records)

    def save(self) -> None:
        """Write what there is so far."""
        save(
            self._into,
            self.samples,
            self._deployment.region_names,
            self._deployment.canary_period_s,
            self._origin(),
        )

    def _origin(self) -> dict[str, Any]:
        first_s, last_s = self.samples[0].at_s, self.samples[-1].at_s
        return {
            "command": f"python -m bench.signals --minutes {self._minutes:g} --into {self._into.name}",
            "begun": datetime.fromtimestamp(first_s, UTC).isoformat(timespec="seconds"),
            "minutes": round((last_s - first_s) / 60, 1),
            "world": f"healthy, {len(REGIONS)} Regions, nothing injected, nothing edited",
            "load": f"{LOAD.rate_per_s} requests a second on each of {len(COASTS)} coasts",
            "requests": self._requests,
            "failed_requests": self._failed,
            "processors": os.cpu_count(),
            "niceness": os.nice(0),
            "load_average": {
                "mean": round(sum(self._busy) / len(self._busy), 2),
                "most": round(max(self._busy), 2),
            },
        }


def deploy(target: Target) -> Deployment:
    """The order service, with canaries every ten seconds."""
    wish = wish_of(target, source_of(None), "outlast.example", REGIONS, fast=True)
    made = Deployer(target.clients, replace(wish, rhythm=RHYTHM), Told()).run()
    deployments.save(made, target.deployment_path)
    return made


async def season(target: Target, deployment: Deployment, folder: Path, number: int) -> Crowd:
    """Customers with stock that is not sold yet: what is sold out is refused, and refusals are no healthy traffic."""
    (folder / str(number)).mkdir()
    while True:
        prefix = f"s{number}-{int(time.time())}-"
        crowd = Crowd(deployment, LOAD, COASTS, folder / str(number), prefix, target.variables)
        try:
            await crowd.fill(target.keys)
        except OpsError as error:
            print(f"no new stock yet, the watch goes on: {error}", flush=True)
            await asyncio.sleep(RESTOCK_S)
            continue
        crowd.start()
        return crowd


async def record(target: Target, deployment: Deployment, minutes: float, into: Path, folder: Path) -> None:
    """Watch for so long; cancelled, it keeps what there is."""
    this = asyncio.current_task()
    assert this is not None
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, this.cancel)
    noted = Noted(deployment, into, minutes)
    crowd = await season(target, deployment, folder, 0)
    limit = asyncio.timeout(WARM_UP_S + minutes * 60)
    try:
        async with Watch(target.clients, deployment, target.keys, on_sample=noted.samples.append) as watch:
            await watch.until(lambda _: False, WARM_UP_S)
            noted.samples.clear()
            crowd.fresh()
            async with limit:
                for number in count(1):
                    await watch.until(lambda _: False, SEASON_S)
                    noted.look(await asyncio.to_thread(crowd.stop))
                    noted.save()
                    print(f"{len(noted.samples)} samples, {watch.decision.why}", flush=True)
                    crowd = await season(target, deployment, folder, number)
    except TimeoutError:
        if not limit.expired():
            raise
    finally:
        noted.look(crowd.stop())
        noted.save()


def main() -> int:
    """Start, record, stop."""
    parser = argparse.ArgumentParser(prog="python -m bench.signals", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=90.0)
    parser.add_argument("--into", type=Path, required=True, help="the recording")
    parser.add_argument("--network", default="127.97.0", help="first three numbers of the Regions' addresses")
    asked = parser.parse_args()
    command = [sys.executable, "-m", "outlast.cli.main"]
    with tempfile.TemporaryDirectory(prefix="outlast-signals-") as folder:
        home = Path(folder) / "world"
        places = [word for region in REGIONS for word in ("--region", region)]
        up = ["up", "--detach", "--home", str(home), "--port", "0", "--network", asked.network, *places]
        subprocess.run([*command, *up], check=True)
        try:
            target = open_target("local", home, None)
            deployment = deploy(target)
            with suppress(asyncio.CancelledError):
                asyncio.run(record(target, deployment, asked.minutes, asked.into.absolute(), Path(folder)))
        finally:
            subprocess.run([*command, "down", "--home", str(home)], check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
