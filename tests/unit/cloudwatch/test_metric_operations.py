"""PutMetricData, GetMetricData, GetMetricStatistics and ListMetrics."""

from __future__ import annotations

from typing import Any

import pytest

from outlast.cloud.contract import Fault, ValidationException
from outlast.cloud.engine import store
from outlast.cloud.services.cloudwatch import own
from outlast.cloud.services.cloudwatch.errors import (
    InvalidParameterCombinationException,
    InvalidParameterValueException,
    MissingRequiredParameterException,
)
from outlast.cloud.services.cloudwatch.operations.metrics import list_metrics, put_metric_data
from outlast.cloud.services.cloudwatch.operations.statistics import get_metric_data, get_metric_statistics
from tests.unit.cloudwatch.stage import START_S, Stage


async def put(stage: Stage, *data: dict[str, Any], namespace: str = "App") -> None:
    await put_metric_data(stage.call(), namespace=namespace, metric_data=list(data))


def entry(value: Any = 1.0, at: int = 0, **more: Any) -> dict[str, Any]:
    return {"MetricName": "M", "Value": value, "Timestamp": START_S + at, **more}


def stat(identifier: str = "m1", statistic: str = "Sum", period: int = 60, **more: Any) -> dict[str, Any]:
    metric = {"Namespace": "App", "MetricName": more.pop("name", "M"), "Dimensions": more.pop("dimensions", [])}
    return {"Id": identifier, "MetricStat": {"Metric": metric, "Period": period, "Stat": statistic}, **more}


def ask(stage: Stage, *queries: dict[str, Any], span_s: int = 300, **more: Any) -> list[dict[str, Any]]:
    reply = get_metric_data(
        stage.call(), metric_data_queries=list(queries), start_time=START_S, end_time=START_S + span_s, **more
    )
    return list(reply["MetricDataResults"])


async def test_every_form_of_data_counts(stage: Stage) -> None:
    await put(
        stage,
        entry(5),
        {"MetricName": "M", "Timestamp": START_S, "Values": [1.0, 2.0], "Counts": [2.0, 1.0]},
        {"MetricName": "M", "Timestamp": START_S, "Values": [3.0]},
        {"MetricName": "M", "Timestamp": START_S + 60,
         "StatisticValues": {"SampleCount": 4, "Sum": 10, "Minimum": 1, "Maximum": 4}},
    )  # fmt: skip
    found = {
        one: ask(stage, stat(statistic=one), scan_by="TimestampAscending")[0]["Values"]
        for one in ("Sum", "SampleCount", "Minimum", "Maximum", "p50")
    }
    assert found == {
        "Sum": [12, 10],
        "SampleCount": [5, 4],
        "Minimum": [1, 1],
        "Maximum": [5, 4],
        "p50": [2],
    }


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        (
            entry(float("nan")),
            InvalidParameterValueException,
            "The value nan for parameter MetricData.member.1.Value is invalid.",
        ),
        (entry(2.0**361), InvalidParameterValueException, "is invalid"),
        ({"MetricName": "M"}, MissingRequiredParameterException, "MetricData.member.1.Value"),
        (
            entry(1, Values=[1.0]),
            InvalidParameterCombinationException,
            "The parameters MetricData.member.1.Value and MetricData.member.1.Values are mutually exclusive",
        ),
        ({"MetricName": "M", "Values": [1.0] * 151}, InvalidParameterValueException, "size greater than 150"),
        ({"MetricName": "M", "Values": [1.0], "Counts": [1.0, 2.0]}, InvalidParameterValueException, "same size"),
        ({"MetricName": "M", "Value": 1.0, "Counts": [1.0]}, InvalidParameterCombinationException, "Counts"),
        (entry(1, at=3 * 3600), InvalidParameterValueException, "no more than two hours in the future"),
        (entry(1, at=-15 * 86_400), InvalidParameterValueException, "within the past two weeks"),
        (entry(1, StorageResolution=5), InvalidParameterValueException, "StorageResolution"),
        (
            entry(1, Dimensions=[{"Name": "a", "Value": "1"}, {"Name": "a", "Value": "2"}]),
            InvalidParameterValueException,
            "twice",
        ),
        (
            {"MetricName": "M", "StatisticValues": {"SampleCount": 0, "Sum": 0, "Minimum": 0, "Maximum": 0}},
            InvalidParameterValueException,
            "SampleCount is invalid",
        ),
        (
            {"MetricName": "M", "StatisticValues": {"SampleCount": 1, "Sum": 0, "Minimum": 2, "Maximum": 1}},
            InvalidParameterCombinationException,
            "must be greater",
        ),
    ],
)
async def test_bad_data_is_refused_whole(stage: Stage, data: dict[str, Any], kind: type[Fault], message: str) -> None:
    with pytest.raises(kind, match=r".") as caught:
        await put(stage, data, entry(7))
    assert message in caught.value.message
    assert ask(stage, stat())[0]["Values"] == []


async def test_namespaces_of_aws_are_closed_to_users(stage: Stage) -> None:
    with pytest.raises(
        InvalidParameterValueException, match=r"The value AWS/Lambda for parameter Namespace is invalid."
    ):
        await put(stage, entry(), namespace="AWS/Lambda")
    with pytest.raises(InvalidParameterValueException, match="size greater than 1000"):
        await put(stage, *[entry()] * 1001)


async def test_results_are_newest_first_with_a_label(stage: Stage) -> None:
    await put(stage, entry(1), entry(2, at=60), entry(3, at=120))
    (found,) = ask(stage, stat(Label="load"))
    assert found == {
        "Id": "m1",
        "Label": "load",
        "Timestamps": [START_S + 120, START_S + 60, START_S],
        "Values": [3, 2, 1],
        "StatusCode": "Complete",
    }
    (found,) = ask(stage, stat(), scan_by="TimestampAscending", span_s=61)
    assert (found["Label"], found["Values"]) == ("M", [1, 2])


async def test_expressions_use_other_queries(stage: Stage) -> None:
    errors = {"MetricName": "Errors", "Value": 1.0, "Timestamp": START_S + 60}
    await put(stage, entry(10), entry(20, at=60), errors)
    results = ask(
        stage,
        stat("m1", ReturnData=False),
        stat("e1", name="Errors", ReturnData=False),
        {"Id": "rate", "Expression": "100 * FILL(e1, 0) / m1", "Label": "error rate"},
        scan_by="TimestampAscending",
    )
    assert [(one["Id"], one["Label"], one["Values"]) for one in results] == [("rate", "error rate", [0, 5])]


async def test_search_finds_metrics(stage: Stage) -> None:
    for host in ("a", "b"):
        await put(stage, entry(1, Dimensions=[{"Name": "Host", "Value": host}]))
    await put(stage, entry(9))
    found = ask(stage, {"Id": "s", "Expression": "SEARCH('{App,Host} MetricName=\"M\"', 'Sum', 60)"})
    assert [(one["Label"], one["Values"]) for one in found] == [("a", [1]), ("b", [1])]
    (total,) = ask(stage, {"Id": "t", "Expression": "SUM(SEARCH('{App,Host} M', 'Sum', 60))"})
    assert total["Values"] == [2]
    with pytest.raises(ValidationException, match="OR in SEARCH is not supported"):
        ask(stage, {"Id": "s", "Expression": "SEARCH('{App,Host} a OR b', 'Sum', 60)"})


async def test_long_results_come_in_pages(stage: Stage) -> None:
    await put(stage, *[entry(n, at=60 * n) for n in range(5)], *[entry(n, at=60 * n, MetricName="N") for n in range(5)])
    queries = [stat("m1"), stat("m2", name="N")]
    pages: list[list[float]] = []
    token: str | None = None
    while True:
        reply = get_metric_data(
            stage.call(), metric_data_queries=queries, start_time=START_S, end_time=START_S + 300,
            max_datapoints=4, next_token=token, scan_by="TimestampAscending",
        )  # fmt: skip
        pages.append([value for one in reply["MetricDataResults"] for value in one["Values"]])
        token = reply.get("NextToken")
        if token is None:
            break
    assert pages == [[0, 1, 2, 3], [4, 0, 1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        ([stat("M1")], "The value M1 for parameter MetricDataQueries.member.1.Id is not matching the expected pattern"),
        ([stat(), stat()], "The values for parameter id in MetricDataQueries are not unique."),
        ([stat(ReturnData=False)], "ReturnData set to true"),
        ([{"Id": "e"}], "Exactly one of"),
        ([stat(statistic="tm99")], "The statistic tm99 is not supported by this cloud"),
        ([stat(period=7)], "Period is not supported"),
        ([{"Id": "e", "Expression": "nope * 2"}], "Error in expression 'e': Unknown id nope"),
        ([{"Id": "e", "Expression": "e * 2"}], "it refers to itself"),
        ([{"Id": "e", "Expression": "1 +"}], "Error in expression 'e': Unexpected end"),
        ([{"Id": "e", "Expression": "1 + 1"}], "must be a time series"),
        ([{"Id": "e", "Expression": "SELECT AVG(x) FROM y"}], "Metrics Insights"),
        ([stat(AccountId="999999999999")], "AccountId is not supported"),
    ],
)
async def test_bad_queries_are_refused(stage: Stage, queries: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValidationException) as caught:
        ask(stage, *queries)
    assert message in caught.value.message


async def test_statistics_of_one_metric(stage: Stage) -> None:
    await put(stage, *[entry(float(n), Unit="Milliseconds") for n in range(1, 11)], entry(1, at=60, Unit="Count"))
    reply = get_metric_statistics(
        stage.call(), namespace="App", metric_name="M", start_time=START_S, end_time=START_S + 300, period=60,
        statistics=["Average", "Maximum"], extended_statistics=["p90"],
    )  # fmt: skip
    assert reply["Label"] == "M"
    points = sorted(reply["Datapoints"], key=lambda one: one["Timestamp"])
    assert points == [
        {"Timestamp": START_S, "Unit": "Milliseconds", "Average": 5.5, "Maximum": 10, "ExtendedStatistics": {"p90": 9}},
        {"Timestamp": START_S + 60, "Unit": "Count", "Average": 1, "Maximum": 1, "ExtendedStatistics": {"p90": 1}},
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"statistics": []}, "Must specify either Statistics or ExtendedStatistics"),
        ({"end_time": START_S - 1}, "StartTime must be less than"),
        (
            {"end_time": START_S + 86_400 * 2},
            "You have requested up to 2,880 datapoints, which exceeds the limit of 1,440.",
        ),
        ({"extended_statistics": ["tm10"]}, "tm10 is not supported"),
        ({"period": 45}, "Period"),
    ],
)
async def test_bad_statistics_requests(stage: Stage, given: dict[str, Any], message: str) -> None:
    request: dict[str, Any] = {
        "namespace": "App", "metric_name": "M", "start_time": START_S, "end_time": START_S + 60, "period": 60,
        "statistics": ["Sum"], **given,
    }  # fmt: skip
    with pytest.raises(Fault) as caught:
        get_metric_statistics(stage.call(), **request)
    assert message in caught.value.message


async def test_metrics_are_listed_while_they_have_data(stage: Stage) -> None:
    await put(stage, entry(1, Dimensions=[{"Name": "Host", "Value": "a"}]), entry(1))
    await put(stage, entry(), namespace="Other")
    assert [one["Namespace"] for one in list_metrics(stage.call())["Metrics"]] == ["App", "App", "Other"]
    found = list_metrics(stage.call(), namespace="App", dimensions=[{"Name": "Host"}])["Metrics"]
    assert found == [{"Namespace": "App", "MetricName": "M", "Dimensions": [{"Name": "Host", "Value": "a"}]}]
    stage.clock.time_s += 4 * 3600
    assert list_metrics(stage.call(), recently_active="PT3H")["Metrics"] == []
    assert len(list_metrics(stage.call())["Metrics"]) == 3
    stage.clock.time_s += 15 * 86_400
    assert list_metrics(stage.call())["Metrics"] == []


async def test_a_base_that_falls_behind_the_log_shows_before_the_limit(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def utilization() -> list[float]:
        metric = {"Namespace": "Outlast", "MetricName": "CommitLogUtilization"}
        wanted = {"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}
        return list(ask(stage, wanted)[0]["Values"])

    engine = stage.region.engine
    monkeypatch.setattr(store, "TABLE_BYTES", 20_000)
    monkeypatch.setattr(store.Store, "_flush", lambda self: None)
    stage.clock.time_s += 1
    own.drain(stage.state)
    assert utilization() == []
    for number, expected in enumerate((33.3, 66.7)):
        with engine.begin() as tx:
            tx.put(engine.space("t"), b"key%d" % number, bytes(21_000))
        stage.clock.time_s += 1
        own.drain(stage.state)
        assert utilization() == [expected]
