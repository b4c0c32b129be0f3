"""What tells of retries, by CloudWatch: requests, runs and calls, and those among them that failed or were throttled.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html,
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html (throttled requests are no invocations) and
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
"""

from __future__ import annotations

from typing import Any, Final

from outlast.ops.deployment import Deployment, RegionPart
from outlast.ops.observe.metrics import LOOK_BACK, Points, Series, ask, period_over
from outlast.ops.plan.retries import Asked

CALLS: Final = ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "TransactGetItems", "TransactWriteItems")
"""What the application asks of its tables."""
THROTTLED: Final = ("ReadThrottleEvents", "WriteThrottleEvents")
MINUTE_S: Final = 60
HOUR_S: Final = 3600
LATEST_S: Final = 120
"""The minutes that are not called usual: what is going on now is in them."""


def series(deployment: Deployment, part: RegionPart) -> list[Series]:
    """What CloudWatch is asked for. A local world has no count of calls that DynamoDB throttled."""
    tables = deployment.tables
    api, function = {"ApiName": part.api_name, "Stage": part.stage}, {"FunctionName": part.function}
    wanted = [
        Series("requests", "AWS/ApiGateway", "Count", api, "Sum"),
        Series("failed", "AWS/ApiGateway", "5XXError", api, "Sum"),
        Series("runs", "AWS/Lambda", "Invocations", function, "Sum"),
        Series("refusedruns", "AWS/Lambda", "Throttles", function, "Sum"),
    ]
    for number, name in enumerate((tables.customers, tables.products, tables.orders)):
        for call in CALLS:
            held = {"TableName": name, "Operation": call}
            ident = f"calls{number}{call.lower()}"
            wanted.append(Series(ident, "AWS/DynamoDB", "SuccessfulRequestLatency", held, "SampleCount"))
        for metric in THROTTLED if deployment.kind == "aws" else ():
            ident = f"refusedcalls{number}{metric.lower()}"
            wanted.append(Series(ident, "AWS/DynamoDB", metric, {"TableName": name}, "Sum"))
    return wanted


def read(client: Any, deployment: Deployment, part: RegionPart, now_s: float) -> Asked:
    """What a Region was asked of late, and in each minute of the hour before. Raises botocore's errors."""
    period_s = period_over(deployment.canary_period_s)
    span_s = LOOK_BACK * period_s
    from_s = now_s // period_s * period_s - span_s
    late = ask(client, series(deployment, part), period_s, from_s, from_s + span_s)
    counted = Series("count", "AWS/ApiGateway", "Count", {"ApiName": part.api_name, "Stage": part.stage}, "Sum")
    until_s = now_s // MINUTE_S * MINUTE_S - LATEST_S
    before = ask(client, [counted], MINUTE_S, until_s - HOUR_S, until_s)
    return Asked(
        span_s=span_s,
        requests=_sum(late, "requests"),
        failed=_sum(late, "failed"),
        runs=_sum(late, "runs"),
        throttled_runs=_sum(late, "refusedruns"),
        calls=_sum(late, "calls"),
        throttled_calls=_sum(late, "refusedcalls") if deployment.kind == "aws" else None,
        minutes=dict(before.get("count", ())),
    )


def _sum(points: Points, begin: str) -> float:
    return sum(value for ident, found in points.items() if ident.startswith(begin) for _, value in found)
