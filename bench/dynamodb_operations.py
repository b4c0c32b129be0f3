"""CPU of DynamoDB's operations without the wire: microseconds an operation, in process, on a real engine.

Run as `python bench/dynamodb_operations.py [--profile OPERATION]`. The figures say where the item path spends its time;
what a client sees is measured over HTTP elsewhere.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.unit.dynamodb.harness import ACCOUNT, Cloud, Home

from outlast.cloud.contract import Call, Principal
from outlast.cloud.services.dynamodb import dynamodb

KEYS = 1000
ROUNDS = 5000
PAYLOAD = "x" * 900
Work = Callable[[int], dict[str, Any]]


def item(number: int) -> dict[str, Any]:
    return {
        "p": {"S": f"key{number % KEYS}"},
        "n": {"N": str(number)},
        "v": {"S": PAYLOAD},
        "m": {"M": {"a": {"S": "b"}}},
    }


def works() -> Iterator[tuple[str, str, Work]]:
    """(label, operation, parameters by number)."""

    def key(number: int) -> dict[str, Any]:
        return {"p": {"S": f"key{number % KEYS}"}}

    yield "PutItem", "PutItem", lambda number: {"TableName": "things", "Item": item(number)}
    yield "GetItem", "GetItem", lambda number: {"TableName": "things", "Key": key(number)}
    yield (
        "UpdateItem + condition",
        "UpdateItem",
        lambda number: {
            "TableName": "things",
            "Key": key(number),
            "UpdateExpression": "SET n = n + :one, #s = :s",
            "ConditionExpression": "attribute_exists(p) AND n >= :zero",
            "ExpressionAttributeNames": {"#s": "state"},
            "ExpressionAttributeValues": {":one": {"N": "1"}, ":zero": {"N": "0"}, ":s": {"S": "on"}},
        },
    )
    yield (
        "Query 10",
        "Query",
        lambda number: {
            "TableName": "rows",
            "KeyConditionExpression": "p = :p",
            "ExpressionAttributeValues": {":p": {"S": f"key{number % 100}"}},
            "Limit": 10,
        },
    )
    yield (
        "TransactWrite 3",
        "TransactWriteItems",
        lambda number: {
            "TransactItems": [{"Put": {"TableName": "things", "Item": item(3 * number + each)}} for each in range(3)],
            "ClientRequestToken": f"token{number}",
        },
    )
    yield (
        "BatchWrite 25",
        "BatchWriteItem",
        lambda number: {
            "RequestItems": {"things": [{"PutRequest": {"Item": item(25 * number + each)}} for each in range(25)]}
        },
    )


def prepared(db: Home, operation: str, work: Work, rounds: int) -> list[tuple[Call[Any], dict[str, Any]]]:
    principal = Principal("root", "root", ACCOUNT)
    now_ms = db.region.clock.now_ms()
    made = []
    for number in range(rounds):
        call = Call(db.state, db.region, principal, f"request-{number}", now_ms, "dynamodb", operation)
        made.append((call, orjson.loads(orjson.dumps(work(number)))))
    return made


async def measure(db: Home, label: str, operation: str, work: Work, profile: bool) -> None:
    declared = dynamodb.operations[operation]
    rounds = ROUNDS // 10 if operation == "BatchWriteItem" else ROUNDS
    calls = prepared(db, operation, work, rounds)
    profiler = cProfile.Profile()
    spent = 0.0
    for at in range(0, rounds, 64):
        began = time.process_time()
        if profile:
            profiler.enable()
        for call, params in calls[at : at + 64]:
            declared.function(call, **declared.arguments(params))
        profiler.disable()
        spent += time.process_time() - began
        await db.engine.settled()
    print(f"{label:24} {spent / rounds * 1e6:8.1f} us")
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--profile", default="")
    wanted = parser.parse_args().profile
    cloud = Cloud(Path(tempfile.mkdtemp()))
    db = await cloud.start()
    await db.table()
    await db.table(
        "rows",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in "pc"],
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "c", "KeyType": "RANGE"}],
    )
    for number in range(1000):
        await db("PutItem", TableName="rows", Item={**item(number % 100), "c": {"S": f"{number // 100:04d}"}})
    for label, operation, work in works():
        await measure(db, label, operation, work, wanted == operation)
    await cloud.close()


if __name__ == "__main__":
    asyncio.run(main())
