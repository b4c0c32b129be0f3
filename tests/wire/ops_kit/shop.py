"""The order service's tables in a world, and orders placed as the service places them: one local transaction each."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from outlast.ops.reconcile.rules import library
from tests.conftest import World

A, B = "us-east-1", "us-west-2"
KEYS = {"orders": "order_id", "products": "product_id"}


def outlast(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command as an operator types it."""
    command = [sys.executable, "-m", "outlast.cli.main", *words, "--home", str(world.folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def wait_until(truth: Callable[[], Any], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


class Shop:
    """Two global tables, `orders` and `products`, with a replica in each of two Regions."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clients = {region: world.client("dynamodb", region) for region in (A, B)}
        for table, key in KEYS.items():
            self._make(table, key)

    def _make(self, table: str, key: str) -> None:
        client = self.clients[A]
        client.create_table(
            TableName=table,
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        wait_until(lambda: client.describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE")
        client.update_table(TableName=table, ReplicaUpdates=[{"Create": {"RegionName": B}}])

        def active() -> bool:
            described = client.describe_table(TableName=table)["Table"]
            replicas = {each["RegionName"]: each["ReplicaStatus"] for each in described.get("Replicas", [])}
            return bool(described["TableStatus"] == "ACTIVE" and replicas.get(B) == "ACTIVE")

        wait_until(active)

    def stock(self, *products: str) -> None:
        """Products for sale, known in both Regions."""
        for product in products:
            self.clients[A].put_item(TableName="products", Item={"product_id": {"S": product}})
        wait_until(lambda: all(self.product(B, product) for product in products))

    def order(self, region: str, order: str, product: str) -> bool:
        """Place an order in one Region; False when it is refused."""
        at = {"S": f"{time.time():.6f}"}
        fields = {"order_id": order, "product_id": product, "status": "PLACED", "region": region}
        mark = {
            "TableName": "products",
            "Key": {"product_id": {"S": product}},
            "UpdateExpression": "SET sold_to_order = :order, sold_in = :region, sold_at = :at",
            "ConditionExpression": "attribute_exists(product_id) AND attribute_not_exists(sold_to_order)",
            "ExpressionAttributeValues": {":order": {"S": order}, ":region": {"S": region}, ":at": at},
        }
        put = {
            "TableName": "orders",
            "Item": {**{name: {"S": value} for name, value in fields.items()}, "placed_at": at},
            "ConditionExpression": "attribute_not_exists(order_id)",
        }
        try:
            self.clients[region].transact_write_items(TransactItems=[{"Update": mark}, {"Put": put}])
        except self.clients[region].exceptions.TransactionCanceledException:
            return False
        return True

    def item(self, region: str, table: str, key: str) -> dict[str, str]:
        found = self.clients[region].get_item(TableName=table, Key={KEYS[table]: {"S": key}}, ConsistentRead=True)
        return {name: value["S"] for name, value in found.get("Item", {}).items()}

    def product(self, region: str, key: str) -> dict[str, str]:
        return self.item(region, "products", key)

    def alike(self) -> bool:
        """Both replicas hold the same items."""
        return all(self.scan(A, table) == self.scan(B, table) for table in KEYS)

    def scan(self, region: str, table: str) -> dict[str, Any]:
        items = self.clients[region].scan(TableName=table, ConsistentRead=True)["Items"]
        return {item[KEYS[table]]["S"]: item for item in items}


def rules(folder: Path) -> Path:
    """The shipped rules, for these tables."""
    path = folder / "shop.yaml"
    path.write_text(library()["orders"].replace("{orders}", "orders").replace("{products}", "products"))
    return path
