"""The operations of CloudWatch Logs, one function each."""

from __future__ import annotations

from outlast.cloud.services.logs.operations import events, filters, groups, policies, streams, tags

__all__ = ["events", "filters", "groups", "policies", "streams", "tags"]
