"""The folder of a drill's traces. What an earlier drill has left in it is set aside: customers' logs and the audit log
are appended to, and two drills in one log would be counted as one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from outlast.ops.outcome import OpsError

TRACES: Final = (
    "requests-*.jsonl", "customers-*.json", "customers-*.log", "audit.jsonl", "signals.jsonl.gz", "report.json",
    "report.html",
)  # fmt: skip
EARLIER: Final = "earlier"


def set_aside(folder: Path) -> Path | None:
    """Move the traces of an earlier drill to a folder within, named by when they were last written; None where there
    were none. Raises OpsError."""
    try:
        found = sorted({path for pattern in TRACES for path in folder.glob(pattern)})
        if not found:
            return None
        written = datetime.fromtimestamp(max(path.stat().st_mtime for path in found), UTC)
        name = written.strftime("%Y%m%d-%H%M%S")
        place = folder / EARLIER / name
        number = 1
        while place.exists():
            number += 1
            place = folder / EARLIER / f"{name}-{number}"
        place.mkdir(parents=True)
        for path in found:
            path.rename(place / path.name)
    except OSError as error:
        raise OpsError(f"The earlier drill in {folder} cannot be set aside: {error.strerror}.") from error
    return place
