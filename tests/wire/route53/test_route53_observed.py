"""What Route 53 tells of itself: metrics and query logs."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import Any

import dns.resolver
import pytest
from botocore.exceptions import ClientError

from tests.conftest import World
from tests.wire.route53.clients import apply, change, dig, eventually, make_zone


def statistic(world: World, metric: str, statistic_name: str, **dimensions: str) -> float | None:
    """The metric over the last minutes in the home Region: a Sum in all, else the newest minute's; None without one."""
    now = dt.datetime.now(dt.UTC)
    reply = world.client("cloudwatch").get_metric_data(
        MetricDataQueries=[
            {
                "Id": "m",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/Route53",
                        "MetricName": metric,
                        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
                    },
                    "Period": 60,
                    "Stat": statistic_name,
                },
            }
        ],
        StartTime=now - dt.timedelta(minutes=5),
        EndTime=now + dt.timedelta(minutes=1),
    )
    values: list[float] = reply["MetricDataResults"][0]["Values"]
    if not values:
        return None
    return sum(values) if statistic_name == "Sum" else values[0]


def test_health_and_queries_are_published_in_the_home_region(world: World) -> None:
    config: dict[str, Any] = {
        "Type": "TCP",
        "IPAddress": "127.0.0.1",
        "Port": 1,
        "RequestInterval": 10,
        "FailureThreshold": 1,
    }
    client = world.client("route53")
    check_id = client.create_health_check(CallerReference=uuid.uuid4().hex, HealthCheckConfig=config)["HealthCheck"][
        "Id"
    ]
    zone_id, name = make_zone(world)
    apply(world, zone_id, change(f"www.{name}", "A", "192.0.2.1"))
    for region in ("us-east-1", "us-west-2", "eu-west-1"):
        for _ in range(4):
            dig(world, f"www.{name}", region=region)
    eventually(lambda: statistic(world, "DNSQueries", "Sum", HostedZoneId=zone_id) == 12, 60)
    eventually(lambda: statistic(world, "HealthCheckStatus", "Minimum", HealthCheckId=check_id) == 0, 60)
    eventually(lambda: statistic(world, "HealthCheckPercentageHealthy", "Minimum", HealthCheckId=check_id) == 0, 60)


def test_a_stub_resolver_follows_a_chain(world: World) -> None:
    zone_id, name = make_zone(world)
    apply(world, zone_id, change(f"a.{name}", "CNAME", f"b.{name}"), change(f"b.{name}", "A", "192.0.2.1"))
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [world.config.hosts[region] for region in ("us-west-2", "eu-west-1")]
    resolver.port = world.config.dns_port
    answer = resolver.resolve(f"a.{name}", "A")
    assert [item.address for item in answer] == ["192.0.2.1"]
    assert answer.canonical_name.to_text() == f"b.{name}."
    with pytest.raises(dns.resolver.NXDOMAIN):
        resolver.resolve(f"nobody.{name}", "A")


POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "route53.amazonaws.com"},
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": "*",
        }
    ],
}


def test_queries_are_logged_to_a_log_group(world: World) -> None:
    client, logs = world.client("route53"), world.client("logs")
    zone_id, name = make_zone(world)
    apply(world, zone_id, change(f"www.{name}", "A", "192.0.2.1"))
    group = f"/aws/route53/{name}"
    arn = f"arn:aws:logs:us-east-1:{world.config.account_id}:log-group:{group}"
    with pytest.raises(ClientError, match="NoSuchCloudWatchLogsLogGroup"):
        client.create_query_logging_config(HostedZoneId=zone_id, CloudWatchLogsLogGroupArn=arn)
    logs.create_log_group(logGroupName=group)
    with pytest.raises(ClientError, match="InsufficientCloudWatchLogsResourcePolicy"):
        client.create_query_logging_config(HostedZoneId=zone_id, CloudWatchLogsLogGroupArn=arn)
    logs.put_resource_policy(policyName="route53", policyDocument=json.dumps(POLICY))
    made = client.create_query_logging_config(HostedZoneId=zone_id, CloudWatchLogsLogGroupArn=arn)["QueryLoggingConfig"]
    assert client.list_query_logging_configs(HostedZoneId=zone_id)["QueryLoggingConfigs"] == [made]

    def lines() -> list[str]:
        dig(world, f"www.{name}", region="us-west-2", subnet="198.51.100.0")
        found = logs.filter_log_events(logGroupName=group)["events"]
        return [each["message"] for each in found]

    eventually(lambda: bool(lines()), 30)
    fields = lines()[0].split()
    assert fields[2:8] == [zone_id, f"www.{name}", "A", "NOERROR", "UDP", "PDX1"]
    assert fields[9] == "198.51.100.0/24"
    client.delete_query_logging_config(Id=made["Id"])
    logs.delete_resource_policy(policyName="route53")
    logs.delete_log_group(logGroupName=group)
