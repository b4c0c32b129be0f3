"""Embedded metric format: log lines that carry metrics.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

MARK: Final = '"_aws"'
MAX_DIMENSIONS: Final = 30
MAX_METRICS: Final = 100
MAX_VALUES: Final = 100

Datum = dict[str, Any]


def read_line(message: str, at_ms: int) -> Iterator[tuple[str, Datum]]:
    """(namespace, metric datum) for every metric of a line; nothing for a line that is not in the format.

    A directive that is not valid is passed over, as CloudWatch passes it over.
    """
    if MARK not in message:
        return
    try:
        document = orjson.loads(message)
    except orjson.JSONDecodeError:
        return
    meta = document.get("_aws") if isinstance(document, dict) else None
    if not isinstance(meta, dict) or not isinstance(meta.get("CloudWatchMetrics"), list):
        return
    time_ms = meta.get("Timestamp", at_ms)
    if not isinstance(time_ms, int):
        return
    for directive in meta["CloudWatchMetrics"]:
        if isinstance(directive, dict) and isinstance(directive.get("Namespace"), str):
            yield from _directive(directive, document, time_ms / 1000)


def _directive(directive: Mapping[str, Any], document: Mapping[str, Any], time_s: float) -> Iterator[tuple[str, Datum]]:
    sets = directive.get("Dimensions") or [[]]
    metrics = directive.get("Metrics")
    if not isinstance(sets, list) or not isinstance(metrics, list):
        return
    for definition in metrics[:MAX_METRICS]:
        values = _values(definition, document)
        if not values:
            continue
        for names in sets:
            dimensions = _dimensions(names, document)
            if dimensions is None:
                continue
            datum: Datum = {
                "MetricName": definition["Name"],
                "Dimensions": dimensions,
                "Timestamp": time_s,
                "Values": values,
                "Unit": definition.get("Unit", "None"),
            }
            if definition.get("StorageResolution") == 1:
                datum["StorageResolution"] = 1
            yield directive["Namespace"], datum


def _values(definition: Any, document: Mapping[str, Any]) -> list[float]:
    if not isinstance(definition, dict) or not isinstance(definition.get("Name"), str):
        return []
    found = document.get(definition["Name"])
    values = found if isinstance(found, list) else [found]
    numbers = [float(one) for one in values if isinstance(one, int | float) and not isinstance(one, bool)]
    return numbers if len(numbers) == len(values) <= MAX_VALUES else []


def _dimensions(names: Any, document: Mapping[str, Any]) -> list[dict[str, str]] | None:
    if not isinstance(names, list) or len(names) > MAX_DIMENSIONS:
        return None
    found = []
    for name in names:
        value = document.get(name) if isinstance(name, str) else None
        if not isinstance(value, str) or not value:
            return None
        found.append({"Name": name, "Value": value})
    return found
