"""Health checks of every kind against real endpoints, alarms and faults, and what they do to answers."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import World
from tests.wire.route53.clients import addresses, apply, change, eventually, make_zone


class Endpoint:
    """An HTTP endpoint whose answer a test sets; notes which names it was asked by."""

    def __init__(self) -> None:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = endpoint.body
                self.send_response(endpoint.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # a checker that gave up
                    self.wfile.write(body)

            def log_message(self, *_args: Any) -> None:
                endpoint.asked += 1

        self.status, self.body, self.asked = 200, b"well", 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.close()


def create(world: World, **config: Any) -> str:
    made = world.client("route53").create_health_check(CallerReference=uuid.uuid4().hex, HealthCheckConfig=config)
    check_id: str = made["HealthCheck"]["Id"]
    return check_id


def endpoint_check(world: World, endpoint: Endpoint, kind: str = "HTTP", **more: Any) -> str:
    common = {"IPAddress": "127.0.0.1", "Port": endpoint.port, "RequestInterval": 10, "FailureThreshold": 1}
    return create(world, Type=kind, **{**common, **more})


def statuses(world: World, check_id: str) -> dict[str, str]:
    found = world.client("route53").get_health_check_status(HealthCheckId=check_id)["HealthCheckObservations"]
    return {each["Region"]: each["StatusReport"]["Status"] for each in found}


def test_a_health_check_is_made_read_changed_and_deleted(world: World) -> None:
    client = world.client("route53")
    reference = uuid.uuid4().hex
    config = {"Type": "TCP", "IPAddress": "127.0.0.1", "Port": 9, "Disabled": True}
    made = client.create_health_check(CallerReference=reference, HealthCheckConfig=config)
    check_id = made["HealthCheck"]["Id"]
    again = client.create_health_check(CallerReference=reference, HealthCheckConfig=config)
    assert again["HealthCheck"]["Id"] == check_id
    with pytest.raises(ClientError) as caught:
        client.create_health_check(CallerReference=reference, HealthCheckConfig={**config, "Port": 10})
    assert caught.value.response["Error"]["Code"] == "HealthCheckAlreadyExists"
    changed = client.update_health_check(HealthCheckId=check_id, HealthCheckVersion=1, Port=10)["HealthCheck"]
    assert (changed["HealthCheckVersion"], changed["HealthCheckConfig"]["Port"]) == (2, 10)
    with pytest.raises(ClientError) as caught:
        client.update_health_check(HealthCheckId=check_id, HealthCheckVersion=1, Port=11)
    assert caught.value.response["Error"]["Code"] == "HealthCheckVersionMismatch"
    assert check_id in {
        each["Id"] for page in client.get_paginator("list_health_checks").paginate() for each in page["HealthChecks"]
    }
    parent = create(world, Type="CALCULATED", HealthThreshold=1, ChildHealthChecks=[check_id])
    with pytest.raises(ClientError) as caught:
        client.delete_health_check(HealthCheckId=check_id)
    assert caught.value.response["Error"]["Code"] == "HealthCheckInUse"
    for each in (parent, check_id):
        client.delete_health_check(HealthCheckId=each)
    with pytest.raises(ClientError) as caught:
        client.get_health_check(HealthCheckId=check_id)
    assert caught.value.response["Error"]["Code"] == "NoSuchHealthCheck"


def test_checkers_in_several_regions_report_what_they_saw(world: World, endpoint: Endpoint) -> None:
    good = endpoint_check(world, endpoint, "HTTP_STR_MATCH", SearchString="well")
    bad = endpoint_check(world, endpoint, "HTTP_STR_MATCH", SearchString="not there")
    tcp = endpoint_check(world, endpoint, "TCP")
    regions = {"us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1"}
    told = {
        good: "Success: HTTP Status Code 200, OK",
        bad: "Failure: The search string was not found",
        tcp: "Success: TCP connection was established.",
    }

    def every_region_tells_it() -> bool:
        seen = {check: statuses(world, check) for check in told}
        return all(
            set(seen[check]) == regions and {each.split(" in ")[0] for each in seen[check].values()} == {status}
            for check, status in told.items()
        )

    eventually(every_region_tells_it, 60)
    client = world.client("route53")
    failures = client.get_health_check_last_failure_reason(HealthCheckId=bad)["HealthCheckObservations"]
    assert {each["Region"] for each in failures} == regions
    for observed in client.get_health_check_last_failure_reason(HealthCheckId=good)["HealthCheckObservations"]:
        reason = observed["StatusReport"]["Status"]
        assert reason.startswith("Failure: No response"), "only a machine that is too busy to answer is a failure"


def test_failover_and_back_in_every_region(make_world: Any, endpoint: Endpoint) -> None:
    world = make_world("--replication-delay-ms", "none", "--health-interval-s", "0.3")
    check_id = endpoint_check(world, endpoint, FailureThreshold=2)
    zone_id, name = make_zone(world)
    apply(
        world,
        zone_id,
        change(f"f.{name}", "A", "192.0.2.1", SetIdentifier="1", Failover="PRIMARY", HealthCheckId=check_id),
        change(f"f.{name}", "A", "192.0.2.2", SetIdentifier="2", Failover="SECONDARY"),
    )

    def everywhere(address: str) -> bool:
        return all(addresses(world, f"f.{name}", region=region) == [address] for region in world.config.regions)

    eventually(lambda: everywhere("192.0.2.1"))
    endpoint.status = 503
    took_s = eventually(lambda: everywhere("192.0.2.2"))
    assert took_s > 0.2, "a threshold of two takes at least one interval"
    endpoint.status = 200
    eventually(lambda: everywhere("192.0.2.1"))
    world.client("route53").update_health_check(HealthCheckId=check_id, Inverted=True)
    eventually(lambda: everywhere("192.0.2.2"))
    world.client("route53").update_health_check(HealthCheckId=check_id, Disabled=True, Inverted=False)
    endpoint.status = 503
    eventually(lambda: everywhere("192.0.2.1"))


def test_a_calculated_check_and_all_unhealthy_is_all_healthy(world: World, endpoint: Endpoint) -> None:
    endpoint.status = 500
    child = endpoint_check(world, endpoint)
    parent = create(world, Type="CALCULATED", HealthThreshold=1, ChildHealthChecks=[child])
    zone_id, name = make_zone(world)
    apply(
        world,
        zone_id,
        change(f"w.{name}", "A", "192.0.2.1", SetIdentifier="1", Weight=1, HealthCheckId=parent),
        change(f"w.{name}", "A", "192.0.2.2", SetIdentifier="2", Weight=0),
    )
    eventually(lambda: addresses(world, f"w.{name}") == ["192.0.2.2"])
    apply(world, zone_id, change(f"w.{name}", "A", "192.0.2.2", SetIdentifier="2", Weight=0, HealthCheckId=parent))
    eventually(lambda: addresses(world, f"w.{name}") == ["192.0.2.1"])


def test_an_alarm_takes_a_record_out(world: World) -> None:
    alarms = world.client("cloudwatch", "us-west-2")
    alarm_name = uuid.uuid4().hex
    alarms.put_metric_alarm(
        AlarmName=alarm_name, Namespace="Test", MetricName=alarm_name, Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    identifier = {"Region": "us-west-2", "Name": alarm_name}
    check_id = create(
        world, Type="CLOUDWATCH_METRIC", AlarmIdentifier=identifier, InsufficientDataHealthStatus="Healthy"
    )
    zone_id, name = make_zone(world)
    apply(
        world,
        zone_id,
        change(f"a.{name}", "A", "192.0.2.1", SetIdentifier="1", Failover="PRIMARY", HealthCheckId=check_id),
        change(f"a.{name}", "A", "192.0.2.2", SetIdentifier="2", Failover="SECONDARY"),
    )
    eventually(lambda: addresses(world, f"a.{name}", region="eu-west-1") == ["192.0.2.1"])
    for policy, words in (("Unhealthy", "Failure"), ("LastKnownStatus", "Success")):
        other = create(world, Type="CLOUDWATCH_METRIC", AlarmIdentifier=identifier, InsufficientDataHealthStatus=policy)
        said = f"{words}: The CloudWatch alarm is INSUFFICIENT_DATA."
        eventually(lambda other=other, said=said: statuses(world, other).get("us-west-2") == said)
    alarms.set_alarm_state(AlarmName=alarm_name, StateValue="ALARM", StateReason="test")
    eventually(lambda: addresses(world, f"a.{name}", region="eu-west-1") == ["192.0.2.2"])
    assert statuses(world, check_id)["us-west-2"] == "Failure: The CloudWatch alarm is ALARM."
    shown = world.client("route53").get_health_check(HealthCheckId=check_id)["HealthCheck"]
    assert shown["CloudWatchAlarmConfiguration"]["MetricName"] == alarm_name
    alarms.set_alarm_state(AlarmName=alarm_name, StateValue="OK", StateReason="test")
    eventually(lambda: addresses(world, f"a.{name}", region="eu-west-1") == ["192.0.2.1"])
