"""Stand-ins for boto3 clients: methods made of functions, errors made of codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from outlast.ops.deployment import Arc, ClusterEndpoint, Deployment, RegionPart, Tables
from outlast.ops.names import NameServer


def fault(code: str, message: str = "", status: int = 400) -> ClientError:
    """A service's error."""
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Operation")


class FakeClients:
    """Clients by (service, Region or endpoint URL); `make` builds one at first use."""

    kind = "local"

    def __init__(self, make: Callable[[str, str, str], Any]) -> None:
        self._make = make
        self.made: dict[tuple[str, str, str], Any] = {}
        self.ahead: dict[str, float] = {}

    def of(self, service: str, region: str, endpoint_url: str | None = None) -> Any:
        key = (service, region, endpoint_url or "")
        if key not in self.made:
            self.made[key] = self._make(*key)
        return self.made[key]

    def ahead_s(self, region: str) -> float:
        """As in `ahead`; other clocks agree."""
        return self.ahead.get(region, 0.0)


def region_part(name: str) -> RegionPart:
    """A Region of the sample deployment."""
    return RegionPart(
        name=name,
        api_id=f"api-{name}",
        api_url=f"https://api-{name}.execute-api.{name}.amazonaws.com/live",
        api_name="orders-api",
        stage="live",
        domain=f"d-1.execute-api.{name}.amazonaws.com",
        function="orders-api",
        canary=f"orders-{name}",
        alarm="orders-impaired",
        routing_control_arn=f"arn:aws:route53-recovery-control::1:controlpanel/p/routingcontrol/{name}",
        health_check_id=f"hc-{name}",
        code_bucket=f"code-{name}",
        observer_canary=f"orders-from-afar-{name}",
        observer_alarm=f"orders-only-{name}-fails",
    )


def sample_deployment() -> Deployment:
    """The order service in two Regions, observed from a third, as deployed locally."""
    endpoints = tuple(ClusterEndpoint(f"https://cluster-{number}", f"region-{number}") for number in range(5))
    return Deployment(
        kind="local",
        application="orders",
        made_at="2026-01-01T00:00:00Z",
        zone_id="Z1",
        service_name="orders.outlast.example",
        record_ttl_s=5,
        regions=(region_part("us-east-1"), region_part("us-west-2")),
        observer_region="us-east-2",
        name_canary="orders-from-afar-by-name",
        tables=Tables("orders-customers", "orders-products", "orders-orders"),
        arc=Arc("arn:cluster", "arn:panel", "arn:rule", endpoints),
        name_servers=(NameServer("127.0.0.1", 5300),),
        https_port=4566,
        canary_period_s=5.0,
        alarm_period_s=10,
    )
