"""Events: which of the world's faults a provider would tell of, and how it would say it. Pure.

https://docs.aws.amazon.com/health/latest/APIReference/API_Event.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from outlast.cloud.contract import ActiveFault

Document = dict[str, Any]
MULTIPLE: Final = "MULTIPLE_SERVICES"
SERVICES: Final[Mapping[str, str]] = {
    "acm": "ACM",
    "apigateway": "APIGATEWAY",
    "execute-api": "APIGATEWAY",
    "cloudformation": "CLOUDFORMATION",
    "cloudwatch": "CLOUDWATCH",
    "dynamodb": "DYNAMODB",
    "iam": "IAM",
    "lambda": "LAMBDA",
    "logs": "CLOUDWATCH",
    "route53": "ROUTE53",
    "s3": "S3",
    "sts": "STS",
    "synthetics": "CLOUDWATCHSYNTHETICS",
}
_WHAT: Final[Mapping[str, str]] = {
    "region-killed": "a loss of power affecting most services",
    "region-destroyed": "a loss of power affecting most services",
    "region-isolated": "connectivity issues between this Region and other Regions",
    "gray-failure": "increased error rates and latencies",
    "service-errors": "increased error rates",
    "service-latency": "increased latencies",
    "service-throttling": "increased throttling",
    "dns-empty": "DNS resolution failures",
    "control-plane-lost": "increased error rates for control plane operations",
    "replication-paused": "increased replication latencies to other Regions",
}
_OF: Final[Mapping[str, str]] = {
    "region-isolated": "INTERNETCONNECTIVITY",
    "dns-empty": "ROUTE53",
    "replication-paused": "DYNAMODB",
}


@dataclass(frozen=True, slots=True)
class HealthEvent:
    """One event in one Region. Times are epoch milliseconds; `ended_ms` is None while it is open."""

    arn: str
    service: str
    region: str
    what: str
    started_ms: int
    told_ms: int
    ended_ms: int | None = None

    @property
    def code(self) -> str:
        """The type's code, AWS_SERVICE_OPERATIONAL_ISSUE."""
        return type_code(self.service)

    @property
    def status(self) -> str:
        return "open" if self.ended_ms is None else "closed"

    @property
    def updated_ms(self) -> int:
        return self.told_ms if self.ended_ms is None else self.ended_ms

    def document(self) -> Document:
        return asdict(self)

    def description(self) -> str:
        """What the provider has said so far, one paragraph for each time it spoke."""
        name = "multiple AWS services" if self.service == MULTIPLE else self.service
        text = f"[{_moment(self.told_ms)}] We are investigating {self.what} for {name} in the {self.region} Region."
        if self.ended_ms is None:
            return text
        began, ended = _moment(self.started_ms), _moment(self.ended_ms)
        return (
            f"{text}\n\n[{ended}] Between {began} and {ended}, we experienced {self.what} for {name} in the "
            f"{self.region} Region. The issue has been resolved and the service is operating normally."
        )


def type_code(service: str) -> str:
    """The code of a service's operational issues."""
    return f"AWS_{service}_OPERATIONAL_ISSUE"


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M:%S UTC")


def events_of(fault: ActiveFault, now_ms: int, delay_ms: int) -> Iterator[HealthEvent]:
    """The events that tell of a fault by now: one for each Region in which it has lasted for `delay_ms`.

    Nothing is told of faults that a customer made himself or that concern one link alone.
    """
    what = _WHAT.get(fault.spec.kind)
    ended_ms = fault.ended_ms
    told_ms = fault.started_ms + delay_ms
    if what is None or told_ms > (now_ms if ended_ms is None else ended_ms):
        return
    service = _OF.get(fault.spec.kind) or _service(fault.spec.services)
    regions = fault.spec.regions[:1] if fault.spec.kind == "replication-paused" else fault.spec.regions
    for region in regions:
        code = type_code(service)
        unique = f"{code}_{fault.id.replace('fault-', '').upper()}"
        arn = f"arn:aws:health:{region}::event/{service}/{code}/{unique}"
        yield HealthEvent(arn, service, region, what, fault.started_ms, told_ms, ended_ms)


def _service(services: tuple[str, ...]) -> str:
    named = {SERVICES.get(one, MULTIPLE) for one in services}
    return named.pop() if len(named) == 1 else MULTIPLE


def show(event: HealthEvent) -> Document:
    """An event as DescribeEvents shows it."""
    shown: Document = {
        "arn": event.arn,
        "service": event.service,
        "eventTypeCode": event.code,
        "eventTypeCategory": "issue",
        "region": event.region,
        "startTime": event.started_ms / 1000,
        "lastUpdatedTime": event.updated_ms / 1000,
        "statusCode": event.status,
        "eventScopeCode": "PUBLIC",
    }
    if event.ended_ms is not None:
        shown["endTime"] = event.ended_ms / 1000
    return shown
