"""DynamoDB and DynamoDB Streams: tables, items, indexes, transactions, streams and global tables."""

from __future__ import annotations

from outlast.cloud.services.dynamodb import timers, wording
from outlast.cloud.services.dynamodb.operations import (
    backups,
    batch,
    items,
    legacy_globals,
    partiql,
    policies,
    queries,
    streams,
    tables,
    tags,
    transactions,
    transfers,
    ttl,
    updates,
)
from outlast.cloud.services.dynamodb.service import dynamodb, dynamodbstreams

__all__ = [
    "backups",
    "batch",
    "dynamodb",
    "dynamodbstreams",
    "items",
    "legacy_globals",
    "partiql",
    "policies",
    "queries",
    "streams",
    "tables",
    "tags",
    "timers",
    "transactions",
    "transfers",
    "ttl",
    "updates",
]

wording.word(dynamodb)
