"""Stranded writes, asked of both sides: the Region that made them lists them, the one that lacks them says which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from outlast.ops.ledger.model import Stranded, read_stranded

PAGE: Final = 1000
AT_ONCE: Final = 200
"""What CheckWrites takes at once."""


def listed(client: Any, region: str, missing_in: str, table: str | None, page: int = PAGE) -> Iterator[Stranded]:
    """The writes of `region` that `missing_in` has not confirmed, read page by page. Raises botocore's errors."""
    scope = {"TableName": table} if table else {}
    pages = client.get_paginator("list_stranded_writes").paginate(
        MissingIn=missing_in, **scope, PaginationConfig={"PageSize": page}
    )
    for each in pages:
        for entry in each.get("Writes", []):
            yield read_stranded(entry, region)


def parts(writes: Iterable[Stranded]) -> Iterator[list[Stranded]]:
    """The writes in parts that `lacking` takes: of one table each."""
    by_table: dict[str, list[Stranded]] = {}
    for write in writes:
        by_table.setdefault(write.table, []).append(write)
    for of_table in by_table.values():
        for at in range(0, len(of_table), AT_ONCE):
            yield of_table[at : at + AT_ONCE]


def lacking(client: Any, part: Sequence[Stranded]) -> frozenset[str]:
    """The idents of those writes of a part that the Region of `client` lacks by its own word.

    Raises botocore's errors.
    """
    answer = client.check_writes(TableName=part[0].table, Ids=[write.ident for write in part])
    return frozenset(answer.get("Missing", ()))
