"""Readiness at every level: rule, resource, check, cell, recovery group.

https://docs.aws.amazon.com/r53recovery/latest/dg/recovery-readiness.status.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.arc_readiness.errors import ResourceNotFoundException
from outlast.cloud.services.arc_readiness.judging import UNKNOWN, Audit, recommendations, worst
from outlast.cloud.services.arc_readiness.model import Cell, Check, Group, ResourceSet
from outlast.cloud.services.arc_readiness.pages import page
from outlast.cloud.services.arc_readiness.rules import DNS_TARGET
from outlast.cloud.services.arc_readiness.service import CELL, CHECK, GROUP, arc_readiness
from outlast.cloud.services.arc_readiness.state import Readiness


def _show(audit: Audit) -> dict[str, Any]:
    shown = {"Readiness": audit.readiness, "LastCheckedTimestamp": audit.checked_s}
    return shown | ({"ResourceArn": audit.part.arn} if audit.part.arn else {"ComponentId": audit.part.id})


@arc_readiness.operation(resource=CHECK)
def get_readiness_check_status(
    call: Call[Readiness],
    *,
    readiness_check_name: str,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Reply:
    """The readiness of a check and of each of its resources."""
    audits = call.state.results(call.state.find(Check, readiness_check_name))
    reply = page("Resources", [_show(audit) for audit in audits], next_token, max_results)
    messages = [] if audits else [{"MessageText": "The resources have not been looked at yet."}]
    return reply | {"Readiness": worst(audit.readiness for audit in audits), "Messages": messages}


@arc_readiness.operation(resource=CHECK)
def get_readiness_check_resource_status(
    call: Call[Readiness],
    *,
    readiness_check_name: str,
    resource_identifier: str,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Reply:
    """What each rule says of one resource."""
    for audit in call.state.results(call.state.find(Check, readiness_check_name)):
        if resource_identifier in (audit.part.arn, audit.part.id):
            rows = [
                {
                    "RuleId": ruling.rule,
                    "Readiness": ruling.readiness,
                    "Messages": [{"MessageText": text} for text in ruling.messages],
                    "LastCheckedTimestamp": audit.checked_s,
                }
                for ruling in audit.rulings
            ]
            return page("Rules", rows, next_token, max_results) | {"Readiness": audit.readiness}
    raise ResourceNotFoundException(f"The check {readiness_check_name} has no resource {resource_identifier}.")


def _summary(state: Readiness, scope: frozenset[str], next_token: str | None, max_results: int | None) -> Reply:
    found: list[tuple[str, str]] = []
    for check in state.all(Check):
        parts = state.find(ResourceSet, check.resource_set).parts
        if any(scope.intersection(part.scopes) for part in parts):
            found.append((check.name, worst(audit.readiness for audit in state.results(check, scope))))
    rows = [{"ReadinessCheckName": name, "Readiness": readiness} for name, readiness in found]
    overall = worst(readiness for _, readiness in found) if found else UNKNOWN
    return page("ReadinessChecks", rows, next_token, max_results) | {"Readiness": overall}


@arc_readiness.operation(resource=CELL)
def get_cell_readiness_summary(
    call: Call[Readiness], *, cell_name: str, max_results: int | None = None, next_token: str | None = None
) -> Reply:
    """The readiness of a cell: of the resources in it and in the cells nested in it."""
    state = call.state
    scope = state.scope(state.arn(state.find(Cell, cell_name)))
    return _summary(state, scope, next_token, max_results)


@arc_readiness.operation(resource=GROUP)
def get_recovery_group_readiness_summary(
    call: Call[Readiness], *, recovery_group_name: str, max_results: int | None = None, next_token: str | None = None
) -> Reply:
    """The readiness of a recovery group: of all resources in it and in its cells."""
    state = call.state
    scope = state.scope(state.arn(state.find(Group, recovery_group_name)))
    return _summary(state, scope, next_token, max_results)


@arc_readiness.operation(resource=GROUP)
def get_architecture_recommendations(
    call: Call[Readiness], *, recovery_group_name: str, max_results: int | None = None, next_token: str | None = None
) -> Reply:
    """What would make the application more resilient."""
    state = call.state
    group = state.find(Group, recovery_group_name)
    sets = [state.find(ResourceSet, check.resource_set) for check in state.all(Check)]
    cells = {arn.rpartition("/")[2]: _inside(sets, state.scope(arn)) for arn in group.cells}
    scope = state.scope(state.arn(group))
    targets = sum(
        bool(scope.intersection(part.scopes)) for each in sets if each.type == DNS_TARGET for part in each.parts
    )
    unscoped = sum(not part.scopes for each in sets for part in each.parts)
    said = recommendations(group.name, cells, targets, unscoped)
    rows = [{"RecommendationText": text} for text in said]
    return page("Recommendations", rows, next_token, max_results) | {"LastAuditTimestamp": state.audited_s}


def _inside(sets: Sequence[ResourceSet], scope: frozenset[str]) -> list[tuple[str, str]]:
    """(type, Region) of the resources in a scope."""
    return [
        (each.type, part.arn.split(":")[3] if part.arn else "")
        for each in sets
        for part in each.parts
        if scope.intersection(part.scopes)
    ]
