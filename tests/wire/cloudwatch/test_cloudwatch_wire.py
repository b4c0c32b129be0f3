"""CloudWatch as boto3 and the AWS CLI see it, in all three of its protocols."""

from __future__ import annotations

import copy
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.session import get_session

from tests.conftest import World


def client_of(world: World, protocol: str) -> Any:
    """A client that speaks one of the service's protocols."""
    known = world.client("cloudwatch")
    credentials = known._request_signer._credentials
    session = get_session()
    loader = session.get_component("data_loader")
    model = copy.deepcopy(loader.load_service_model("cloudwatch", "service-2"))
    model["metadata"].update(protocol=protocol, protocols=[protocol])
    load = loader.load_service_model
    loader.load_service_model = lambda name, kind, **more: model if kind == "service-2" else load(name, kind, **more)
    return session.create_client(
        "cloudwatch",
        region_name="us-east-1",
        endpoint_url=known.meta.endpoint_url,
        verify=str(world.folder / "ca.pem"),
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
    )


@pytest.mark.parametrize("protocol", ["smithy-rpc-v2-cbor", "json", "query"])
def test_data_goes_in_and_comes_out(world: World, protocol: str) -> None:
    client = client_of(world, protocol)
    assert client.meta.service_model.resolved_protocol == protocol
    namespace = f"Wire/{protocol}"
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    data = [
        {"MetricName": "M", "Timestamp": now - timedelta(minutes=n), "Value": float(n), "Unit": "Count",
         "Dimensions": [{"Name": "Host", "Value": "a"}]}
        for n in range(3)
    ]  # fmt: skip
    client.put_metric_data(Namespace=namespace, MetricData=data)
    client.put_metric_data(
        Namespace=namespace,
        MetricData=[{"MetricName": "H", "Timestamp": now, "Values": [1.0, 5.0], "Counts": [3.0, 1.0]}],
    )
    metric = {"Namespace": namespace, "MetricName": "M", "Dimensions": [{"Name": "Host", "Value": "a"}]}
    reply = client.get_metric_data(
        MetricDataQueries=[
            {"Id": "m1", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}},
            {"Id": "e1", "Expression": "m1 * 10"},
        ],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=1),
        ScanBy="TimestampAscending",
    )
    first, second = reply["MetricDataResults"]
    assert first["Timestamps"] == [now - timedelta(minutes=n) for n in (2, 1, 0)]
    assert (first["Values"], second["Values"]) == ([2.0, 1.0, 0.0], [20.0, 10.0, 0.0])
    statistics = client.get_metric_statistics(
        Namespace=namespace, MetricName="H", StartTime=now, EndTime=now + timedelta(minutes=1), Period=60,
        Statistics=["Average", "SampleCount"], ExtendedStatistics=["p90"],
    )["Datapoints"]  # fmt: skip
    assert statistics == [
        {"Timestamp": now, "Average": 2.0, "SampleCount": 4.0, "Unit": "None", "ExtendedStatistics": {"p90": 5.0}}
    ]
    listed = client.list_metrics(Namespace=namespace)["Metrics"]
    assert {one["MetricName"] for one in listed} == {"M", "H"}
    with pytest.raises(ClientError) as caught:
        client.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "M", "Value": 1.0, "Values": [1.0]}])
    assert caught.value.response["Error"]["Code"] == "InvalidParameterCombination"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize("protocol", ["smithy-rpc-v2-cbor", "json", "query"])
def test_alarms_and_dashboards(world: World, protocol: str) -> None:
    client = client_of(world, protocol)
    name = f"alarm-{protocol}"
    client.put_metric_alarm(
        AlarmName=name, Namespace="Wire", MetricName="M", Statistic="Average", Period=60, EvaluationPeriods=1,
        Threshold=1.0, ComparisonOperator="GreaterThanThreshold", Tags=[{"Key": "a", "Value": "b"}],
    )  # fmt: skip
    client.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by hand")
    (alarm,) = client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert (alarm["StateValue"], alarm["StateReason"], alarm["Threshold"]) == ("ALARM", "by hand", 1.0)
    assert client.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    history = client.describe_alarm_history(AlarmName=name)["AlarmHistoryItems"]
    assert {one["HistoryItemType"] for one in history} == {"StateUpdate", "ConfigurationUpdate"}
    client.put_dashboard(DashboardName=name, DashboardBody='{"widgets": []}')
    assert client.get_dashboard(DashboardName=name)["DashboardBody"] == '{"widgets": []}'
    with pytest.raises(ClientError) as caught:
        client.put_dashboard(DashboardName=name, DashboardBody='{"widgets": [{}]}')
    assert caught.value.response["Error"]["Code"] == "InvalidParameterInput"
    client.delete_dashboards(DashboardNames=[name])
    client.delete_alarms(AlarmNames=[name])
    with pytest.raises(ClientError) as caught:
        client.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFound"


def test_the_command_line(world: World) -> None:
    world.aws("cloudwatch", "put-metric-data", "--namespace", "Cli", "--metric-name", "M", "--value", "3")
    found = world.aws("cloudwatch", "list-metrics", "--namespace", "Cli")
    assert found["Metrics"] == [{"Namespace": "Cli", "MetricName": "M", "Dimensions": []}]


def test_an_alarm_fires_within_its_period_and_a_restart_keeps_it_all(make_world: Any) -> None:
    world = make_world()
    client = world.client("cloudwatch")
    client.put_metric_alarm(
        AlarmName="fast", Namespace="Wire", MetricName="F", Statistic="Sum", Period=10, EvaluationPeriods=1,
        Threshold=1.0, ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching",
    )  # fmt: skip
    deadline = time.monotonic() + 40
    while client.describe_alarms()["MetricAlarms"][0]["StateValue"] != "ALARM":
        assert time.monotonic() < deadline
        client.put_metric_data(Namespace="Wire", MetricData=[{"MetricName": "F", "Value": 5.0, "StorageResolution": 1}])
        time.sleep(0.3)
    world.end_fault(world.fault("region-killed", "us-east-1"))
    total = client.get_metric_statistics(
        Namespace="Wire", MetricName="F", StartTime=datetime.now(UTC) - timedelta(hours=1),
        EndTime=datetime.now(UTC) + timedelta(minutes=1), Period=3600, Statistics=["Sum"],
    )["Datapoints"]  # fmt: skip
    assert sum(one["Sum"] for one in total) >= 5.0
    items = client.describe_alarm_history(AlarmName="fast", HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert any("to ALARM" in one["HistorySummary"] for one in items)
