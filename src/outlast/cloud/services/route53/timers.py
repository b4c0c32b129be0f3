"""What runs in every Region for as long as it lives: probing, following, telling the others, reporting."""

from __future__ import annotations

from typing import Final

from outlast.cloud.services.route53.checking import Checkers, Followers
from outlast.cloud.services.route53.gossip import Gossip
from outlast.cloud.services.route53.querylog import QueryLogs
from outlast.cloud.services.route53.state import State

FOLLOW_EVERY_S: Final = 0.5
TELL_EVERY_S: Final = 0.5
REPORT_EVERY_S: Final = 10.0
LOG_EVERY_S: Final = 2.0


async def probe(state: State, gossip: Gossip) -> None:
    """Start each endpoint probe when it is due."""
    checkers = Checkers(state, gossip)
    try:
        while True:
            await state.region.clock.sleep(checkers.start_due())
    finally:
        await checkers.stop()


async def follow(state: State, gossip: Gossip) -> None:
    """Read routing controls and alarms twice a second."""
    followers = Followers(state, gossip)
    while True:
        await followers.follow()
        await state.region.clock.sleep(FOLLOW_EVERY_S)


async def tell(state: State, gossip: Gossip) -> None:
    """Tell the other Regions what is new, and let views that ran out count no more."""
    while True:
        await gossip.tell()
        state.conclude()
        await state.region.clock.sleep(TELL_EVERY_S)


async def report(state: State, gossip: Gossip) -> None:
    """Publish health and query counts; AWS has them in the home Region only.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/monitoring-cloudwatch.html
    """
    meter = state.region.meter
    while True:
        await state.region.clock.sleep(REPORT_EVERY_S)
        for zone_id, count in (await gossip.hand_in_queries()).items():
            meter.series("AWS/Route53", "DNSQueries", {"HostedZoneId": zone_id}, "Count").add(1.0, count)
        if state.region.name != state.home:
            continue
        now_s = state.region.clock.monotonic_s()
        for check in state.board.checks.values():
            dimensions = {"HealthCheckId": check.id}
            healthy = state.board.healthy(check.id)
            meter.series("AWS/Route53", "HealthCheckStatus", dimensions, "None").add(1.0 if healthy else 0.0)
            share = state.board.share(check.id, now_s) if check.is_endpoint else None
            if share is not None:
                meter.series("AWS/Route53", "HealthCheckPercentageHealthy", dimensions, "Percent").add(share)


async def write_logs(state: State) -> None:
    """Send query log lines."""
    logs = QueryLogs(state)
    while True:
        await state.region.clock.sleep(LOG_EVERY_S)
        await logs.flush()
