"""The operations of AWS Health.

https://docs.aws.amazon.com/health/latest/APIReference/Welcome.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from outlast.cloud.contract import Call, Reply, ValidationException
from outlast.cloud.services.health.errors import InvalidPaginationToken, UnsupportedLocale
from outlast.cloud.services.health.model import MULTIPLE, SERVICES, HealthEvent, show, type_code
from outlast.cloud.services.health.service import health
from outlast.cloud.services.health.state import Events

Item = TypeVar("Item")
Filter = Mapping[str, Any]
PAGE: Final = 100
REFUSED: Final = ("availabilityZones", "tags", "entityArns", "entityValues", "actionabilities", "personas")


def _prepare(call: Call[Events], locale: str | None, chosen: Filter | None) -> Filter:
    call.state.check()
    if locale is not None and not locale.lower().startswith("en"):
        raise UnsupportedLocale(f"The locale {locale} is not supported.")
    for member in REFUSED:
        if chosen and chosen.get(member):
            raise ValidationException(f"The filter {member} is not supported by this cloud.")
    return chosen or {}


def _page(items: Sequence[Item], token: str | None, size: int | None) -> tuple[Sequence[Item], dict[str, str]]:
    if token is not None and not (token.isdigit() and int(token) <= len(items)):
        raise InvalidPaginationToken("The pagination token is not valid.")
    start = int(token or 0)
    end = start + (size or PAGE)
    return items[start:end], ({"nextToken": str(end)} if end < len(items) else {})


def _matches(event: HealthEvent, chosen: Filter) -> bool:
    plain = {
        "eventArns": event.arn,
        "eventTypeCodes": event.code,
        "services": event.service,
        "regions": event.region,
        "eventTypeCategories": "issue",
        "eventStatusCodes": event.status,
    }
    times = {"startTimes": event.started_ms, "endTimes": event.ended_ms, "lastUpdatedTimes": event.updated_ms}
    return all(not chosen.get(name) or value in chosen[name] for name, value in plain.items()) and all(
        not chosen.get(name) or any(_within(value, one) for one in chosen[name]) for name, value in times.items()
    )


def _within(at_ms: int | None, stretch: Mapping[str, float]) -> bool:
    return (
        at_ms is not None and at_ms >= stretch.get("from", 0) * 1000 and at_ms <= stretch.get("to", float("inf")) * 1000
    )


@health.operation()
def describe_events(
    call: Call[Events],
    *,
    filter: Filter | None = None,
    next_token: str | None = None,
    max_results: int | None = None,
    locale: str | None = None,
) -> Reply:
    """Events that match, the newest first."""
    chosen = _prepare(call, locale, filter)
    wanted = [event for event in call.state.all() if _matches(event, chosen)]
    found, more = _page(wanted, next_token, max_results)
    return {"events": [show(one) for one in found], **more}


@health.operation()
def describe_event_details(call: Call[Events], *, event_arns: Sequence[str], locale: str | None = None) -> Reply:
    """Events with what the provider has said of them."""
    _prepare(call, locale, None)
    good, bad = [], []
    for arn in event_arns:
        event = call.state.get(arn)
        if event is None:
            bad.append({"eventArn": arn, "errorName": "InvalidEvent", "errorMessage": f"{arn} does not exist."})
        else:
            good.append({"event": show(event), "eventDescription": {"latestDescription": event.description()}})
    return {"successfulSet": good, "failedSet": bad}


@health.operation(ignored=("nextToken", "maxResults"))
def describe_affected_entities(
    call: Call[Events],
    *,
    filter: Filter,
    locale: str | None = None,
) -> Reply:
    """The resources of an account that events concern. Public events, and there are no others here, list none."""
    _prepare(call, locale, filter)
    return {"entities": []}


@health.operation()
def describe_event_types(
    call: Call[Events],
    *,
    filter: Filter | None = None,
    locale: str | None = None,
    next_token: str | None = None,
    max_results: int | None = None,
) -> Reply:
    """The types of events that may come."""
    chosen = _prepare(call, locale, filter)
    services = sorted({*SERVICES.values(), MULTIPLE, "INTERNETCONNECTIVITY"})
    wanted = [
        {"service": one, "code": type_code(one), "category": "issue"}
        for one in services
        if (not chosen.get("services") or one in chosen["services"])
        and (not chosen.get("eventTypeCodes") or type_code(one) in chosen["eventTypeCodes"])
        and (not chosen.get("eventTypeCategories") or "issue" in chosen["eventTypeCategories"])
    ]
    found, more = _page(wanted, next_token, max_results)
    return {"eventTypes": list(found), **more}


@health.operation(ignored=("nextToken", "maxResults"))
def describe_event_aggregates(
    call: Call[Events],
    *,
    aggregate_field: str,
    filter: Filter | None = None,
) -> Reply:
    """How many events match, by category: there is one."""
    chosen = _prepare(call, None, filter)
    count = sum(1 for event in call.state.all() if _matches(event, chosen))
    return {"eventAggregates": [{"aggregateValue": "issue", "count": count}] if count else []}
