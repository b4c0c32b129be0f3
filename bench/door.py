"""CPU of the front door on a warm path: who signed a request and may he, in microseconds, beside a baseline.

The parts are those of every request: the credentials read, the key's owner found, the signature verified over headers
and body, the policies asked. The baseline, measured in the same run, is the hashing alone that SigV4 asks for: SHA-256
of the body and of the canonical request, HMAC-SHA256 of the text to sign. `python -m bench.door` prints each; it ends
with 1 when signature and policy together cost more than 12 microseconds.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import hmac
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench import workloads
from bench.path import CONNECTIONS, Path
from outlast.cloud.gateway import pipeline
from outlast.cloud.gateway.authorization import authorize
from outlast.cloud.wire import Request

MOST_US = 12.0
ROUNDS = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as the pipeline meets it after its target was found."""

    request: Request
    params: Any


async def main() -> int:
    """Print the figures; 0 when they are within the bound."""
    path = await Path.make()
    gate = path.gate
    workload = next(each for each in workloads.WORKLOADS if each.operation == "GetItem")
    requests = await met(path, workload)
    hosted = gate.hosted["dynamodb"]
    declared = hosted.service.operations[workload.operation]

    def signature(asked: Asked) -> Any:
        presented, _ = pipeline.present(asked.request)
        assert presented is not None
        return pipeline.verified(gate, presented, asked.request, "dynamodb")

    principal = signature(requests[0])

    def policy(asked: Asked) -> None:
        call = pipeline.called(gate, hosted, declared, principal, "r", "127.0.0.1", asked.request)
        authorize(gate, hosted, declared, call, asked.params)

    def both(asked: Asked) -> None:
        who = signature(asked)
        authorize(
            gate, hosted, declared, pipeline.called(gate, hosted, declared, who, "r", "127.0.0.1", None), asked.params
        )

    def hashing(asked: Asked) -> None:
        hashlib.sha256(asked.request.body).hexdigest()
        hashlib.sha256(bytes(400)).hexdigest()
        hmac.digest(bytes(32), bytes(140), "sha256")

    gc.collect()
    gc.freeze()
    figures = {
        name: cost_us(act, requests)
        for name, act in (("hashing alone", hashing), ("signature", signature), ("policy", policy), ("together", both))
    }
    for name, figure in figures.items():
        print(f"{name:<16} {figure:6.2f} us   {figure / figures['hashing alone']:5.1f} x hashing alone")
    await path.close()
    return 0 if figures["together"] <= MOST_US else 1


async def met(path: Path, workload: workloads.Workload) -> list[Asked]:
    """The workload's requests, as they come out of the connection and its decoder."""
    seen: list[Request] = []
    answer = pipeline.answer

    def watch(gate: Any, request: Request, peer: str, secure: bool) -> Any:
        seen.append(request)
        return answer(gate, request, peer, secure)

    pipeline.answer = watch
    try:
        await path.burst(path.signed(workload, CONNECTIONS))
    finally:
        pipeline.answer = answer
    operation = path.gate.hosted["dynamodb"].service.operations[workload.operation].operation
    return [Asked(each, operation.decode(each, "json", {})) for each in seen]


def cost_us(act: Callable[[Asked], object], requests: Sequence[Asked]) -> float:
    """CPU of one call: the lowest tenth of many short runs, which others disturbed least."""
    found = []
    for _ in range(ROUNDS):
        began_s = time.process_time()
        for asked in requests:
            act(asked)
        found.append((time.process_time() - began_s) * 1e6 / len(requests))
    return sorted(found)[len(found) // 10]


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
