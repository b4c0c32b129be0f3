"""The ledgers of all Regions, read side by side. A Region that does not answer is named, and holds up nobody.

AWS keeps no record of what global tables overwrite: the last writer wins, in silence.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.clients import Clients, error_code
from outlast.ops.ledger.model import (
    Conflict,
    Ledger,
    Link,
    Stranded,
    Unseen,
    merged,
    read_conflict,
    read_link,
)
from outlast.ops.ledger.stranding import lacking, listed, parts
from outlast.ops.outcome import UsageError

NO_LEDGER: Final = "AWS keeps no ledger of what global tables overwrite: `outlast reconcile` looks for what is left."
LIMIT: Final = 1000
PAGE: Final = 200
THREADS: Final = 8
Entry = TypeVar("Entry")


@dataclass(slots=True)
class _Reader:
    """Reads one Region's ledger. `known`: the Region has the table that was asked for; `silent`: it does not answer."""

    client: Any
    region: str
    table: str | None
    limit: int
    conflicts: list[Conflict] = field(default_factory=list)
    stranded: list[Stranded] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    unseen: list[Unseen] = field(default_factory=list)
    more: bool = False
    known: bool = True
    silent: bool = False

    def read_writes(self, regions: Sequence[str]) -> None:
        """Read links, and writes that others lack; what cannot be read goes to `unseen`."""
        steps: dict[str, Callable[[], None]] = {"links": self._links}
        steps |= {f"writes missing in {peer}": partial(self._stranded, peer) for peer in regions if peer != self.region}
        self._take(steps)

    def read_conflicts(self, since_s: float) -> None:
        """Read what was overwritten, likewise."""
        since = {"Since": datetime.fromtimestamp(since_s, UTC)} if since_s > 0 else {}
        if self.known and not self.silent:
            self._take({"conflicts": partial(self._conflicts, since)})

    def _take(self, steps: Mapping[str, Callable[[], None]]) -> None:
        for what, step in steps.items():
            try:
                step()
            except ClientError as error:
                if error_code(error) == "ResourceNotFoundException":
                    self.known = False
                    return
                self.unseen.append(Unseen(self.region, what, error_code(error)))
            except BotoCoreError as error:
                self.unseen.append(Unseen(self.region, what, error_code(error)))
                self.silent = True
                return

    def _conflicts(self, since: Mapping[str, Any]) -> None:
        pages = self.client.get_paginator("list_conflicts").paginate(
            **self._scope(), **since, PaginationConfig={"PageSize": PAGE}
        )
        found = (read_conflict(entry, self.region) for page in pages for entry in page.get("Conflicts", []))
        for conflict in self._bounded(found):
            self.conflicts.append(conflict)

    def _stranded(self, peer: str) -> None:
        for write in self._bounded(listed(self.client, self.region, peer, self.table, PAGE)):
            self.stranded.append(write)

    def _bounded(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        """The first `limit` entries; `more` is set when there are others."""
        for number, entry in enumerate(entries):
            if number == self.limit:
                self.more = True
                return
            yield entry

    def _links(self) -> None:
        answer = self.client.list_replication_links(**self._scope())
        self.links += [read_link(entry, self.region) for entry in answer.get("Links", [])]

    def _scope(self) -> dict[str, Any]:
        return {"TableName": self.table} if self.table else {}


def gather(
    clients: Clients,
    regions: Sequence[str],
    *,
    now_s: float,
    table: str | None = None,
    since_s: float = 0.0,
    limit: int = LIMIT,
) -> Ledger:
    """The ledger of every Region, at most `limit` entries of each kind and Region.

    Conflicts are read last: a write that arrives meanwhile, and loses, is then told as overwritten, not left out.
    Raises UsageError on AWS, which keeps none, and for a table that no Region knows.
    """
    if clients.kind != "local":
        raise UsageError(NO_LEDGER)
    with ThreadPoolExecutor(min(THREADS, max(1, len(regions)))) as pool:
        readers = [_Reader(clients.of("outlast", region), region, table, limit) for region in regions]
        list(pool.map(lambda reader: reader.read_writes(regions), readers))
        stranded = [write for each in readers for write in each.stranded]
        by_region = [[write for write in stranded if write.missing_in == region] for region in regions]
        stranded = [
            write for kept in pool.map(lambda each: _checked(clients, each), filter(None, by_region)) for write in kept
        ]
        list(pool.map(lambda reader: reader.read_conflicts(since_s), readers))
    if table is not None and readers and not any(each.known or each.unseen for each in readers):
        raise UsageError(f"There is no table {table} in any Region.")
    conflicts = merged([conflict for each in readers for conflict in each.conflicts])
    return Ledger(
        at_s=now_s,
        regions=tuple(regions),
        conflicts=conflicts,
        stranded=tuple(sorted(stranded, key=lambda write: write.written.at_s)),
        links=tuple(link for each in readers for link in each.links),
        unseen=tuple(unseen for each in readers for unseen in each.unseen),
        more=any(each.more for each in readers),
    )


def _checked(clients: Clients, writes: Sequence[Stranded]) -> list[Stranded]:
    """Those of the writes that the Region they are missing in lacks by its own word; all, where it does not answer.

    The Region that made a write cannot know more than what is confirmed; whoever reaches both can.
    """
    client = clients.of("outlast", writes[0].missing_in)
    kept: list[Stranded] = []
    for part in parts(writes):
        try:
            missing = lacking(client, part)
        except (ClientError, BotoCoreError):
            kept += part
        else:
            kept += [replace(write, checked=True) for write in part if write.ident in missing]
    return kept
