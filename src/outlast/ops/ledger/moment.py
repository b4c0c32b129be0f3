"""A moment as people write it: `10m` ago, or a time of ISO 8601."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from outlast.ops.outcome import UsageError

AGO: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(s|m|h|d)")
SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def since(text: str, now_s: float) -> float:
    """The moment in epoch seconds. `90s`, `10m`, `2h`, `3d` count back from now; a time without a zone is UTC.

    Raises UsageError.
    """
    ago = AGO.fullmatch(text.strip())
    if ago is not None:
        return now_s - float(ago.group(1)) * SECONDS[ago.group(2)]
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"{text!r} is no moment; write `10m`, `2h` or `2026-11-23T10:00:00Z`.") from None
    at_s = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if at_s > now_s:
        raise UsageError(f"{text!r} is still to come, by this machine's clock.")
    return at_s
