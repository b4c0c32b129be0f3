"""What became of writes that another Region lacked: those of an earlier export, asked for again.

The Region that lacked them says which it lacks still, the ledgers which of those that came were overwritten. One that
is lacked still waits in the Region that made it, or is lost with what that Region held.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.clients import Clients
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
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise UsageError(f"{path} is no ledger that `outlast conflicts --export` wrote as .json.") from error


def _stranded(read: Mapping[str, Any]) -> Stranded:
    found = Stranded(**{**read, "written": Version(**read["written"])})
    if not all(isinstance(each, str) for each in (found.ident, found.table, found.held_in, found.missing_in)):
        raise TypeError("a name that is no text")
    moment(found.written.at_s)
    return found


def follow(clients: Clients, ledger: Ledger, writes: Sequence[Stranded]) -> list[Followed]:
    """What became of each of the writes by now. `ledger`: what the Regions say now, of all time."""
    losers = {(each.table, each.loser.region, each.loser.clock) for each in ledger.conflicts}
    waiting = {(each.ident, each.missing_in) for each in ledger.stranded}
    unread = {each.region for each in ledger.unseen}
    lacked: set[tuple[str, str]] = set()
    silent: set[tuple[str, str]] = set()
    for receiver in sorted({each.missing_in for each in writes}):
        for part in parts(each for each in writes if each.missing_in == receiver):
            try:
                found = lacking(clients.of("outlast", receiver), part)
            except (ClientError, BotoCoreError):
                silent |= {(each.ident, receiver) for each in part}
            else:
                lacked |= {(ident, receiver) for ident in found}

    def fate(write: Stranded) -> Fate:
        asked = write.ident, write.missing_in
        if asked in silent:
            return "not known"
        if asked in waiting:
            return "still missing"
        if asked in lacked:
            return "not known" if write.held_in in unread or ledger.more else "lost"
        if (write.table, write.written.region, write.written.clock) in losers:
            return "overwritten"
        return "not known" if ledger.more or write.missing_in in unread else "arrived"

    return [Followed(write, fate(write)) for write in writes]


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
