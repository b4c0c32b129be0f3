"""Recovery groups.

https://docs.aws.amazon.com/recovery-readiness/latest/api/recoverygroups.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.arc_readiness.model import Group
from outlast.cloud.services.arc_readiness.operations.cells import known_cells
from outlast.cloud.services.arc_readiness.pages import page
from outlast.cloud.services.arc_readiness.service import GROUP, arc_readiness
from outlast.cloud.services.arc_readiness.state import Readiness


def _show(state: Readiness, group: Group) -> dict[str, Any]:
    return {
        "RecoveryGroupArn": state.arn(group),
        "RecoveryGroupName": group.name,
        "Cells": list(group.cells),
        "Tags": dict(group.tags),
    }


@arc_readiness.operation(resource=GROUP)
def create_recovery_group(
    call: Call[Readiness],
    *,
    recovery_group_name: str,
    cells: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
) -> Reply:
    """Make a recovery group."""
    group = Group(recovery_group_name, known_cells(call.state, cells), dict(tags or {}))
    call.state.add(group)
    return _show(call.state, group)


@arc_readiness.operation(resource=GROUP)
def get_recovery_group(call: Call[Readiness], *, recovery_group_name: str) -> Reply:
    """One recovery group."""
    return _show(call.state, call.state.find(Group, recovery_group_name))


@arc_readiness.operation()
def list_recovery_groups(
    call: Call[Readiness], *, max_results: int | None = None, next_token: str | None = None
) -> Reply:
    """All recovery groups."""
    state = call.state
    return page("RecoveryGroups", [_show(state, each) for each in state.all(Group)], next_token, max_results)


@arc_readiness.operation(resource=GROUP)
def update_recovery_group(call: Call[Readiness], *, recovery_group_name: str, cells: Sequence[str]) -> Reply:
    """Replace the cells."""
    state = call.state
    group = replace(state.find(Group, recovery_group_name), cells=known_cells(state, cells))
    state.put(group)
    return _show(state, group)


@arc_readiness.operation(resource=GROUP)
def delete_recovery_group(call: Call[Readiness], *, recovery_group_name: str) -> Reply:
    """Delete a recovery group; its cells stay."""
    call.state.drop(call.state.find(Group, recovery_group_name))
    return {}
