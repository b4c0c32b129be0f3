"""CloudWatch Logs as boto3 and the AWS CLI see it."""

from __future__ import annotations

import json
import time

import pytest
from botocore.exceptions import ClientError

from tests.conftest import World


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_events_are_put_read_and_searched(world: World) -> None:
    client = world.client("logs")
    client.create_log_group(logGroupName="/wire/app", tags={"a": "b"})
    client.create_log_stream(logGroupName="/wire/app", logStreamName="one")
    at = now_ms()
    batch = [{"timestamp": at + n, "message": f"line {n}" + (" ERROR" if n == 2 else "")} for n in range(4)]
    assert "rejectedLogEventsInfo" not in client.put_log_events(
        logGroupName="/wire/app", logStreamName="one", logEvents=batch
    )
    read = client.get_log_events(logGroupName="/wire/app", logStreamName="one", startFromHead=True)["events"]
    assert [one["message"] for one in read] == ["line 0", "line 1", "line 2 ERROR", "line 3"]
    found = client.get_paginator("filter_log_events").paginate(logGroupName="/wire/app", filterPattern="ERROR")
    (event,) = found.build_full_result()["events"]
    assert (event["message"], event["logStreamName"], event["timestamp"]) == ("line 2 ERROR", "one", at + 2)
    with pytest.raises(ClientError) as caught:
        client.get_log_events(logGroupName="/wire/app", logStreamName="two")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
    with pytest.raises(ClientError) as caught:
        client.start_query(logGroupName="/wire/app", startTime=0, endTime=1, queryString="fields @message")
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"
    client.delete_log_group(logGroupName="/wire/app")


def test_the_command_line_tails(world: World) -> None:
    client = world.client("logs")
    client.create_log_group(logGroupName="/wire/cli")
    client.create_log_stream(logGroupName="/wire/cli", logStreamName="s")
    client.put_log_events(
        logGroupName="/wire/cli", logStreamName="s", logEvents=[{"timestamp": now_ms(), "message": "hello there"}]
    )
    found = world.aws("logs", "filter-log-events", "--log-group-name", "/wire/cli", "--filter-pattern", "hello")
    assert [one["message"] for one in found["events"]] == ["hello there"]
    groups = world.aws("logs", "describe-log-groups", "--log-group-name-prefix", "/wire/cli")["logGroups"]
    assert groups[0]["logGroupName"] == "/wire/cli"


def test_metrics_in_log_lines_reach_cloudwatch(world: World) -> None:
    client, watch = world.client("logs"), world.client("cloudwatch")
    client.create_log_group(logGroupName="/wire/emf")
    client.create_log_stream(logGroupName="/wire/emf", logStreamName="s")
    client.put_metric_filter(
        logGroupName="/wire/emf",
        filterName="errors",
        filterPattern='{ $.level = "ERROR" }',
        metricTransformations=[{"metricName": "Errors", "metricNamespace": "WireLogs", "metricValue": "1"}],
    )
    directive = {"Namespace": "WireLogs", "Dimensions": [["Op"]], "Metrics": [{"Name": "Time", "Unit": "Milliseconds"}]}
    line = {"_aws": {"Timestamp": now_ms(), "CloudWatchMetrics": [directive]}, "Op": "get", "Time": 7}
    messages = [json.dumps(line), json.dumps({"level": "ERROR"})]
    client.put_log_events(
        logGroupName="/wire/emf",
        logStreamName="s",
        logEvents=[{"timestamp": now_ms(), "message": one} for one in messages],
    )
    deadline = time.monotonic() + 10
    while len(found := watch.list_metrics(Namespace="WireLogs")["Metrics"]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert {(one["MetricName"], len(one["Dimensions"])) for one in found} == {("Errors", 0), ("Time", 1)}
