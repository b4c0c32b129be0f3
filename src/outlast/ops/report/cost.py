"""What the architecture costs a month on AWS at the load of a drill, with and without the cluster of routing controls.

Computed from a dated table of prices (prices.yaml, which names its sources), never measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

import yaml

HOURS: Final = 730.0
MONTH_S: Final = HOURS * 3600
MEMORY_GB: Final = 0.5
REGIONS: Final = 2
ORDER_SHARE: Final = 0.6
ORDER_WRITE_UNITS: Final = 8.0
"""An order is one transaction of a check, an update and a put, two units each; and two items replicated, one each."""
READ_UNITS: Final = 0.5
CANARIES: Final = 5
METRIC_ALARMS: Final = 15
"""Thirteen alarms, two of them over two metrics each: every metric counts."""
STOP_ALARMS: Final = 4
"""Where standbys take over instead of a cluster: each Region's switch in its standby, and its copy in the Region."""
COMPOSITE_ALARMS: Final = 4
DASHBOARDS: Final = 3
HEALTH_CHECKS: Final = 2
QUERY_SHARE: Final = 0.1
"""DNS queries for each request, as far as one can say: resolvers keep answers for many clients."""

UNVERIFIED: Final = "unverified: nothing was found to compare it with"


@dataclass(frozen=True, slots=True)
class Use:
    """A month's use that the bill is computed for. `function_ms`: how long one run takes."""

    requests_per_s: float
    function_ms: float
    stored_gb: float = 1.0
    canary_period_s: float = 60.0


def prices() -> Mapping[str, Any]:
    """The table, with its date and sources."""
    text = resources.files("outlast.ops.report").joinpath("prices.yaml").read_text(encoding="utf-8")
    found: Mapping[str, Any] = yaml.safe_load(text)
    return found


def per_request(function_ms: float) -> float:
    """What one request costs in US dollars, its function's run and its reads and writes included."""
    price: Mapping[str, float] = prices()["prices"]
    items = ORDER_SHARE * ORDER_WRITE_UNITS * price["write_unit"] + (1 - ORDER_SHARE) * READ_UNITS * price["read_unit"]
    run = price["function_request"] + function_ms / 1000 * MEMORY_GB * price["function_gb_s"]
    return price["api_request"] + run + items


def monthly(use: Use) -> dict[str, Any]:
    """The bill as JSON members: lines, and totals with the cluster and without it, where stop alarms take its place.

    `checked` of a line: what its price was last compared with, or that it never was.
    """
    table = prices()
    price: Mapping[str, float] = table["prices"]
    requests = use.requests_per_s * MONTH_S
    orders = ORDER_SHARE * requests
    canary_runs = CANARIES * MONTH_S / max(60.0, use.canary_period_s)
    quantities = [
        ("API Gateway, requests", requests, "api_request"),
        ("Lambda, requests", requests, "function_request"),
        ("Lambda, GB-seconds", requests * use.function_ms / 1000 * MEMORY_GB, "function_gb_s"),
        ("DynamoDB, write units in both Regions", ORDER_WRITE_UNITS * orders, "write_unit"),
        ("DynamoDB, read units", READ_UNITS * (requests - orders), "read_unit"),
        ("DynamoDB, GB stored in both Regions", REGIONS * use.stored_gb, "storage_gb"),
        ("DynamoDB, GB of point-in-time recovery", REGIONS * use.stored_gb, "recovery_gb"),
        ("Route 53, queries", QUERY_SHARE * requests, "dns_query"),
        ("Route 53, hosted zone", 1.0, "zone"),
        ("Route 53, health checks", float(HEALTH_CHECKS), "health_check"),
        ("Synthetics, canary runs", canary_runs, "canary_run"),
        ("CloudWatch, alarms", float(METRIC_ALARMS), "metric_alarm"),
        ("CloudWatch, composite alarms", float(COMPOSITE_ALARMS), "composite_alarm"),
        ("CloudWatch, dashboards", float(DASHBOARDS), "dashboard"),
        ("ARC, hours of the cluster", HOURS, "cluster_hour"),
    ]
    lines = [
        {
            "what": what,
            "quantity": round(quantity, 1),
            "price_usd": price[name],
            "usd": round(quantity * price[name], 2),
            "checked": table["checked"][name] or UNVERIFIED,
        }
        for what, quantity, name in quantities
    ]
    total = round(sum(quantity * price[name] for _, quantity, name in quantities), 2)
    cluster = round(HOURS * price["cluster_hour"], 2)
    stops = round(STOP_ALARMS * price["metric_alarm"], 2)
    return {
        "basis": "computed",
        "as_of": str(table["as_of"]),
        "sources": list(table["sources"]),
        "requests_per_s": round(use.requests_per_s, 2),
        "lines": lines,
        "with_cluster_usd": total,
        "stop_alarms_usd": stops,
        "without_cluster_usd": round(total - cluster + stops, 2),
    }
