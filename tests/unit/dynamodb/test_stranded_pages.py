"""Stranded writes by the page, while a replica is being filled and items come in no order of time."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from outlast.cloud.services.dynamodb.ledger import owed_after, place


@pytest.mark.parametrize("status", ["CREATING", "ACTIVE"])
def test_every_write_is_on_one_page(status: str) -> None:
    stamps = [5, 9, 2, 7, 1, 8, 3, 3, 3, 6]
    if status == "ACTIVE":
        stamps.sort()
    writes = [SimpleNamespace(stamp=stamp, key=b"%d" % (97 - number)) for number, stamp in enumerate(stamps)]
    space = SimpleNamespace(replica_status=lambda: {"there": SimpleNamespace(status=status)})

    def stranded(_peer: str, _space: Any, from_stamp: int) -> Iterator[Any]:
        return (each for each in writes if each.stamp >= from_stamp)

    engine = SimpleNamespace(stranded=stranded)
    found: list[Any] = []
    while True:
        last = place(found[-1]) if found else (0, b"")
        page = owed_after(cast(Any, engine), cast(Any, space), "there", last, 2)
        if not page:
            break
        found += page
    assert found == sorted(writes, key=place)
