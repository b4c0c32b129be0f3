"""What became of writes that another Region lacked: those of an earlier export, asked for again.

The Region that lacked them says which it lacks still, the ledgers which of those that came were overwritten. One that
is lacked still waits in a Region that has it; where no other Region has it either, it is lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.clients import Clients, error_code
from outlast.ops.ledger.model import Ledger, Stranded, Version
from outlast.ops.ledger.show import moment, short
from outlast.ops.ledger.stranding import lacking, parts
from outlast.ops.outcome import UsageError

Fate = Literal["arrived", "overwritten", "still missing", "lost", "not known"]
FATES: Final[tuple[Fate, ...]] = ("arrived", "overwritten", "still missing", "lost", "not known")


@dataclass(frozen=True, slots=True)
class Followed:
    """A write that was stranded, and what became of it."""

    write: Stranded
    fate: Fate

    def document(self) -> dict[str, Any]:
        """As JSON members."""
        return {**asdict(self.write), "fate": self.fate}


def exported(path: Path) -> list[Stranded]:
    """The stranded writes of a ledger that was exported as JSON. Raises UsageError for any other file."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        return [_stranded(each) for each in read["stranded"]]
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise UsageError(f"{path} is no ledger that `outlast conflicts --export` wrote as .json.") from error


def _stranded(read: Mapping[str, Any]) -> Stranded:
    found = Stranded(**{**read, "written": Version(**read["written"])})
    texts = (found.ident, found.table, found.held_in, found.missing_in, found.written.region, found.written.clock)
    if not all(isinstance(each, str) for each in texts) or not isinstance(found.key, dict):
        raise TypeError("a member of another kind")
    moment(found.written.at_s)
    return found


def follow(clients: Clients, ledger: Ledger, writes: Sequence[Stranded]) -> list[Followed]:
    """What became of each of the writes by now. `ledger`: what the Regions say now, of all time."""
    losers = {(each.table, each.loser.region, each.loser.clock) for each in ledger.conflicts}
    waiting = {(each.ident, each.missing_in) for each in ledger.stranded}
    unread = {each.region for each in ledger.unseen}
    lacked, silent = _asked(clients, ((each.missing_in, each) for each in writes))
    left = [each for each in writes if (each.missing_in, each.ident) in lacked]
    nowhere, unsure = _asked(clients, ((name, each) for each in left for name in ledger.regions))

    def fate(write: Stranded) -> Fate:
        if (write.missing_in, write.ident) in silent:
            return "not known"
        if (write.ident, write.missing_in) in waiting:
            return "still missing"
        if (write.missing_in, write.ident) in lacked:
            places = {(name, write.ident) for name in ledger.regions}
            if places - nowhere - unsure:
                return "still missing"  # one that has it is to send it on
            return "not known" if places & unsure or write.held_in in unread or ledger.more else "lost"
        if (write.table, write.written.region, write.written.clock) in losers:
            return "overwritten"
        return "not known" if ledger.more or write.missing_in in unread else "arrived"

    return [Followed(write, fate(write)) for write in writes]


def _asked(
    clients: Clients, asked: Iterable[tuple[str, Stranded]]
) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Of Regions and writes: which of these they lack, by their own word, and which they do not tell. A Region that has
    not the table lacks them.
    """
    lacked: set[tuple[str, str]] = set()
    silent: set[tuple[str, str]] = set()
    by_region: dict[str, list[Stranded]] = {}
    for region, write in asked:
        by_region.setdefault(region, []).append(write)
    for region, writes in sorted(by_region.items()):
        for part in parts(writes):
            told = {(region, each.ident) for each in part}
            try:
                lacked |= {(region, ident) for ident in lacking(clients.of("outlast", region), part)}
            except (ClientError, BotoCoreError) as error:
                if error_code(error) == "ResourceNotFoundException":
                    lacked |= told
                else:
                    silent |= told
    return lacked, silent


def lines(followed: Sequence[Followed]) -> Iterator[str]:
    """What became of the writes as text, a line for each, and how many of each fate."""
    for each in followed:
        write = each.write
        yield (
            f"{moment(write.written.at_s)}  {write.table} {short(write.key)}  of {write.held_in}, "
            f"was missing in {write.missing_in}: {each.fate}"
        )
    fates = [each.fate for each in followed]
    told = [f"{fates.count(fate)} {fate}" for fate in FATES if fate in fates]
    yield f"{', '.join(told) or 'The file names no stranded write'}."
