"""Query logs: one line a query, in a log stream per zone and edge location, written to the zone's log group.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/query-logs.html
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from typing import Final

from outlast.cloud.contract import Fault
from outlast.cloud.services.route53 import dnsnames
from outlast.cloud.services.route53.dataplane import LoggedQuery, type_name
from outlast.cloud.services.route53.state import State

log = logging.getLogger("outlast.route53")

EDGES: Final = {
    "ap-northeast-1": "NRT",
    "ap-southeast-1": "SIN",
    "ap-southeast-2": "SYD",
    "eu-central-1": "FRA",
    "eu-west-1": "DUB",
    "eu-west-2": "LHR",
    "sa-east-1": "GRU",
    "us-east-1": "IAD",
    "us-east-2": "CMH",
    "us-west-1": "SFO",
    "us-west-2": "PDX",
}
LINES_A_CALL: Final = 1_000


def edge(region: str) -> str:
    """The edge location that stands for a Region's name server."""
    return f"{EDGES.get(region, region)}1"


def line(query: LoggedQuery, region: str) -> str:
    """One log line: version, time, zone, name, type, code, protocol, edge location, resolver, client subnet."""
    moment = dt.datetime.fromtimestamp(query.at_ms / 1000, dt.UTC)
    return " ".join(
        (
            "1.0",
            moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{query.at_ms % 1000:03d}Z",
            query.zone_id,
            dnsnames.text(query.name).rstrip("."),
            type_name(query.type),
            query.rcode.name,
            "TCP" if query.tcp else "UDP",
            edge(region),
            query.resolver,
            query.subnet,
        )
    )


class QueryLogs:
    """Sends the lines that wait; those of a log group that cannot be reached are dropped, as no answer waits for it."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._streams: set[tuple[str, str]] = set()

    async def flush(self) -> None:
        """Send everything that waits."""
        lines = self._state.plane.log_lines
        groups = {document["HostedZoneId"]: document for _, document in self._state.log_configs.items()}
        waiting: dict[str, list[LoggedQuery]] = defaultdict(list)
        while lines:
            query = lines.popleft()
            if query.zone_id in groups:
                waiting[query.zone_id].append(query)
        for zone_id, queries in waiting.items():
            arn = groups[zone_id]["CloudWatchLogsLogGroupArn"]
            for start in range(0, len(queries), LINES_A_CALL):
                await self._send(zone_id, arn, queries[start : start + LINES_A_CALL])

    async def _send(self, zone_id: str, arn: str, queries: list[LoggedQuery]) -> None:
        region = self._state.region
        group, group_region = group_of(arn), arn.split(":")[3]
        stream = f"{zone_id}/{edge(region.name)}"
        principal = region.service_principal("route53")
        events = [{"timestamp": query.at_ms, "message": line(query, region.name)} for query in queries]
        try:
            if (arn, stream) not in self._streams:
                await self._make_stream(group, stream, group_region)
                self._streams.add((arn, stream))
            await region.aws(
                "logs",
                "PutLogEvents",
                {"logGroupName": group, "logStreamName": stream, "logEvents": events},
                principal=principal,
                region=group_region,
            )
        except Fault as fault:
            self._streams.discard((arn, stream))
            log.warning("query log of %s: %d lines not written: %s", zone_id, len(queries), fault.message)

    async def _make_stream(self, group: str, stream: str, group_region: str) -> None:
        region = self._state.region
        try:
            await region.aws(
                "logs",
                "CreateLogStream",
                {"logGroupName": group, "logStreamName": stream},
                principal=region.service_principal("route53"),
                region=group_region,
            )
        except Fault as fault:
            if fault.code != "ResourceAlreadyExistsException":
                raise


def group_of(arn: str) -> str:
    """The log group's name in its ARN."""
    return arn.split(":", 6)[6].removesuffix(":*")
