"""Time to beat: from the operator's Enter to the last request that the evacuated Region serves, over many evacuations.

    python -m bench.evacuation --home FOLDER --times 50

FOLDER is a world with the order service deployed in it. Each round starts `outlast evacuate REGION --offline`, waits
for its plan and its question as an operator does, types the answer, and presses Enter: from there time is taken. Both
coasts' customers are watched for the TTL and fifteen seconds; then the Region is switched on again. Regions take turns.
How long the command took to come to its question is told apart, and so are stubborn clients, who outlive their answers.
The exit status is 3 when the 99th percentile is over the TTL and ten seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from outlast.cli.ops_target import Target, open_target
from outlast.ops.act.arc import Switchboard
from outlast.ops.deployment import Deployment
from outlast.ops.drill.customers import Crowd
from outlast.ops.drill.file import LoadPlan
from outlast.ops.drill.measure import percentile
from outlast.ops.load.log import Record
from outlast.ops.observe.survey import COASTS
from outlast.ops.outcome import Exit

SPARE_S = 10.0
"""What is allowed beyond the TTL."""
BEYOND_S = 5.0
"""How much longer is watched, so that a late request is seen."""
BACK_S = 60.0


@dataclass(frozen=True, slots=True)
class Round:
    """One evacuation; seconds from Enter. `asked_s`: from the command's start to its question.

    `stubborn_s` None: no stubborn client was served after Enter.
    """

    region: str
    asked_s: float
    command_s: float
    last_s: float
    stubborn_s: float | None
    failed: int


def last_served(records: list[Record], region: str, enter_s: float, *, stubborn: bool) -> float | None:
    """When the last answer of `region` came, in seconds from Enter; None when none came after it."""
    ended = [each.ended_s for each in records if each.region == region and each.stubborn == stubborn]
    last_s = max(ended, default=enter_s)
    return last_s - enter_s if last_s > enter_s else None


class Bench:
    """Evacuates one deployment again and again."""

    def __init__(self, target: Target, deployment: Deployment, crowd: Crowd) -> None:
        self._target = target
        self._deployment = deployment
        self._crowd = crowd
        self._board = Switchboard(target.clients, deployment)

    async def round(self, region: str) -> Round:
        """One evacuation, and back."""
        self._crowd.fresh()
        begun_s = time.time()
        words = ["evacuate", region, "--offline", "--watch-s", "0", "--home", str(self._target.home)]
        command = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "outlast.cli.main", *words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        assert command.stderr is not None
        plan = await command.stderr.readuntil(b"to go on")
        enter_s = time.time()
        _, told = await command.communicate(f"evacuate {region}\n".encode())
        command_s = time.time() - enter_s
        if command.returncode:
            raise SystemExit(f"outlast evacuate ended with {command.returncode}: {(plan + told).decode()[-500:]}")
        until_s = enter_s + self._deployment.record_ttl_s + SPARE_S + BEYOND_S
        await asyncio.sleep(max(0.0, until_s - time.time()))
        records = self._crowd.fresh()
        behaved = last_served(records, region, enter_s, stubborn=False)
        failed = sum(each.bad(1500.0) for each in records if not each.stubborn)
        await self._back(region)
        stubborn = last_served(records, region, enter_s, stubborn=True)
        return Round(region, enter_s - begun_s, command_s, behaved or 0.0, stubborn, failed)

    async def _back(self, region: str) -> None:
        """Switch it on, and wait until well-behaved customers are served there again."""
        await asyncio.to_thread(self._board.set, {region: True})
        until_s = time.time() + BACK_S
        while time.time() < until_s:
            await asyncio.sleep(0.5)
            if any(each.region == region and not each.stubborn for each in self._crowd.fresh()):
                await asyncio.sleep(self._deployment.record_ttl_s + 1)
                return
        raise SystemExit(f"no customer came back to {region} within {BACK_S:.0f} s")


async def measure(home: Path, times: int) -> list[Round]:
    """Play `times` evacuations."""
    target = open_target("local", home, None)
    deployment = target.deployment()
    load = LoadPlan(rate_per_s=6, clients=10, stubborn_share=0.2, contested_every_s=0)
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory(prefix="outlast-bench-") as folder:
        crowd = Crowd(deployment, load, COASTS, Path(folder), f"e{int(time.time())}-", target.variables)
        await crowd.fill(target.keys)
        crowd.start()
        try:
            await asyncio.sleep(deployment.record_ttl_s + 5)
            bench = Bench(target, deployment, crowd)
            for number in range(times):
                one = await bench.round(deployment.region_names[number % 2])
                rounds.append(one)
                told = f"asked after {one.asked_s:5.2f} s  last served {one.last_s:5.2f} s  failed {one.failed}"
                print(f"{number + 1:>3}  {one.region:<12} {told}", flush=True)
        finally:
            crowd.stop()
    return rounds


def summary(rounds: list[Round], ttl_s: float) -> dict[str, float | int | str | bool]:
    """The figures."""
    served = sorted(each.last_s for each in rounds)
    stubborn = sorted(each.stubborn_s for each in rounds if each.stubborn_s is not None)
    p99_s = percentile(served, 99)
    return {
        "measured": "local",
        "evacuations": len(rounds),
        "ttl_s": ttl_s,
        "p50_s": round(percentile(served, 50), 2),
        "p99_s": round(p99_s, 2),
        "limit_s": ttl_s + SPARE_S,
        "met": p99_s <= ttl_s + SPARE_S,
        "asked_p50_s": round(percentile(sorted(each.asked_s for each in rounds), 50), 2),
        "command_p50_s": round(percentile(sorted(each.command_s for each in rounds), 50), 2),
        "failed_requests": sum(each.failed for each in rounds),
        "stubborn_still_served": len(stubborn),
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.evacuation", description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, required=True, help="folder of a world with the order service")
    parser.add_argument("--times", type=int, default=50)
    arguments = parser.parse_args()
    rounds = asyncio.run(measure(arguments.home, arguments.times))
    deployment = open_target("local", arguments.home, None).deployment()
    found = summary(rounds, deployment.record_ttl_s)
    print(json.dumps(found))
    return int(Exit.GOOD if found["met"] else Exit.MISSED)


if __name__ == "__main__":
    sys.exit(main())
