"""The facts that a plan rests on, gathered; what cannot be had in time stays unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.act.boards import board_of
from outlast.ops.act.evacuate import Board
from outlast.ops.clients import Clients
from outlast.ops.decide.rules import Decision
from outlast.ops.deployment import Deployment, RegionPart
from outlast.ops.doctor.gather import Gatherer
from outlast.ops.doctor.throughput import of
from outlast.ops.observe.survey import Latest
from outlast.ops.outcome import OpsError
from outlast.ops.plan.facts import SWITCH_S, Capacity, Facts
from outlast.ops.plan.throughput import Throughput, parse
from outlast.ops.report.cost import per_request

Result = TypeVar("Result")
EVERY_METHOD: Final = "*/*"
FUNCTION_MS: Final = 50.0
"""How long a function run is taken to last while nobody has measured it."""


def gather(
    clients: Clients,
    deployment: Deployment,
    latest: Latest,
    decision: Decision | None,
    now_s: float,
    *,
    offline: bool = False,
    capacity: Mapping[str, Capacity] | None = None,
    throughput: Mapping[str, Throughput] | None = None,
    write_share: float = 1.0,
    board: Board | None = None,
) -> Facts:
    """Facts as of now. `offline` asks no control plane; `capacity` and `throughput` were learnt earlier; `board` tells
    what is on.
    """
    read = board or board_of(None, clients, deployment)
    states = _or_none(read.states)
    with ThreadPoolExecutor(1) as pool:  # both at once: a Region that hangs is waited for by each
        units = pool.submit(_throughputs, clients, deployment, now_s, throughput, offline)
        known = dict(capacity or {})
        if not known:
            known = cached(deployment) if offline else _filled(capacities(clients, deployment), cached(deployment))
    return Facts(
        at_s=now_s,
        states=states or {},
        rates={name: latest.rates.get(name) for name in deployment.region_names},
        health={finding.region: finding.state for finding in decision.findings} if decision else {},
        lag_ms={part.name: _lag_ms(part.name, latest) for part in deployment.regions},
        capacity=known,
        healing={name: latest.healing(name) for name in latest.links},
        throughput=units.result(),
        writes_counted_everywhere=deployment.kind == "aws",
        durations_ms=dict(latest.durations_ms),
        request_usd=per_request(max(latest.durations_ms.values(), default=FUNCTION_MS)),
        ttl_s=deployment.record_ttl_s,
        switch_s=switch_s(deployment),
        write_share=write_share,
        offline=offline,
        noted_s=deployment.made_s if offline else None,
    )


def _throughputs(
    clients: Clients, deployment: Deployment, now_s: float, learnt: Mapping[str, Throughput] | None, offline: bool
) -> Mapping[str, Throughput]:
    if learnt is not None:
        return learnt
    return noted(deployment) if offline else throughputs(clients, deployment, now_s)


def switch_s(deployment: Deployment) -> float:
    """Seconds from the switch to changed answers: a health check follows its control within a few, an alarm within the
    period that is running and the next look at it.
    """
    if deployment.switch == "standby-takes-over":
        return 2.0 * min(deployment.alarm_period_s, 60)
    return SWITCH_S


def _filled(told: Mapping[str, Capacity], noted: Mapping[str, Capacity]) -> dict[str, Capacity]:
    """What the control planes tell; where they do not answer, what the deployment file has noted."""
    return {region: each.filled(noted.get(region, Capacity())) for region, each in told.items()}


def cached(deployment: Deployment) -> dict[str, Capacity]:
    """What each Region let in when the deployment file was written."""
    found = {}
    for region, held in deployment.capacity.items():
        throttle, concurrency = held.get("throttle_rps"), held.get("concurrency")
        found[region] = Capacity(throttle, None if concurrency is None else int(concurrency))
    return found


def noted(deployment: Deployment) -> dict[str, Throughput]:
    """What each Region's tables let in and consumed when the deployment file was written."""
    return {region: parse(held) for region, held in deployment.throughput.items()}


def throughputs(clients: Clients, deployment: Deployment, now_s: float) -> dict[str, Throughput]:
    """What each Region's tables let in and consume; where they do not tell, what the deployment file has noted."""
    gatherer, before = Gatherer(clients, deployment, hasty=True), noted(deployment)
    with ThreadPoolExecutor(len(deployment.regions)) as pool:
        found = list(pool.map(lambda part: gatherer.data(part, now_s, settings=False), deployment.regions))
    return {each.name: of(each, now_s).filled(before.get(each.name)) for each in found}


def capacities(clients: Clients, deployment: Deployment) -> dict[str, Capacity]:
    """What each Region lets in, by its control planes; None where they do not tell."""
    with ThreadPoolExecutor(len(deployment.regions)) as pool:
        found = pool.map(lambda part: _capacity(clients, part), deployment.regions)
    return {part.name: capacity for part, capacity in zip(deployment.regions, found, strict=True)}


def _capacity(clients: Clients, part: RegionPart) -> Capacity:
    stage = _or_none(lambda: clients.of("apigateway", part.name).get_stage(restApiId=part.api_id, stageName=part.stage))
    account = _or_none(lambda: clients.of("lambda", part.name).get_account_settings())
    settings: Mapping[str, Any] = (stage or {}).get("methodSettings", {}).get(EVERY_METHOD, {})
    limit = (account or {}).get("AccountLimit", {}).get("ConcurrentExecutions")
    throttle = settings.get("throttlingRateLimit")
    return Capacity(None if throttle is None else float(throttle), None if limit is None else int(limit))


def _lag_ms(origin: str, latest: Latest) -> float | None:
    """The age of the origin's heartbeat where it is oldest."""
    ages = [beat.age_ms for (source, _), beat in latest.beats.items() if source == origin]
    known = [age for age in ages if age is not None]
    return max(known) if known and len(known) == len(ages) else None


def _or_none(call: Callable[[], Result]) -> Result | None:
    try:
        return call()
    except (ClientError, BotoCoreError, OpsError):
        return None
