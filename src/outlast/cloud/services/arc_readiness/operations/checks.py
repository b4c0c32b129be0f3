"""Readiness checks, and the rules that they apply.

https://docs.aws.amazon.com/recovery-readiness/latest/api/readinesschecks.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.arc_readiness.model import Check, ResourceSet
from outlast.cloud.services.arc_readiness.pages import page
from outlast.cloud.services.arc_readiness.rules import RULES
from outlast.cloud.services.arc_readiness.service import CHECK, arc_readiness
from outlast.cloud.services.arc_readiness.state import Readiness


def _show(state: Readiness, check: Check) -> dict[str, Any]:
    return {
        "ReadinessCheckArn": state.arn(check),
        "ReadinessCheckName": check.name,
        "ResourceSet": check.resource_set,
        "Tags": dict(check.tags),
    }


@arc_readiness.operation(resource=CHECK)
def create_readiness_check(
    call: Call[Readiness],
    *,
    readiness_check_name: str,
    resource_set_name: str,
    tags: Mapping[str, str] | None = None,
) -> Reply:
    """Make a readiness check of a resource set."""
    call.state.find(ResourceSet, resource_set_name)
    check = Check(readiness_check_name, resource_set_name, dict(tags or {}))
    call.state.add(check)
    return _show(call.state, check)


@arc_readiness.operation(resource=CHECK)
def get_readiness_check(call: Call[Readiness], *, readiness_check_name: str) -> Reply:
    """One readiness check."""
    return _show(call.state, call.state.find(Check, readiness_check_name))


@arc_readiness.operation()
def list_readiness_checks(
    call: Call[Readiness], *, max_results: int | None = None, next_token: str | None = None
) -> Reply:
    """All readiness checks."""
    state = call.state
    return page("ReadinessChecks", [_show(state, each) for each in state.all(Check)], next_token, max_results)


@arc_readiness.operation(resource=CHECK)
def update_readiness_check(call: Call[Readiness], *, readiness_check_name: str, resource_set_name: str) -> Reply:
    """Let a readiness check look at another resource set."""
    state = call.state
    check = state.find(Check, readiness_check_name)
    state.find(ResourceSet, resource_set_name)
    changed = replace(check, resource_set=resource_set_name)
    state.audits.pop(check.name, None)
    state.put(changed)
    return _show(state, changed)


@arc_readiness.operation(resource=CHECK)
def delete_readiness_check(call: Call[Readiness], *, readiness_check_name: str) -> Reply:
    """Delete a readiness check."""
    call.state.drop(call.state.find(Check, readiness_check_name))
    return {}


@arc_readiness.operation()
def list_rules(
    call: Call[Readiness],
    *,
    resource_type: str | None = None,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Reply:
    """The rules that this cloud applies, of one resource type or of all."""
    rows = [
        {"ResourceType": kind, "RuleId": rule.id, "RuleDescription": rule.description}
        for kind, rules in RULES.items()
        if resource_type in (None, kind)
        for rule in rules
    ]
    return page("Rules", rows, next_token, max_results)
