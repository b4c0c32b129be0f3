"""A table and its indexes against a dictionary and Decimal: whatever is written, every way of reading agrees."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from outlast.cloud.contract import Fault
from tests.unit.dynamodb.harness import Cloud, Home

Item = dict[str, Any]
partitions = st.sampled_from(["", "a", "a\x00", "ab", "b", "é", "\U0001f600"]).map(lambda text: {"S": f"k{text}"})
sort_numbers = st.sampled_from(["0", "-1", "1", "10", "9.5", "-0.0001", "1E+100", "-1E+100", "1E-100", "99", "100"])
sorts = (sort_numbers | st.integers(-50, 50).map(str)).map(lambda text: {"N": text})
groups = st.sampled_from(["x", "y", "yy"]).map(lambda text: {"S": text})
ranks = st.integers(-3, 3).map(lambda number: {"N": str(number)})
others = st.fixed_dictionaries(
    {}, optional={"g": groups, "h": ranks, "v": st.integers(0, 9).map(lambda number: {"N": str(number)})}
)
DEFINITIONS = [
    {"AttributeName": "p", "AttributeType": "S"},
    {"AttributeName": "s", "AttributeType": "N"},
    {"AttributeName": "g", "AttributeType": "S"},
    {"AttributeName": "h", "AttributeType": "N"},
]


def schema(partition: str, *ranges: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        *({"AttributeName": name, "KeyType": "RANGE"} for name in ranges),
    ]


def number(item: Item, name: str) -> Decimal:
    return Decimal(item[name]["N"])


def same(left: Item, right: Item) -> bool:
    """Whether items agree, numbers by their values."""
    return left.keys() == right.keys() and all(_value(left[name]) == _value(right[name]) for name in left)


def _value(value: Item) -> Any:
    (kind, raw), *_ = value.items()
    return (kind, Decimal(raw)) if kind == "N" else (kind, raw)


COMPARISONS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "=": lambda left, right: left == right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


class TableAgainstModel(RuleBasedStateMachine):
    """Writes go to the table and to a dictionary of (partition, Decimal of the sort key)."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.model: dict[tuple[str, Decimal], Item] = {}
        self.cloud: Cloud
        self.db: Home

    def do(self, operation: str, **params: Any) -> Any:
        return self.loop.run_until_complete(self.db(operation, TableName="things", **params))

    @initialize()
    def begin(self) -> None:
        async def start() -> None:
            self.cloud = Cloud(Path(self.folder.name))
            self.db = await self.cloud.start()
            await self.db.table(
                AttributeDefinitions=DEFINITIONS,
                KeySchema=schema("p", "s"),
                LocalSecondaryIndexes=[
                    {
                        "IndexName": "local",
                        "KeySchema": schema("p", "h"),
                        "Projection": {"ProjectionType": "KEYS_ONLY"},
                    }
                ],
                GlobalSecondaryIndexes=[
                    {"IndexName": "global", "KeySchema": schema("g", "h"), "Projection": {"ProjectionType": "ALL"}}
                ],
            )

        self.loop.run_until_complete(start())

    def teardown(self) -> None:
        async def stop() -> None:
            with contextlib.suppress(Exception):
                await self.cloud.close()

        if hasattr(self, "cloud"):
            self.loop.run_until_complete(stop())
        self.loop.close()
        self.folder.cleanup()

    # ---- writes

    @rule(p=partitions, s=sorts, more=others)
    def put(self, p: Item, s: Item, more: Item) -> None:
        place = (p["S"], Decimal(s["N"]))
        reply = self.do("PutItem", Item={"p": p, "s": s, **more}, ReturnValues="ALL_OLD")
        old = self.model.get(place)
        assert ("Attributes" in reply) == (old is not None)
        assert old is None or same(reply["Attributes"], old)
        self.model[place] = {"p": p, "s": s, **more}

    @rule(p=partitions, s=sorts)
    def delete(self, p: Item, s: Item) -> None:
        reply = self.do("DeleteItem", Key={"p": p, "s": s}, ReturnValues="ALL_OLD")
        old = self.model.pop((p["S"], Decimal(s["N"])), None)
        assert ("Attributes" in reply) == (old is not None)

    @rule(p=partitions, s=sorts, group=groups, rank=ranks, limit=st.integers(0, 9))
    def update(self, p: Item, s: Item, group: Item, rank: Item, limit: int) -> None:
        """Group and rank are set and v counted up, unless v has passed the limit."""
        place = (p["S"], Decimal(s["N"]))
        old = self.model.get(place)
        allowed = old is None or "v" not in old or number(old, "v") <= limit
        refused, reply = "", {}
        try:
            reply = self.do(
                "UpdateItem",
                Key={"p": p, "s": s},
                UpdateExpression="SET g = :g, h = if_not_exists(h, :h) ADD v :one",
                ConditionExpression="attribute_not_exists(v) OR v <= :limit",
                ExpressionAttributeValues={":g": group, ":h": rank, ":one": {"N": "1"}, ":limit": {"N": str(limit)}},
                ReturnValues="ALL_NEW",
            )
        except Fault as fault:
            refused = fault.code
        assert refused == ("" if allowed else "ConditionalCheckFailedException")
        if refused:
            return
        base = old or {"p": p, "s": s}
        count = number(base, "v") + 1 if "v" in base else Decimal(1)
        self.model[place] = {**base, "g": group, "h": base.get("h", rank), "v": {"N": str(count)}}
        assert same(reply["Attributes"], self.model[place])

    @rule(p=partitions, s=sorts, name=st.sampled_from(["g", "h", "v"]))
    def remove(self, p: Item, s: Item, name: str) -> None:
        place = (p["S"], Decimal(s["N"]))
        self.do("UpdateItem", Key={"p": p, "s": s}, UpdateExpression=f"REMOVE {name}")
        if place in self.model:
            self.model[place] = {key: value for key, value in self.model[place].items() if key != name}

    @rule(moves=st.lists(st.tuples(partitions, sorts, others), min_size=1, max_size=4), dies=st.booleans())
    def transact(self, moves: list[tuple[Item, Item, Item]], dies: bool) -> None:
        """Several puts at once, with a check that fails when `dies`."""
        unique = {(p["S"], Decimal(s["N"])): {"p": p, "s": s, **more} for p, s, more in moves}
        actions: list[Any] = [{"Put": {"TableName": "things", "Item": item}} for item in unique.values()]
        check = "attribute_exists(p)" if dies else "attribute_not_exists(p)"
        key = {"p": {"S": "never"}, "s": {"N": "0"}}
        actions.append({"ConditionCheck": {"TableName": "things", "Key": key, "ConditionExpression": check}})
        refused = ""
        try:
            self.loop.run_until_complete(self.db("TransactWriteItems", TransactItems=actions))
        except Fault as fault:
            refused = fault.code
        assert refused == ("TransactionCanceledException" if dies else "")
        if not dies:
            self.model.update(unique)

    @rule()
    def restart(self) -> None:
        async def again() -> None:
            await self.cloud.stop()
            self.db = await self.cloud.start()

        self.loop.run_until_complete(again())

    # ---- reads

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def get(self, data: st.DataObject) -> None:
        place = data.draw(st.sampled_from(sorted(self.model)))
        item = self.model[place]
        found = self.do("GetItem", Key={"p": item["p"], "s": item["s"]}, ConsistentRead=True)["Item"]
        assert same(found, item)

    @rule(p=partitions, s=sorts, operator=st.sampled_from(sorted(COMPARISONS)), forward=st.booleans())
    def query(self, p: Item, s: Item, operator: str, forward: bool) -> None:
        expected = sorted(
            (
                item
                for (partition, sort), item in self.model.items()
                if partition == p["S"] and COMPARISONS[operator](sort, Decimal(s["N"]))
            ),
            key=lambda item: number(item, "s"),
            reverse=not forward,
        )
        found = self.pages(
            "Query",
            KeyConditionExpression=f"p = :p AND s {operator} :s",
            ExpressionAttributeValues={":p": p, ":s": s},
            ScanIndexForward=forward,
        )
        assert len(found) == len(expected)
        assert all(same(left, right) for left, right in zip(found, expected, strict=True))

    @rule(group=groups, low=ranks, high=ranks, forward=st.booleans())
    def query_global(self, group: Item, low: Item, high: Item, forward: bool) -> None:
        if Decimal(low["N"]) > Decimal(high["N"]):
            low, high = high, low
        expected = [
            item
            for item in self.model.values()
            if item.get("g") == group and "h" in item and Decimal(low["N"]) <= number(item, "h") <= Decimal(high["N"])
        ]
        found = self.pages(
            "Query",
            IndexName="global",
            KeyConditionExpression="g = :g AND h BETWEEN :low AND :high",
            ExpressionAttributeValues={":g": group, ":low": low, ":high": high},
            ScanIndexForward=forward,
        )
        ranked = [number(item, "h") for item in found]
        assert ranked == sorted(ranked, reverse=not forward)
        self.agree(found, expected)

    @rule(p=partitions, limit=st.integers(0, 9))
    def query_local(self, p: Item, limit: int) -> None:
        expected = [
            {name: item[name] for name in ("p", "s", "h")}
            for (partition, _), item in self.model.items()
            if partition == p["S"] and "h" in item
        ]
        found = self.pages(
            "Query", IndexName="local", KeyConditionExpression="p = :p", ExpressionAttributeValues={":p": p}
        )
        assert [number(item, "h") for item in found] == sorted(number(item, "h") for item in found)
        self.agree(found, expected)

    @invariant()
    def whole_table(self) -> None:
        if not hasattr(self, "db"):
            return
        self.agree(self.pages("Scan"), list(self.model.values()))

    def pages(self, operation: str, **params: Any) -> list[Item]:
        """All items, three at a time."""
        found: list[Item] = []
        while True:
            reply = self.do(operation, Limit=3, **params)
            found += reply["Items"]
            if "LastEvaluatedKey" not in reply:
                return found
            params["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

    def agree(self, found: list[Item], expected: list[Item]) -> None:
        """The same items, in whatever order."""

        def order(item: Item) -> Any:
            return item["p"]["S"], number(item, "s")

        assert len(found) == len(expected)
        pairs = zip(sorted(found, key=order), sorted(expected, key=order), strict=True)
        assert all(same(left, right) for left, right in pairs)


TestTableAgainstModel = TableAgainstModel.TestCase
TestTableAgainstModel.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
