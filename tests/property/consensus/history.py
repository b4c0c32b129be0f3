"""A recorded history of one register, and the question whether it is linearizable.

Wing and Gong's search (https://doi.org/10.1006/jpdc.1993.1015) over the operations that may come first, remembering
what was tried. An operation whose end was never seen may take effect at any later time, or never.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NOT_YET = 10**9


@dataclass(slots=True)
class Operation:
    """`swap` writes `written`, `append` adds it to the value, `read` writes nothing; these tell the value before.

    `write` writes `written` and tells nothing. Times are any numbers that grow.
    """

    kind: Literal["swap", "append", "read", "write"]
    written: bytes | None
    began: float
    ended: float = NOT_YET
    told: bytes | None = None


def is_linearizable(operations: list[Operation]) -> bool:
    """Whether some order that respects real time explains everything that was told."""
    tried: set[tuple[frozenset[int], bytes | None]] = set()
    stack: list[tuple[frozenset[int], bytes | None]] = [(frozenset(range(len(operations))), None)]
    while stack:
        left, value = stack.pop()
        if all(operations[index].ended == NOT_YET for index in left):
            return True
        if (left, value) in tried:
            continue
        tried.add((left, value))
        horizon = min(operations[index].ended for index in left)
        for index in left:
            operation = operations[index]
            if operation.began > horizon:
                continue
            if operation.ended != NOT_YET and operation.kind != "write" and operation.told != value:
                continue
            after = value
            if operation.kind in ("swap", "write"):
                after = operation.written
            elif operation.kind == "append":
                after = (value or b"") + (operation.written or b"")
            stack.append((left - {index}, after))
    return False
