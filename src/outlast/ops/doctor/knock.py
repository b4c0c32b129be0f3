"""Knocking at each Region's API as a customer does: what it shows and answers, whatever its control plane says of it.

https://docs.aws.amazon.com/wellarchitected/latest/reliability-pillar/rel_withstand_component_failures_static_stability.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from outlast.ops.deployment import Deployment
from outlast.ops.http import tls_context
from outlast.ops.observe.probes import Probe
from outlast.ops.observe.survey import names_for
from outlast.ops.signing import Credentials

TIMES: Final = 3
"""A look may fail by itself: what fails as often as this does not."""
PATIENCE_MS: Final = 5_000.0


async def knock(deployment: Deployment, keys: Callable[[], Credentials]) -> dict[str, str]:
    """What was wrong at each Region's API, over a connection of its own and by the last of TIMES looks; empty where one
    look was answered well. Never raises."""
    names, tls = names_for(deployment), tls_context(deployment.ca_path)
    probes = [
        Probe(part.name, part.api_url, deployment.https_port, names, tls, keys, pooled=False, slow_ms=PATIENCE_MS)
        for part in deployment.regions
    ]
    problems = await asyncio.gather(*(answered([probe] * TIMES) for probe in probes))
    return {probe.region: problem for probe, problem in zip(probes, problems, strict=True)}


async def answered(probes: Sequence[Probe]) -> str:
    """Look in turn until one look is answered well; what the last one met, empty when one was."""
    problem = ""
    for probe in probes:
        sample = await probe.look()
        if not sample.bad:
            return ""
        problem = sample.detail
    return problem
