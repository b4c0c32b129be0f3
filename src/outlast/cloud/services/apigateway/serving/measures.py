"""The metrics of namespace AWS/ApiGateway: by API, by API and stage, and by method where the stage asks for it.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from outlast.cloud.contract import Meter, Series
from outlast.cloud.services.apigateway.serving.facts import Ended

NAMESPACE: Final = "AWS/ApiGateway"
MAX_KEPT: Final = 5000
Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Measures:
    """The series of one set of dimensions."""

    count: Series
    client_errors: Series
    server_errors: Series
    latency: Series
    integration: Series

    @classmethod
    def of(cls, meter: Meter, dimensions: dict[str, str]) -> Measures:
        """The series for these dimensions."""
        return cls(
            meter.series(NAMESPACE, "Count", dimensions, "Count"),
            meter.series(NAMESPACE, "4XXError", dimensions, "Count"),
            meter.series(NAMESPACE, "5XXError", dimensions, "Count"),
            meter.series(NAMESPACE, "Latency", dimensions, "Milliseconds"),
            meter.series(NAMESPACE, "IntegrationLatency", dimensions, "Milliseconds"),
        )

    def note(self, ended: Ended) -> None:
        """One request ended."""
        self.count.add(1)
        self.client_errors.add(1 if 400 <= ended.status < 500 else 0)
        self.server_errors.add(1 if ended.status >= 500 else 0)
        self.latency.add(ended.latency_ms)
        if ended.integration_ms is not None:
            self.integration.add(ended.integration_ms)


class Metering:
    """Notes how requests ended."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._kept: dict[Key, tuple[Measures, ...]] = {}

    def note(self, api: str, stage: str, method: str, resource: str, ended: Ended) -> None:
        """One request ended; `method` and `resource` are empty unless detailed metrics are on."""
        key = (api, stage, method, resource)
        known = self._kept.get(key)
        if known is None:
            known = self._make(api, stage, method, resource)
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[key] = known
        for each in known:
            each.note(ended)

    def _make(self, api: str, stage: str, method: str, resource: str) -> tuple[Measures, ...]:
        found = [{"ApiName": api}, {"ApiName": api, "Stage": stage}]
        if method:
            found.append({"ApiName": api, "Stage": stage, "Method": method, "Resource": resource})
        return tuple(Measures.of(self._meter, dimensions) for dimensions in found)
