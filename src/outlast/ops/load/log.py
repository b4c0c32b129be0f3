"""The request log: one line for every request, in the order in which they ended."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

Outcome = Literal["served", "refused", "missing", "error", "timeout", "unreachable", "unresolved", "shed"]
FAILED: Final = frozenset({"error", "timeout", "unreachable", "unresolved", "shed"})


@dataclass(frozen=True, slots=True)
class Record:
    """One request. `at_s` is when it was due (epoch seconds), `ms` until it ended, waiting included.

    served: 2xx. refused: the service understood and said no (a product already sold). missing: an acknowledged order
    that the answering Region does not have. error: any other status. timeout, unreachable: no answer. unresolved: the
    name had no usable answer. shed: the load itself could not keep up.
    `attempts`: how often it was sent: again where a kept connection turned out to be closed, and never for an answer.
    `region` answered, by its own word; `aimed` is where the name had pointed the client.
    """

    at_s: float
    ms: float
    client: str
    coast: str
    stubborn: bool
    operation: str
    outcome: Outcome
    status: int = 0
    code: str = ""
    region: str = ""
    aimed: str = ""
    address: str = ""
    order_id: str = ""
    product_id: str = ""
    attempts: int = 1

    @property
    def ended_s(self) -> float:
        """When the answer, or the lack of one, was known."""
        return self.at_s + self.ms / 1000

    @property
    def acknowledged_write(self) -> bool:
        """Whether the service promised to have stored an order."""
        return self.operation == "order" and self.outcome == "served"

    def bad(self, slow_ms: float) -> bool:
        """Whether the customer was let down: no answer, an error, or an answer after `slow_ms`."""
        return self.outcome in FAILED or self.ms > slow_ms

    @property
    def where(self) -> str:
        """The Region that answered, or else that should have."""
        return self.region or self.aimed


def to_line(record: Record) -> str:
    """The record as one line of JSON, members in the order of the fields."""
    return json.dumps(asdict(record), separators=(",", ":"))


def from_line(line: str) -> Record:
    """The record in a line that `to_line` wrote."""
    return Record(**json.loads(line))


def read(paths: Iterable[Path]) -> list[Record]:
    """All complete lines of the logs, in the order in which the requests were due."""
    return sorted((record for path in paths for record in _lines(path)), key=lambda record: record.at_s)


def _lines(path: Path) -> Iterator[Record]:
    if not path.exists():
        return
    with path.open(encoding="utf-8") as log:
        for line in log:
            if line.endswith("\n"):
                yield from_line(line)


class Tail:
    """Reads what was appended to the logs since the last look."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._offsets = dict.fromkeys(paths, 0)

    def fresh(self) -> list[Record]:
        """The complete lines that came since the last call."""
        found: list[Record] = []
        for path, offset in self._offsets.items():
            if not path.exists():
                continue
            with path.open("rb") as log:
                log.seek(offset)
                data = log.read()
            complete = data[: data.rfind(b"\n") + 1]
            self._offsets[path] = offset + len(complete)
            found += [from_line(line) for line in complete.decode().splitlines()]
        return found
