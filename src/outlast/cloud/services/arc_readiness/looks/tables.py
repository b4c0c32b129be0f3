"""DynamoDB tables and CloudWatch alarms."""

from __future__ import annotations

from typing import Any

from outlast.cloud.services.arc_readiness.looks.caller import Ask, Misread, split
from outlast.cloud.services.arc_readiness.model import Part

PEAK_WINDOW_S, PEAK_PERIOD_S = 86_400, 300


async def table(ask: Ask, part: Part) -> dict[str, Any]:
    """Facts of a table; peaks only where capacity is provisioned."""
    region, name = split(part.arn, "dynamodb", "table/")
    described = (await ask("dynamodb", "DescribeTable", {"TableName": name}, region))["Table"]
    limits = await ask("dynamodb", "DescribeLimits", {}, region)
    peaks: dict[str, float] = {}
    if (described.get("BillingModeSummary") or {}).get("BillingMode") != "PAY_PER_REQUEST":
        for unit in ("ReadCapacityUnits", "WriteCapacityUnits"):
            peaks[unit] = await _peak(ask, region, name, f"Consumed{unit}")
    return {"table": described, "limits": limits, "peaks": peaks}


async def _peak(ask: Ask, region: str, table_name: str, metric: str) -> float:
    params = {
        "Namespace": "AWS/DynamoDB",
        "MetricName": metric,
        "Dimensions": [{"Name": "TableName", "Value": table_name}],
        "StartTime": ask.now_s() - PEAK_WINDOW_S,
        "EndTime": ask.now_s(),
        "Period": PEAK_PERIOD_S,
        "Statistics": ["Sum"],
    }
    points = (await ask("cloudwatch", "GetMetricStatistics", params, region)).get("Datapoints", ())
    return max((point["Sum"] / PEAK_PERIOD_S for point in points), default=0.0)


async def alarm(ask: Ask, part: Part) -> dict[str, Any]:
    """Facts of an alarm."""
    region, name = split(part.arn, "cloudwatch", "alarm:")
    reply = await ask(
        "cloudwatch", "DescribeAlarms", {"AlarmNames": [name], "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}, region
    )
    found = [*reply.get("MetricAlarms", ()), *reply.get("CompositeAlarms", ())]
    if not found:
        raise Misread(f"There is no alarm {name} in {region}.")
    return {"alarm": found[0]}
