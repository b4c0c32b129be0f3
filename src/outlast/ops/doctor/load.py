"""The busiest minute of late, by CloudWatch: what a survivor would have to take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from outlast.ops.deployment import RegionPart
from outlast.ops.doctor.facts import Traffic
from outlast.ops.observe.metrics import Points, Series, ask

LOOK_BACK_S: Final = 86_400.0
PERIOD_S: Final = 60


def busiest(client: Any, part: RegionPart, resources: Sequence[str], at_s: float) -> Traffic:
    """The busiest minute of the day before `at_s`, each figure by itself. `resources`: tables, and indexes as
    `table/index`. Raises botocore's errors.
    """
    api, function = {"ApiName": part.api_name, "Stage": part.stage}, {"FunctionName": part.function}
    wanted = [
        Series("count", "AWS/ApiGateway", "Count", api, "Sum"),
        Series("runs", "AWS/Lambda", "ConcurrentExecutions", function, "Maximum"),
    ]
    for number, name in enumerate(resources):
        table = _dimensions(name)
        wanted.append(Series(f"r{number}", "AWS/DynamoDB", "ConsumedReadCapacityUnits", table, "Sum"))
        wanted.append(Series(f"w{number}", "AWS/DynamoDB", "ConsumedWriteCapacityUnits", table, "Sum"))
    from_s = (at_s - LOOK_BACK_S) // PERIOD_S * PERIOD_S
    points = ask(client, wanted, PERIOD_S, from_s, at_s)
    count = _most(points, "count")
    return Traffic(
        requests_per_s=None if count is None else count / PERIOD_S,
        concurrent_runs=_most(points, "runs"),
        read_units=_units(points, "r", resources),
        write_units=_units(points, "w", resources),
    )


def _dimensions(resource: str) -> dict[str, str]:
    table, _, index = resource.partition("/")
    return {"TableName": table, "GlobalSecondaryIndexName": index} if index else {"TableName": table}


def _most(points: Points, ident: str) -> float | None:
    return max((value for _, value in points.get(ident, ())), default=None)


def _units(points: Points, letter: str, resources: Sequence[str]) -> dict[str, float]:
    found = {name: _most(points, f"{letter}{number}") for number, name in enumerate(resources)}
    return {name: value / PERIOD_S for name, value in found.items() if value is not None}
