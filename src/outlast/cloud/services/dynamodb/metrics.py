"""The metrics of DynamoDB in CloudWatch: namespace AWS/DynamoDB, written as counters.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
"""

from __future__ import annotations

from outlast.cloud.contract.meter import Meter, Series

NAMESPACE = "AWS/DynamoDB"


class TableMetrics:
    """The series of one table; those that the item path uses are held by reference."""

    __slots__ = ("_latencies", "_meter", "_name", "_returned", "condition_failures", "conflicts", "reads", "writes")

    def __init__(self, meter: Meter, name: str) -> None:
        self._meter = meter
        self._name = name
        table = {"TableName": name}
        self.reads = meter.series(NAMESPACE, "ConsumedReadCapacityUnits", table, "Count")
        self.writes = meter.series(NAMESPACE, "ConsumedWriteCapacityUnits", table, "Count")
        self.condition_failures = meter.series(NAMESPACE, "ConditionalCheckFailedRequests", table, "Count")
        self.conflicts = meter.series(NAMESPACE, "TransactionConflict", table, "Count")
        self._latencies: dict[str, Series] = {}
        self._returned: dict[str, Series] = {}

    def latency(self, operation: str) -> Series:
        """SuccessfulRequestLatency of an operation, milliseconds."""
        series = self._latencies.get(operation)
        if series is None:
            dimensions = {"TableName": self._name, "Operation": operation}
            series = self._meter.series(NAMESPACE, "SuccessfulRequestLatency", dimensions, "Milliseconds")
            self._latencies[operation] = series
        return series

    def returned(self, operation: str) -> Series:
        """ReturnedItemCount of Query and Scan."""
        series = self._returned.get(operation)
        if series is None:
            dimensions = {"TableName": self._name, "Operation": operation}
            series = self._meter.series(NAMESPACE, "ReturnedItemCount", dimensions, "Count")
            self._returned[operation] = series
        return series

    def named(self, name: str, unit: str = "Count", **dimensions: str) -> Series:
        """Another series of the table."""
        return self._meter.series(NAMESPACE, name, {"TableName": self._name, **dimensions}, unit)
