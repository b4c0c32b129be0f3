"""Observing: every vantage point says what it sees, and silence is not taken for health."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest

from outlast.ops.clients import Clients, difference
from outlast.ops.names import NameServer, Resolved
from outlast.ops.observe import events, heartbeat, metrics
from outlast.ops.observe.metrics import CanaryReader, alarm_sample, read_region, request_rate
from outlast.ops.observe.probes import Probe
from outlast.ops.observe.survey import Latest, Rates, Survey
from outlast.ops.outcome import OpsError
from outlast.ops.sightings import Sample
from outlast.ops.signing import Credentials
from outlast.ops.watch import Watch
from tests.unit.ops.fakes import FakeClients, fault, sample_deployment
from tests.unit.ops.servers import dns_server, http_server, reply

KEYS = Credentials("AKIDEXAMPLE", "secret")
NOW_S = 1000.0


class Loopback:
    async def resolve(self, name: str) -> Resolved:
        return Resolved(("127.0.0.1",), (name,), 60.0, NameServer("127.0.0.1"))


def probe(port: int, pooled: bool = False, slow_ms: float = 1500.0) -> Probe:
    return Probe("us-east-1", "http://api.test/live", port, Loopback(), None, lambda: KEYS, pooled, slow_ms)


async def test_a_probe_is_signed_for_its_region_and_sees_a_well_region() -> None:
    async def healthy(method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
        assert target == "/live/health"
        assert "/us-east-1/execute-api/aws4_request" in headers["authorization"]
        return reply(200, b'{"status":"ok"}')

    async with http_server(healthy) as (port, peers):
        fresh, pooled = probe(port), probe(port, pooled=True)
        samples = [await each.look() for each in (fresh, fresh, pooled, pooled)]
        pooled.close()
        assert len(peers) == 3
    assert [sample.vantage for sample in samples] == ["probe-fresh", "probe-fresh", "probe-pooled", "probe-pooled"]
    assert not any(sample.bad for sample in samples)


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (reply(503), "status 503"),
        (reply(200, b"hello"), "an answer that is no JSON"),
        (reply(200, b'{"status":"no"}'), "an answer that is not ok"),
        (b"", "unreachable"),
    ],
)
async def test_a_probe_sees_each_kind_of_wrong_answer(answer: bytes, detail: str) -> None:
    async def handler(*_: object) -> bytes:
        return answer

    async with http_server(handler) as (port, _):
        sample = await probe(port).look()
    assert sample.bad
    assert detail in sample.detail


async def test_a_late_answer_is_a_bad_one() -> None:
    async def late(*_: object) -> bytes:
        await asyncio.sleep(0.05)
        return reply(200, b'{"status":"ok"}')

    async with http_server(late) as (port, _):
        assert (await probe(port, slow_ms=20).look()).detail == "no answer within 20 ms"
        assert not (await probe(port, slow_ms=1000).look()).bad


def test_a_region_s_metrics_are_read_with_their_limits() -> None:
    points = {
        "count": [(1.0, 10.0), (2.0, 100.0)],
        "failed": [(2.0, 4.0)],
        "latency": [(2.0, 80.0)],
        "invocations": [(2.0, 96.0)],
    }
    assert [sample.bad for sample in read_region("r", points, NOW_S)] == [False, False]
    worse = {**points, "failed": [(2.0, 30.0)], "latency": [(2.0, 2100.0)], "throttles": [(2.0, 9.0)]}
    endpoint, components = read_region("r", worse, NOW_S)
    assert endpoint.detail == "30% answered with an error, p90 2100 ms"
    assert components.detail == "9 of 96 invocations failed"
    assert read_region("r", {}, NOW_S) == []
    assert request_rate(points, 5) == 11.0
    assert request_rate({}, 5) is None


def test_each_run_of_a_canary_is_one_sample() -> None:
    reader = CanaryReader("observer-canary", "r")
    assert [sample.bad for sample in reader.read([(1.0, 100.0), (2.0, 0.0)], NOW_S)] == [False, True]
    assert reader.read([(2.0, 0.0)], NOW_S) == []
    assert [sample.detail for sample in reader.read([(2.0, 0.0), (3.0, 50.0)], NOW_S)] == ["success 50 %"]


def test_an_alarm_without_data_says_nothing() -> None:
    assert alarm_sample("region-alarm", "r", "a", "INSUFFICIENT_DATA", NOW_S) == []
    assert alarm_sample("region-alarm", "r", "a", None, NOW_S) == []
    assert [sample.bad for sample in alarm_sample("region-alarm", "r", "a", "ALARM", NOW_S)] == [True]


def test_an_open_issue_is_a_bad_sign_for_its_region_only() -> None:
    class Health:
        def describe_events(self, filter: dict[str, Any]) -> dict[str, Any]:
            assert filter["eventStatusCodes"] == ["open"]
            return {"events": [{"region": "us-east-1", "eventTypeCode": "AWS_LAMBDA_OPERATIONAL_ISSUE"}]}

    samples = events.read(Health(), ["us-east-1", "us-west-2"], NOW_S)
    assert [(sample.region, sample.bad) for sample in samples] == [("us-east-1", True), ("us-west-2", False)]


class Replica:
    """A customers table; `other` gets what is written when `linked`."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.other: Replica | None = None
        self.error: Exception | None = None

    def put_item(self, TableName: str, Item: dict[str, Any]) -> None:
        if self.error:
            raise self.error
        self.items[Item["customer_id"]["S"]] = Item
        if self.other:
            self.other.items[Item["customer_id"]["S"]] = Item

    def get_item(self, TableName: str, Key: dict[str, Any], ConsistentRead: bool) -> dict[str, Any]:
        if self.error:
            raise self.error
        item = self.items.get(Key["customer_id"]["S"])
        return {"Item": item} if item else {}


def test_the_heartbeat_ages_when_the_link_is_cut() -> None:
    east, west = Replica(), Replica()
    east.other = west
    assert heartbeat.write(east, "t", "us-east-1", 100.0) == ""
    assert heartbeat.read(west, "t", "us-east-1", "us-west-2", 101.0).age_ms == 1000.0
    east.other = None
    heartbeat.write(east, "t", "us-east-1", 120.0)
    beat = heartbeat.read(west, "t", "us-east-1", "us-west-2", 121.0)
    assert beat.sample(121.0, 10_000).bad
    assert not beat.sample(121.0, 30_000).bad


def test_a_heartbeat_that_cannot_be_written_or_read_is_told() -> None:
    broken = Replica()
    broken.error = fault("InternalServerError", status=500)
    assert "InternalServerError" in heartbeat.write(broken, "t", "r", NOW_S)
    unread = heartbeat.read(broken, "t", "r", "s", NOW_S).sample(NOW_S, 1000)
    assert (unread.region, unread.bad) == ("s", True)
    unwritten = replace(heartbeat.Beat("r", "s", 900.0), not_written="no").sample(NOW_S, 1000)
    assert (unwritten.region, unwritten.bad) == ("r", True)
    assert heartbeat.read(Replica(), "t", "r", "s", NOW_S).sample(NOW_S, 1000).detail == "never seen in s"


class CloudWatch:
    def __init__(self, region: str) -> None:
        self.region = region

    def get_metric_data(self, MetricDataQueries: list[Any], **_: Any) -> dict[str, Any]:
        moment = datetime.now(UTC)
        values = {"count": 50.0, "failed": 25.0, "c0": 100.0, "c1": 100.0}
        results = [
            {"Id": query["Id"], "Timestamps": [moment], "Values": [values.get(query["Id"], 0.0)]}
            for query in MetricDataQueries
        ]
        return {"MetricDataResults": results}

    def describe_alarms(self, AlarmNames: list[str], AlarmTypes: list[str]) -> dict[str, Any]:
        return {"CompositeAlarms": [{"AlarmName": name, "StateValue": "ALARM"} for name in AlarmNames]}


class Silent:
    def describe_events(self, **_: Any) -> None:
        raise fault("SubscriptionRequiredException")


class Links:
    """Every Region still sends its orders to the first one."""

    def list_replication_links(self) -> dict[str, Any]:
        return {"Links": [
            {"TableName": "orders-orders", "Region": "us-east-1", "Status": "CREATING"},
            {"TableName": "orders-customers", "Region": "us-east-1", "Status": "ACTIVE"},
            {"TableName": "orders-orders", "Region": "eu-west-1", "Status": "CREATING"},
            {"TableName": "another", "Region": "us-east-1", "Status": "CREATING"},
        ]}  # fmt: skip


async def test_the_survey_looks_from_everywhere_and_survives_what_fails() -> None:
    async def handler(*_: object) -> bytes:
        return reply(200, b'{"status":"ok"}')

    def zone(name: str, subnet: str) -> list[tuple[str, int, str, str]]:
        region = "us-west-2" if subnet.startswith("198") else "us-east-1"
        host = name if "execute-api" in name else f"d-1.execute-api.{region}.amazonaws.com"
        alias = [] if host == name else [(name, 5, "CNAME", f"{host}.")]
        return [*alias, (host, 60, "A", "127.0.0.1")]

    replica = Replica()
    made: dict[str, Any] = {"dynamodb": replica, "health": Silent(), "outlast": Links()}
    clients = FakeClients(lambda service, region, _: made.get(service) or CloudWatch(region))
    samples: list[Sample] = []
    async with http_server(handler) as (port, _), dns_server(zone) as dns_port:
        servers = (NameServer("127.0.0.1", dns_port),)
        parts = tuple(
            replace(part, api_url=part.api_url.replace("https", "http")) for part in sample_deployment().regions
        )
        deployment = replace(sample_deployment(), https_port=port, name_servers=servers, regions=parts)
        rates = Rates(probe_s=0.02, metrics_s=0.02, heartbeat_s=0.02, events_s=0.02, names_s=0.02)
        survey = Survey(cast(Clients, clients), deployment, lambda: KEYS, None, samples.append, rates)
        task = asyncio.get_running_loop().create_task(survey.run())
        wanted = {
            "observer-canary",
            "observer-alarm",
            "probe-fresh",
            "probe-pooled",
            "region-canary",
            "region-alarm",
            "endpoint-metrics",
            "heartbeat",
        }
        async with asyncio.timeout(10):
            while (
                {sample.vantage for sample in samples} < wanted
                or len(survey.latest.told) < 2
                or not survey.latest.links
            ):
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    latest = survey.latest
    assert latest.told["east"].region == "us-east-1"
    assert latest.told["west"].region == "us-west-2"
    assert latest.errors["health events"] == "SubscriptionRequiredException"
    assert latest.alarms["us-east-2", "orders-only-us-east-1-fails"] == "ALARM"
    assert latest.rates["us-east-1"] == 10.0
    assert latest.healing("us-east-1") == "its data is not whole; still to come: orders-orders (CREATING)"
    assert latest.healing("us-west-2") == ""
    assert all(sample.bad == (sample.vantage in ("endpoint-metrics", "observer-alarm", "region-alarm"))
               for sample in samples)  # fmt: skip


def test_periods_are_those_that_cloudwatch_takes() -> None:
    assert [metrics.period_within(seconds) for seconds in (0.5, 3, 5, 60, 100)] == [1, 1, 5, 60, 60]
    assert [metrics.period_over(seconds) for seconds in (0.5, 3, 5, 60, 1000)] == [1, 5, 5, 60, 300]


def test_metrics_are_asked_for_as_cloudwatch_wants() -> None:
    asked: dict[str, Any] = {}

    class Client:
        def get_metric_data(self, **parameters: Any) -> dict[str, Any]:
            asked.update(parameters)
            return {"MetricDataResults": []}

    metrics.ask(Client(), [metrics.canary_series("c", "orders-us-east-1")], 5, 100.0, 120.0)
    query = asked["MetricDataQueries"][0]["MetricStat"]
    assert query["Metric"]["Dimensions"] == [{"Name": "CanaryName", "Value": "orders-us-east-1"}]
    assert (query["Period"], query["Stat"]) == (5, "Average")
    assert asked["StartTime"].timestamp() == 100.0


def test_replication_keeps_up_once_every_heartbeat_was_seen_everywhere_of_late() -> None:
    latest, regions = Latest(), ("a", "b")
    latest.beats["a", "b"] = heartbeat.Beat("a", "b", 700.0)
    assert not latest.keeps_up(regions, 5_000), "b's was not looked for yet"
    latest.beats["b", "a"] = heartbeat.Beat("b", "a", None)
    assert not latest.keeps_up(regions, 5_000), "b's was not seen"
    latest.beats["b", "a"] = heartbeat.Beat("b", "a", 30_000.0)
    assert not latest.keeps_up(regions, 5_000), "b's is the one of an earlier watch, or late"
    latest.beats["b", "a"] = heartbeat.Beat("b", "a", 900.0)
    assert latest.keeps_up(regions, 5_000)


async def test_metrics_are_asked_for_at_the_time_of_their_region() -> None:
    """A machine whose clock is wrong would ask for points that are not there yet, or for old ones."""
    asked: list[Any] = []

    class Clock:
        def get_metric_data(self, **request: Any) -> Any:
            asked.append(request)
            return {"MetricDataResults": []}

    clients = FakeClients(lambda *_: Clock())
    clients.ahead = {"us-east-1": 200.0}
    survey = Survey(
        cast(Clients, clients), sample_deployment(), lambda: KEYS, None, lambda _: None, now_s=lambda: 10_200.0
    )
    await survey._look_at_metrics(sample_deployment().regions[0])
    assert {
        9_980 <= each["StartTime"].timestamp() <= 10_000 <= each["EndTime"].timestamp() < 10_040 for each in asked
    } == {True}
    assert survey.latest.ahead_s == {"us-east-1": 200.0}


def test_a_machine_learns_from_every_answer_how_far_its_clock_is_off() -> None:
    clients = Clients(
        boto3.Session(aws_access_key_id="AKIALOCALX", aws_secret_access_key="x"),
        "local",
        endpoint_url="https://127.0.0.1:1",
    )
    client = clients.of("dynamodb", "us-east-1")

    def answered(date: str | None) -> float:
        answer = SimpleNamespace(headers={"Date": date} if date else {}, status_code=200)
        client.meta.events.emit("after-call.dynamodb.GetItem", http_response=answer, parsed={}, model=None, context={})
        return clients.ahead_s("us-east-1")

    assert clients.ahead_s("us-east-1") == 0.0
    assert answered(format_datetime(datetime.fromtimestamp(time.time() - 300, UTC))) == pytest.approx(300, abs=20)
    for nothing in (None, "", "yesterday", "Sat, 99 Nov 2026 99:99:99 GMT"):
        assert answered(nothing) == pytest.approx(300, abs=20)
    assert answered(format_datetime(datetime.fromtimestamp(time.time() + 3600, UTC))) == pytest.approx(-3600, abs=20)
    assert (difference(-3600.0), difference(300.0), difference(0.0)) == ("3600 s behind", "300 s ahead of", "")


def test_credentials_are_blamed_once_each_region_refuses_them() -> None:
    """A Region whose clock is wrong believes nobody, and is to be left: its many sources are one Region's word."""
    watch = Watch(cast(Clients, FakeClients(lambda *_: None)), sample_deployment(), lambda: KEYS, may_be_denied=True)
    sources = ("metrics", "replicas", "retries", "alarms", "heartbeat")
    watch.latest.errors.update(dict.fromkeys((f"{each} us-east-1" for each in sources), "InvalidSignatureException"))
    watch.latest.errors["health events"] = "InvalidSignatureException"
    watch.check()
    watch.latest.errors["alarms us-west-2"] = "InvalidSignatureException"
    with pytest.raises(OpsError, match="refused by everything that was asked"):
        watch.check()
    watch.latest.rates["us-west-2"] = 3.0
    watch.check()


def test_a_machine_that_believes_no_certificate_is_told_of_its_clock() -> None:
    watch = Watch(cast(Clients, FakeClients(lambda *_: None)), sample_deployment(), lambda: KEYS)
    for region in sample_deployment().region_names:
        watch.latest.errors.update({f"metrics {region}": "SSLError", f"alarms {region}": "SSLError"})
    with pytest.raises(OpsError, match="this machine's clock"):
        watch.check()
