"""Metric data put, and metrics listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outlast.cloud.contract import Call, Reply, ValidationException
from outlast.cloud.services.cloudwatch.errors import InvalidParameterValueException, LimitExceededFault
from outlast.cloud.services.cloudwatch.model import Dimensions, MetricKey
from outlast.cloud.services.cloudwatch.operations.paging import page
from outlast.cloud.services.cloudwatch.put import read_data
from outlast.cloud.services.cloudwatch.service import cloudwatch
from outlast.cloud.services.cloudwatch.state import Watch
from outlast.cloud.services.cloudwatch.store.book import TooManySeries

LIST_PAGE = 500
LISTED_S = 14 * 86_400
RECENT_S = 3 * 3_600
OWN = ("service", "service-linked")


def namespace_condition(params: Mapping[str, Any], call: Call[Watch]) -> dict[str, tuple[str, ...]]:
    """The condition key of PutMetricData.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html
    """
    del call
    return {"cloudwatch:namespace": (str(params.get("Namespace", "")),)}


@cloudwatch.operation(conditions=namespace_condition)
async def put_metric_data(
    call: Call[Watch], *, namespace: str, metric_data: Sequence[Mapping[str, Any]] | None = None
) -> Reply:
    """Take metric data in.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
    """
    if metric_data is None:
        raise ValidationException("At least one of MetricData and EntityMetricData must be specified.")
    if namespace.startswith("AWS/") and call.principal.kind not in OWN:
        raise InvalidParameterValueException(f"The value {namespace} for parameter Namespace is invalid.")
    data = read_data(namespace, metric_data, call.now_s)
    await call.state.store.room()
    try:
        call.state.store.put(data)
    except TooManySeries:
        raise LimitExceededFault("This Region holds as many metrics as it may.") from None
    return {}


@cloudwatch.operation(ignored=("IncludeLinkedAccounts",))
def list_metrics(
    call: Call[Watch],
    *,
    namespace: str | None = None,
    metric_name: str | None = None,
    dimensions: Sequence[Mapping[str, str]] = (),
    next_token: str | None = None,
    recently_active: str | None = None,
    owning_account: str | None = None,
) -> Reply:
    """The metrics that had data in the last two weeks (or three hours), by name; linked accounts do not exist."""
    if owning_account not in (None, call.region.account_id):
        return {"Metrics": []}
    store = call.state.store
    since_s = int(call.now_s) - (RECENT_S if recently_active else LISTED_S)
    wanted = [
        metric
        for metric in store.book.metrics(namespace, metric_name)
        if not dimensions or _matches(metric.dimensions, dimensions)
    ]
    wanted.sort(key=lambda metric: (metric.namespace, metric.name, metric.dimensions))
    found, more = page(wanted, next_token, LIST_PAGE)
    return {"Metrics": [show_metric(one) for one in found if _had_data(call.state, one, since_s)], **more}


def _matches(own: Dimensions, filters: Sequence[Mapping[str, str]]) -> bool:
    known = dict(own)
    return all(one["Name"] in known and one.get("Value") in (None, known[one["Name"]]) for one in filters)


def _had_data(state: Watch, metric: MetricKey, since_s: int) -> bool:
    return any((state.store.last_s(number) or 0) >= since_s for number in state.store.book.of(metric, None))


def show_metric(metric: MetricKey) -> dict[str, Any]:
    """A metric as replies show it."""
    return {
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
    }
