"""The operations, by what they are about."""

from __future__ import annotations

from outlast.cloud.services.arc_readiness.operations import accounts, cells, checks, groups, sets, status, tags

__all__ = ["accounts", "cells", "checks", "groups", "sets", "status", "tags"]
