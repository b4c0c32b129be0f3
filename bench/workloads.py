"""The six columns of the DynamoDB comparison: 1 KB items, 10,000 keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

TABLE = "bench"
KEYS = 10_000
PER_PARTITION = 10
PAYLOAD = "x" * 950
Body = Callable[[int], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Workload:
    """One column: the operation, the body of the n-th request, how many requests to sign."""

    name: str
    operation: str
    body: Body
    signed: int = 2_000

    def bodies_of(self, number: int) -> bytes:
        """The body about the n-th item."""
        return json.dumps(self.body(number)).encode()

    def bodies(self, count: int | None = None) -> list[bytes]:
        """The requests' bodies, keys spread over the table."""
        return [self.bodies_of(number * 7919 % KEYS) for number in range(count or self.signed)]


def key(number: int) -> dict[str, Any]:
    """Primary key of the n-th item: ten items a partition."""
    return {"pk": {"S": f"partition-{number // PER_PARTITION:06d}"}, "sk": {"N": str(number % PER_PARTITION)}}


def item(number: int) -> dict[str, Any]:
    """The n-th item, about 1 KB."""
    return {**key(number), "payload": {"S": PAYLOAD}, "n": {"N": str(number)}}


WORKLOADS = (
    Workload("Put", "PutItem", lambda n: {"TableName": TABLE, "Item": item(n)}),
    Workload("Get", "GetItem", lambda n: {"TableName": TABLE, "Key": key(n)}),
    Workload(
        "Update + condition",
        "UpdateItem",
        lambda n: {
            "TableName": TABLE,
            "Key": key(n),
            "UpdateExpression": "SET n = n + :one",
            "ConditionExpression": "attribute_exists(pk)",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        },
    ),
    Workload(
        "Query 10",
        "Query",
        lambda n: {
            "TableName": TABLE,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": key(n)["pk"]},
        },
    ),
    Workload(
        "TransactWrite 3",
        "TransactWriteItems",
        lambda n: {
            "TransactItems": [
                {"Put": {"TableName": TABLE, "Item": item((n + step * 3331) % KEYS)}} for step in range(3)
            ]
        },
    ),
    Workload(
        "BatchWrite 25",
        "BatchWriteItem",
        lambda n: {
            "RequestItems": {TABLE: [{"PutRequest": {"Item": item((n + step * 397) % KEYS)}} for step in range(25)]}
        },
        signed=400,
    ),
)


TABLE_SHAPE: dict[str, Any] = {
    "TableName": TABLE,
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "N"},
    ],
    "BillingMode": "PAY_PER_REQUEST",
}


def fill() -> Iterator[dict[str, Any]]:
    """BatchWriteItem's RequestItems that make all items."""
    for start in range(0, KEYS, 25):
        yield {TABLE: [{"PutRequest": {"Item": item(number)}} for number in range(start, start + 25)]}


def prepare(client: Any) -> None:
    """Make the table and its 10,000 items through a boto3 client."""
    client.create_table(**TABLE_SHAPE)
    client.get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    for requests in fill():
        client.batch_write_item(RequestItems=requests)
