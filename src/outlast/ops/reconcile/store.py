"""One Region's replica of the tables, read strongly and written by conditional transactions only."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.clients import again, error_code
from outlast.ops.outcome import UndecidedError, UsageError
from outlast.ops.reconcile.items import SCALARS, Item, Ref, ref
from outlast.ops.reconcile.rules import Table
from outlast.ops.reconcile.writes import Repair, render

BATCH: Final = 100
ROUNDS: Final = 8
LIMIT: Final = 200_000
CHANGED: Final = "changed meanwhile"
"""Why a repair was not made: what it rests on is not so any more."""


class Store(Protocol):
    """A Region's replica."""

    @property
    def region(self) -> str:
        """Where it is."""
        ...

    def scan(self, table: Table) -> dict[Ref, Item]:
        """All items, by key. Raises UndecidedError when there are too many, UsageError for a table of another form."""
        ...

    def fetch(self, table: Table, refs: Sequence[Ref]) -> dict[Ref, Item]:
        """The items with these keys that there are."""
        ...

    def write(self, repair: Repair) -> str:
        """Make a repair, whole or not at all; empty when it was made, else why not."""
        ...


class DynamoStore:
    """A replica in DynamoDB; `limit` bounds the items read of one table. Calls raise botocore's errors."""

    def __init__(self, client: Any, region: str, limit: int = LIMIT) -> None:
        self._client = client
        self._region = region
        self._limit = limit

    @property
    def region(self) -> str:
        """Where it is."""
        return self._region

    def scan(self, table: Table) -> dict[Ref, Item]:
        """All items, by key, those left out whose keys the rules skip."""
        self._check(table)
        found: dict[Ref, Item] = {}
        for item in self._pages(table.name):
            key = ref(item, table.key)
            if key is None or key.text.startswith(table.skip):
                continue
            found[key] = item
            if len(found) > self._limit:
                raise UndecidedError(f"{table.name} in {self._region} has more than {self._limit} items (--limit).")
        return found

    def fetch(self, table: Table, refs: Sequence[Ref]) -> dict[Ref, Item]:
        """The items with these keys that there are, by strongly consistent reads."""
        found: dict[Ref, Item] = {}
        unique = sorted(set(refs))
        for start in range(0, len(unique), BATCH):
            keys = [{table.key: each.value} for each in unique[start : start + BATCH]]
            request: Mapping[str, Any] = {table.name: {"Keys": keys, "ConsistentRead": True}}
            for _ in range(ROUNDS):
                answer = self._batch(request)
                for item in answer["Responses"].get(table.name, []):
                    key = ref(item, table.key)
                    if key is not None:
                        found[key] = item
                request = answer.get("UnprocessedKeys") or {}
                if not request:
                    break
            else:
                raise UndecidedError(f"{table.name} in {self._region} did not give all items that were asked for.")
        return found

    def write(self, repair: Repair) -> str:
        """One transaction; repeated with the same token when its answer did not come.

        Each call has a token of its own: what was repaired may break in the same way within the ten minutes that
        DynamoDB takes a token for a repetition, and would be said to be repaired with nothing done.
        """
        token = str(uuid.uuid4())
        try:
            again(lambda: self._client.transact_write_items(TransactItems=render(repair), ClientRequestToken=token))
        except ClientError as error:
            if error_code(error) != "TransactionCanceledException":
                return error_code(error)
            reasons = {reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])}
            return (
                CHANGED if "ConditionalCheckFailed" in reasons else ", ".join(reasons - {"None"}) or error_code(error)
            )
        except BotoCoreError as error:
            return error_code(error)
        return ""

    def _check(self, table: Table) -> None:
        described = again(lambda: self._client.describe_table(TableName=table.name))["Table"]
        keys = [each["AttributeName"] for each in described["KeySchema"]]
        if keys != [table.key]:
            raise UsageError(f"The key of {table.name} is {' and '.join(keys)}; the rules say {table.key} alone.")
        kinds = {each["AttributeName"]: each["AttributeType"] for each in described.get("AttributeDefinitions", [])}
        if kinds.get(table.key, SCALARS[0]) not in SCALARS:
            raise UsageError(f"The key of {table.name} is binary; rules name items by text or number.")

    def _pages(self, name: str) -> Iterator[Item]:
        arguments: dict[str, Any] = {"TableName": name, "ConsistentRead": True}
        while True:
            page = again(lambda wanted=dict(arguments): self._client.scan(**wanted))  # type: ignore[misc]
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _batch(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = again(lambda: self._client.batch_get_item(RequestItems=request))
        return answer
