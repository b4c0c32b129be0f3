"""The operations of Lambda, one function each."""

from __future__ import annotations

from outlast.cloud.services.lambda_.operations import (
    aliases,
    concurrency,
    functions,
    invocation,
    permissions,
    tags,
    versions,
)

__all__ = ["aliases", "concurrency", "functions", "invocation", "permissions", "tags", "versions"]
