"""DynamoDB and DynamoDB Streams: tables, items, indexes, transactions, streams and global tables."""

from __future__ import annotations

from outlast.cloud.services.dynamodb import timers
from outlast.cloud.services.dynamodb.operations import batch, items, queries, tables, transactions, updates
from outlast.cloud.services.dynamodb.service import dynamodb, dynamodbstreams

__all__ = ["batch", "dynamodb", "dynamodbstreams", "items", "queries", "tables", "timers", "transactions", "updates"]
