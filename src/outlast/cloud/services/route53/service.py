"""Route 53 as a service: its control plane in one Region, its data plane and health checkers in every Region."""

from __future__ import annotations

import asyncio

from outlast.cloud.contract import Region, Service
from outlast.cloud.services.route53 import timers
from outlast.cloud.services.route53.catching_up import CatchingUp
from outlast.cloud.services.route53.gossip import Gossip
from outlast.cloud.services.route53.resources import RESOURCE_TYPES
from outlast.cloud.services.route53.state import HOME, State


def open_state(region: Region) -> State:
    """The state of one Region after its storage has been recovered."""
    state = State(region)
    state.gossip = Gossip(state)
    state.catching_up = CatchingUp(state)
    return state


route53 = Service(
    "route53",
    open=open_state,
    home=HOME,
    linked=(
        "route53-recovery-cluster:GetRoutingControlState",
        "cloudwatch:DescribeAlarms",
        "logs:DescribeLogGroups",
    ),
    provides={"names": lambda state: state.plane},
    resource_types=RESOURCE_TYPES,
)

ZONE = "arn:aws:route53:::hostedzone/{Id}"
CHECK = "arn:aws:route53:::healthcheck/{HealthCheckId}"


@route53.starter
async def catch_up(state: State) -> None:
    """No answer from a copy that is older than the others'."""
    await asyncio.gather(state.catching_up.run(), state.shelves_catching_up.run())


@route53.timer
async def probe(state: State) -> None:
    """Endpoint checkers."""
    await timers.probe(state, state.gossip)


@route53.timer
async def follow(state: State) -> None:
    """Routing controls and alarms."""
    await timers.follow(state, state.gossip)


@route53.timer
async def tell(state: State) -> None:
    """Views for the other Regions."""
    await timers.tell(state, state.gossip)


@route53.timer
async def report(state: State) -> None:
    """Metrics."""
    await timers.report(state, state.gossip)


@route53.timer
async def write_logs(state: State) -> None:
    """Query logs."""
    await timers.write_logs(state)
