"""Dashboards kept."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.cloudwatch.dashboard import check_body
from outlast.cloud.services.cloudwatch.errors import (
    DashboardInvalidInputError,
    DashboardNotFoundError,
    InvalidParameterValueException,
    LimitExceededFault,
)
from outlast.cloud.services.cloudwatch.operations.paging import page
from outlast.cloud.services.cloudwatch.operations.tags import read_tags
from outlast.cloud.services.cloudwatch.service import DASHBOARD, cloudwatch
from outlast.cloud.services.cloudwatch.state import Watch

NAME = re.compile(r"[0-9A-Za-z_-]{1,255}\Z")
MAX_DASHBOARDS = 500
LIST_PAGE = 1_000


def _arn(call: Call[Watch], name: str) -> str:
    return f"arn:aws:cloudwatch::{call.region.account_id}:dashboard/{name}"


@cloudwatch.operation(resource=DASHBOARD, control_plane=True)
def put_dashboard(
    call: Call[Watch], *, dashboard_name: str, dashboard_body: str, tags: Sequence[Mapping[str, Any]] = ()
) -> Reply:
    """Keep a dashboard; a body with errors is refused, warnings come back with the reply.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
    """
    if not NAME.match(dashboard_name):
        raise InvalidParameterValueException(
            f"The value {dashboard_name} for field DashboardName contains invalid characters. It can only contain "
            "alphanumerics, dash (-) and underscore (_)."
        )
    errors, warnings = check_body(dashboard_body)
    if errors:
        raise DashboardInvalidInputError(
            f"The dashboard body is invalid, there are {len(errors)} validation errors: {errors}",
            dashboardValidationMessages=errors,
        )
    known = call.state.dashboards.get(dashboard_name)
    if known is None and len(call.state.dashboards) >= MAX_DASHBOARDS:
        raise LimitExceededFault(f"The maximum limit of {MAX_DASHBOARDS} dashboards was exceeded.")
    document = {
        "body": dashboard_body,
        "modified_ms": call.now_ms,
        "tags": read_tags(tags) if known is None else known.get("tags", {}),
    }
    call.state.dashboards.put(dashboard_name, document)
    return {"DashboardValidationMessages": warnings}


@cloudwatch.operation(resource=DASHBOARD)
def get_dashboard(call: Call[Watch], *, dashboard_name: str) -> Reply:
    """A dashboard's body as it was put."""
    document = call.state.dashboards.get(dashboard_name)
    if document is None:
        raise DashboardNotFoundError(f"Dashboard {dashboard_name} does not exist")
    return {
        "DashboardArn": _arn(call, dashboard_name),
        "DashboardBody": document["body"],
        "DashboardName": dashboard_name,
    }


@cloudwatch.operation()
def list_dashboards(call: Call[Watch], *, dashboard_name_prefix: str = "", next_token: str | None = None) -> Reply:
    """The dashboards of this Region."""
    found, more = page(call.state.dashboards.keys(dashboard_name_prefix), next_token, LIST_PAGE)
    entries = []
    for name in found:
        document = call.state.dashboards.get(name) or {}
        entries.append(
            {
                "DashboardName": name,
                "DashboardArn": _arn(call, name),
                "LastModified": document["modified_ms"] / 1000,
                "Size": len(document["body"].encode()),
            }
        )
    return {"DashboardEntries": entries, **more}


@cloudwatch.operation(resource="arn:aws:cloudwatch::{account}:dashboard/*", control_plane=True)
def delete_dashboards(call: Call[Watch], *, dashboard_names: Sequence[str]) -> Reply:
    """Delete dashboards, all or none."""
    missing = [name for name in dashboard_names if name not in call.state.dashboards]
    if missing:
        raise DashboardNotFoundError(f"Dashboard {missing[0]} does not exist")
    for name in dashboard_names:
        call.state.dashboards.delete(name)
    return {}
