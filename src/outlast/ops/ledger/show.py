"""The ledger for people, and as rows for a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from outlast.ops.ledger.model import Conflict, Item, Ledger, Version
from outlast.ops.outcome import OpsError, UsageError

COLUMNS: Final = (
    "kind", "table", "key", "region", "at", "clock", "request", "item", "overwritten_by", "missing_in", "detected_at",
)  # fmt: skip
KINDS: Final = frozenset({"S", "N", "B", "BOOL", "NULL"})


def lines(ledger: Ledger) -> Iterator[str]:
    """The ledger as text, one block for each conflict."""
    for conflict in ledger.conflicts:
        yield from _conflict(conflict)
    for write in ledger.stranded:
        yield (
            f"{moment(write.written.at_s)}  {write.table} {short(write.key)}  held in {write.held_in}, "
            f"{'missing in' if write.checked else 'not confirmed by'} {write.missing_in}"
        )
    if ledger.conflicts or ledger.stranded:
        yield ""
    for link in ledger.links:
        lag = "" if link.lag_ms is None else f", {link.lag_ms:.0f} ms behind"
        yield f"{link.table}  {link.origin} -> {link.receiver}  {link.status}, {link.pending} pending{lag}"
    for unseen in ledger.unseen:
        yield f"{unseen.region}: {unseen.what} could not be read ({unseen.why})"
    yield summary(ledger)


def summary(ledger: Ledger) -> str:
    """One line."""
    told = [f"{len(ledger.conflicts)} overwritten", f"{len(ledger.stranded)} stranded"]
    unchecked = sum(not write.checked for write in ledger.stranded)
    if unchecked:
        told.append(f"{unchecked} of these may have arrived: their Region could not be asked")
    if ledger.more:
        told.append("there is more: raise --limit")
    if ledger.unseen:
        told.append(f"not all was seen: {', '.join(sorted({each.region for each in ledger.unseen}))}")
    return f"{'; '.join(told)}."


def _conflict(conflict: Conflict) -> Iterator[str]:
    yield (
        f"{moment(conflict.detected_s)}  {conflict.table} {short(conflict.key)}  "
        f"noticed in {', '.join(conflict.detected_in)}"
    )
    for word, version in (("stands", conflict.winner), ("overwritten", conflict.loser)):
        yield f"  {word:<12}{version.region}  {moment(version.at_s)}  clock {version.clock}  {version.request_id}"
        yield f"  {'':<12}{_told(version, conflict.differs)}"


def _told(version: Version, differs: tuple[str, ...]) -> str:
    if version.item is None:
        return "deleted"
    held = {name: version.item[name] for name in differs if name in version.item}
    lacking = [name for name in differs if name not in version.item]
    without = f"  without {', '.join(lacking)}" if lacking else ""
    return f"{short(held)}{without}".strip() or "the same attributes"


def short(item: Item) -> str:
    """An item or a key in few words: simple values without their types."""
    return "  ".join(f"{name}={_value(value)}" for name, value in sorted(item.items()))


def _value(value: Any) -> str:
    if isinstance(value, Mapping) and len(value) == 1:
        (kind, held), *_ = value.items()
        if kind in KINDS:
            return str(held)
    return json.dumps(value, sort_keys=True)


def moment(at_s: float) -> str:
    """A moment in UTC, to the millisecond."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rows(ledger: Ledger) -> Iterator[dict[str, str]]:
    """One row for each version of each conflict, and for each stranded write."""
    for conflict in ledger.conflicts:
        for kind, version, by in (
            ("stands", conflict.winner, ""),
            ("overwritten", conflict.loser, conflict.winner.request_id),
        ):
            yield {
                **_row(kind, conflict.table, conflict.key, version),
                "overwritten_by": by,
                "detected_at": moment(conflict.detected_s),
            }
    for write in ledger.stranded:
        yield {**_row("stranded", write.table, write.key, write.written), "missing_in": write.missing_in}


def _row(kind: str, table: str, key: Item, version: Version) -> dict[str, str]:
    return {
        **dict.fromkeys(COLUMNS, ""),
        "kind": kind,
        "table": table,
        "key": json.dumps(key, sort_keys=True),
        "region": version.region,
        "at": moment(version.at_s),
        "clock": version.clock,
        "request": version.request_id,
        "item": "" if version.item is None else json.dumps(version.item, sort_keys=True),
    }


def export(ledger: Ledger, path: Path) -> None:
    """Write the ledger to a file: .json or .csv. Raises UsageError for another ending, OpsError when it cannot."""
    if path.suffix == ".json":
        text = json.dumps(ledger.document(), indent=1) + "\n"
    elif path.suffix == ".csv":
        text = _csv(ledger)
    else:
        raise UsageError(f"{path}: a ledger is exported to .json or .csv.")
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OpsError(f"{path} cannot be written: {error}.") from error


def _csv(ledger: Ledger) -> str:
    page = io.StringIO()
    writer: csv.DictWriter[str] = csv.DictWriter(page, COLUMNS)
    writer.writeheader()
    writer.writerows(rows(ledger))
    return page.getvalue()
