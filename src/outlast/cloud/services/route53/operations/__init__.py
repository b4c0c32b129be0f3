"""The operations of Route 53's API; importing them declares them."""

from __future__ import annotations

from outlast.cloud.services.route53.operations import checks, limits, querylogs, records, tags, zones

__all__ = ["checks", "limits", "querylogs", "records", "tags", "zones"]
