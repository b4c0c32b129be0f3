"""Log groups and their retention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.logs.errors import (
    InvalidOperationException,
    InvalidParameterException,
    LimitExceededException,
    ResourceAlreadyExistsException,
)
from outlast.cloud.services.logs.model import Group
from outlast.cloud.services.logs.operations.paging import page, plain_name, shown
from outlast.cloud.services.logs.operations.tags import check_tags
from outlast.cloud.services.logs.service import group_arn, logs
from outlast.cloud.services.logs.state import MAX_GROUPS, LogStore, with_retention

RETENTIONS: Final = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip
DEFAULT_LIMIT: Final = 50


@logs.operation(resource=group_arn, control_plane=True)
def create_log_group(
    call: Call[LogStore],
    *,
    log_group_name: str,
    kms_key_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    log_group_class: str = "STANDARD",
    deletion_protection_enabled: bool = False,
) -> Reply:
    """Make a log group. A key of one's own is refused: the world's key encrypts all storage."""
    if kms_key_id is not None:
        raise InvalidParameterException("The parameter kmsKeyId is not supported by this cloud: it has no KMS.")
    if log_group_class != "STANDARD":
        raise InvalidParameterException(f"The log group class {log_group_class} is not supported by this cloud.")
    if log_group_name in call.state.groups:
        raise ResourceAlreadyExistsException("The specified log group already exists")
    if len(call.state.groups) >= MAX_GROUPS:
        raise LimitExceededException("Resource limit exceeded.")
    call.state.add_group(log_group_name, check_tags(tags or {}), deletion_protection_enabled)
    return {}


@logs.operation(resource=group_arn, control_plane=True)
def delete_log_group(call: Call[LogStore], *, log_group_name: str) -> Reply:
    """Remove a group with its streams, events and filters."""
    group = call.state.group(log_group_name)
    if group.protected:
        raise InvalidOperationException("The log group has deletion protection enabled.")
    call.state.drop_group(group)
    return {}


@logs.operation(resource=group_arn, control_plane=True)
def put_log_group_deletion_protection(
    call: Call[LogStore], *, log_group_identifier: str, deletion_protection_enabled: bool
) -> Reply:
    """Switch the protection of a group against deletion."""
    group = call.state.group(plain_name(None, log_group_identifier))
    call.state.put_group(replace(group, protected=deletion_protection_enabled))
    return {}


@logs.operation(resource=group_arn, ignored=("includeLinkedAccounts",), control_plane=True)
def describe_log_groups(
    call: Call[LogStore],
    *,
    log_group_name_prefix: str | None = None,
    log_group_name_pattern: str | None = None,
    log_group_identifiers: Sequence[str] = (),
    log_group_class: str | None = None,
    next_token: str | None = None,
    limit: int = DEFAULT_LIMIT,
) -> Reply:
    """Groups by name; linked accounts do not exist."""
    if log_group_name_prefix is not None and log_group_name_pattern is not None:
        raise InvalidParameterException(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
        )
    identifiers = {plain_name(None, one) for one in log_group_identifiers}
    wanted = [
        group
        for name, group in sorted(call.state.groups.items())
        if name.startswith(log_group_name_prefix or "")
        and (log_group_name_pattern or "").lower() in name.lower()
        and (not identifiers or name in identifiers)
        and log_group_class in (None, "STANDARD")
    ]
    found, more = page(wanted, next_token, limit)
    return {"logGroups": [_show(call.state, one) for one in found], **more}


def _show(state: LogStore, group: Group) -> dict[str, Any]:
    arn = state.arn(group)
    return shown(
        logGroupName=group.name,
        creationTime=group.created_ms,
        retentionInDays=group.retention_days,
        metricFilterCount=len(state.filters.get(group.name, ())),
        arn=f"{arn}:*",
        storedBytes=0,
        logGroupClass="STANDARD",
        logGroupArn=arn,
        deletionProtectionEnabled=group.protected,
    )


@logs.operation(resource=group_arn, ignored=("includeLinkedAccounts",), control_plane=True)
def list_log_groups(
    call: Call[LogStore],
    *,
    log_group_name_pattern: str | None = None,
    log_group_class: str | None = None,
    next_token: str | None = None,
    limit: int = DEFAULT_LIMIT,
) -> Reply:
    """Groups whose names hold the pattern, or begin with it after a ^."""
    pattern = log_group_name_pattern or ""
    wanted = [
        group
        for name, group in sorted(call.state.groups.items())
        if (name.startswith(pattern[1:]) if pattern.startswith("^") else pattern in name)
        and log_group_class in (None, "STANDARD")
    ]
    found, more = page(wanted, next_token, limit)
    summaries = [
        {"logGroupName": one.name, "logGroupArn": call.state.arn(one), "logGroupClass": "STANDARD"} for one in found
    ]
    return {"logGroups": summaries, **more}


@logs.operation(resource=group_arn, control_plane=True)
def put_retention_policy(call: Call[LogStore], *, log_group_name: str, retention_in_days: int) -> Reply:
    """Keep the group's events for so many days; older ones go within a minute."""
    if retention_in_days not in RETENTIONS:
        raise InvalidParameterException(
            f"1 validation error detected: Value '{retention_in_days}' at 'retentionInDays' failed to satisfy "
            f"constraint: Member must satisfy enum value set: [{', '.join(str(one) for one in RETENTIONS)}]"
        )
    call.state.put_group(with_retention(call.state.group(log_group_name), retention_in_days))
    return {}


@logs.operation(resource=group_arn, control_plane=True)
def delete_retention_policy(call: Call[LogStore], *, log_group_name: str) -> Reply:
    """Keep the group's events for ever."""
    call.state.put_group(with_retention(call.state.group(log_group_name), None))
    return {}
