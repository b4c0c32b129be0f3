"""The two services of this folder: DynamoDB and, over the same state, DynamoDB Streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlast.cloud.contract import Service
from outlast.cloud.services.dynamodb.names import table_of_arn
from outlast.cloud.services.dynamodb.resources import RESOURCE_TYPES
from outlast.cloud.services.dynamodb.state import DynamoDB

OPAQUE = frozenset(
    {
        "AttributeValue",
        "AttributeMap",
        "ItemList",
        "Key",
        "PutItemInputAttributeMap",
        "ExpressionAttributeValueMap",
        "ItemCollectionKeyAttributeMap",
    }
)


def resource_policy(state: DynamoDB, arn: str) -> Mapping[str, Any] | None:
    """The policy that guards a table, or a stream of it."""
    _, _, name, rest = table_of_arn(arn)
    table = state.tables.get(name)
    if table is None:
        return None
    policies = table.doc.get("Policies") or {}
    found = policies.get("stream" if rest.startswith("/stream/") else "table")
    document: Mapping[str, Any] | None = found["Document"] if found else None
    return document


dynamodb: Service[DynamoDB] = Service(
    "dynamodb",
    open=DynamoDB.open,
    opaque=OPAQUE,
    resource_policy=resource_policy,
    resource_types=RESOURCE_TYPES,
)
dynamodbstreams: Service[DynamoDB] = Service(
    "dynamodbstreams",
    open=DynamoDB.open,
    opaque=frozenset({"RecordList"}),
    shares="dynamodb",
    action_prefix="dynamodb",
)
