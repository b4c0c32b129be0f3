"""The comparison over HTTP: every peer up at once, short rounds in turn, throughput and CPU of the server.

Each peer is warmed up on every workload first, the Java virtual machine for longest. Then the peers take short turns on
one workload after another, so that whatever else the machine does falls on all alike. Beside what wrk saw, the CPU
that the server's processes took for each operation is counted (user and system, from /proc): a busy machine hides
throughput, but hardly this.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from bench import peers, workloads, wrk

OURS = "outlast"
REGION = "us-east-1"
IDLE_S = 40.0
FRESH_S = 150.0
"""Signatures hold for five minutes."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One short run of one workload on one peer; `cpu_us` is the server's CPU for an operation in microseconds."""

    measured: wrk.Measured
    cpu_us: float


@dataclass(slots=True)
class Contestant:
    """A peer that is up, and its turns by workload."""

    label: str
    running: peers.Running
    asked: dict[str, workloads.Workload]
    turns: dict[str, list[Turn]] = field(default_factory=dict)
    unable: set[str] = field(default_factory=set)
    """Workloads that it answers with errors."""
    sent: int = 0
    _signed: dict[str, tuple[float, list[bytes]]] = field(default_factory=dict)
    memory_mb: float = 0.0
    """Private memory after the table was filled and nothing was asked for a while."""

    def play(self, workload: str, seconds: float, connections: int) -> Turn:
        """Run one workload for some seconds."""
        requests = self._requests(workload)
        self.sent += 997
        cpu_s = self.running.cpu_s()
        measured = wrk.run(
            self.running.url, requests, connections=connections, seconds=seconds, start=self.sent % len(requests)
        )
        return Turn(measured, (self.running.cpu_s() - cpu_s) * 1e6 / max(1, measured.requests))

    def _requests(self, workload: str) -> list[bytes]:
        """The workload's requests, signed anew before their signatures end."""
        signed_s, requests = self._signed.get(workload, (0.0, []))
        if not requests or time.monotonic() - signed_s > FRESH_S:
            load = self.asked[workload]
            target, url, key = f"DynamoDB_20120810.{load.operation}", self.running.url, self.running.key
            requests = [wrk.signed(url, target, body, key, "dynamodb", REGION) for body in load.bodies()]
            self._signed[workload] = (time.monotonic(), requests)
        return requests

    def per_s(self, workload: str) -> float:
        """The median of operations a second."""
        return statistics.median(turn.measured.per_s for turn in self.turns[workload])

    def cpu_us(self, workload: str) -> float:
        """The median of the server's CPU for an operation."""
        return statistics.median(turn.cpu_us for turn in self.turns[workload])

    def percentile_ms(self, workload: str, name: str) -> float:
        """The median of a latency that wrk reports."""
        return statistics.median(getattr(turn.measured, name) for turn in self.turns[workload])


@contextmanager
def contestants(names: Sequence[str], only: Sequence[str]) -> Iterator[list[Contestant]]:
    """Start the named peers and fill their tables; those that cannot be had are told and left out."""
    with ExitStack() as stack:
        found = []
        for name in names:
            try:
                running = stack.enter_context(peers.ALL[name]())
            except peers.NotHere as error:
                print(f"{name} is left out: {error}", flush=True)
                continue
            workloads.prepare(running.client())
            asked = {each.name: each for each in workloads.WORKLOADS if each.name in only}
            found.append(Contestant(name, running, asked))
            print(f"{running.name}: up in {running.started_s:.2f} s", flush=True)
        yield found


def leave_idle(rivals: Sequence[Contestant]) -> None:
    """Ask nothing for a while, so that each may give back what it does not need, and note what it keeps."""
    time.sleep(IDLE_S)
    for rival in rivals:
        rival.memory_mb = rival.running.private_mb()
        print(f"{rival.running.name}: {rival.memory_mb:.0f} MB", flush=True)


def warm_up(rivals: Sequence[Contestant], seconds: float, connections: int) -> None:
    """Let every peer compile, cache and grow what it will; note what it cannot do."""
    for rival in rivals:
        longer = 3.0 if rival.label.startswith("dynamodb-local") else 1.0
        for name in rival.asked:
            turn = rival.play(name, seconds * longer, connections)
            if turn.measured.failed > turn.measured.requests / 2:
                rival.unable.add(name)
                print(f"{rival.running.name} does not do {name}", flush=True)


def play(rivals: Sequence[Contestant], rounds: int, seconds: float, connections: int) -> None:
    """The rounds: for each workload every peer in turn, the order turned about in every second round."""
    for number in range(rounds):
        order = rivals if number % 2 == 0 else list(reversed(rivals))
        for name in rivals[0].asked:
            for rival in order:
                if name in rival.unable:
                    continue
                turn = rival.play(name, seconds, connections)
                rival.turns.setdefault(name, []).append(turn)
                measured = turn.measured
                print(
                    f"round {number + 1}  {name:<20} {rival.running.name:<24} {measured.per_s:>8,.0f}/s  "
                    f"{turn.cpu_us:>7,.0f} us CPU  p99 {measured.p99_ms:.1f} ms"
                    + (f"  FAILED {measured.failed}" if measured.failed else ""),
                    flush=True,
                )


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours against the best of the others on one workload: throughput (more is better) and CPU (less is better)."""

    throughput: float
    fastest: str
    cpu: float
    leanest: str


def ratios(rivals: Sequence[Contestant]) -> dict[str, Ratio]:
    """Each workload's ratio: the median over the rounds of ours to that peer's, the worst peer for us."""
    ours = next((rival for rival in rivals if rival.label == OURS), None)
    found: dict[str, Ratio] = {}
    if ours is None:
        return found
    for name, turns in ours.turns.items():
        others = [rival for rival in rivals if rival is not ours and name in rival.turns]
        if not others:
            continue
        throughput = [
            (statistics.median(a.measured.per_s / max(1.0, b.measured.per_s) for a, b in pairs), rival.running.name)
            for rival in others
            for pairs in [list(zip(turns, rival.turns[name], strict=True))]
        ]
        cpu = [
            (statistics.median(b.cpu_us / max(0.1, a.cpu_us) for a, b in pairs), rival.running.name)
            for rival in others
            for pairs in [list(zip(turns, rival.turns[name], strict=True))]
        ]
        found[name] = Ratio(*min(throughput), *min(cpu))
    return found
