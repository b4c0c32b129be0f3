"""Setting routing controls although a safety rule's wait period runs: it is asked again until the period is over.

"An evaluation period, during which any request against the target routing controls will fail": whoever switched a
moment ago, or somebody else who did, is held back by it. How long is left nobody tells; the deployment file knows how
long it is. https://docs.aws.amazon.com/recovery-cluster/latest/api/safetyrule.html
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

from outlast.ops.act.audit import Entry, read
from outlast.ops.outcome import OpsError, RefusedError

Result = TypeVar("Result")

UNKNOWN_S: Final = 30.0
"""How long is waited where the deployment file does not know the period."""
MOST_S: Final = 60.0
"""A longer period is waited for only when told: an operator would rather break the glass."""
SPARE_S: Final = 1.0
TRY_S: Final = 1.0
SWITCHED: Final = ("switched", "rolled back")
"""What the audit log calls a change of controls."""


def patience_for(wait_ms: int | None) -> float:
    """Seconds that outlast a rule's wait period, as long as an operator waits unasked."""
    return UNKNOWN_S if wait_ms is None else min(MOST_S, wait_ms / 1000 + SPARE_S)


def period_of(wait_ms: int | None, audit_path: Path, now_s: float) -> str:
    """What is known of a rule's wait period, in words: how long it is, and what is left of it after our last switch."""
    if wait_ms is None:
        return "the deployment file does not know its wait period: `outlast prepare` asks"
    switched_s = [each.at_s for each in _entries(audit_path) if each.action in SWITCHED]
    since_s = max(0.0, now_s - switched_s[-1]) if switched_s else math.inf  # the clock may have been set back
    left_s = max(0.0, wait_ms / 1000 - since_s)
    told = f"its wait period is {wait_ms / 1000:g} s"
    return f"{told}, {left_s:.1f} s of it are left since our last switch" if left_s else told


def _entries(path: Path) -> list[Entry]:
    """A damaged log keeps nobody from acting."""
    try:
        return read(path)
    except OpsError:
        return []


async def patiently(
    call: Callable[[], None],
    patience_s: float,
    *,
    period: str = "",
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Make `call` again each second while a safety rule refuses it, for `patience_s`; `tell` hears why, once.

    `period`: what is known of the rule's wait period, in words. Each call is waited for, also when this is cancelled.
    Raises what `call` raises; the last refusal says how long was waited.
    """
    waited_s = 0.0
    while True:
        try:
            return await whole(call)
        except RefusedError as refused:
            if waited_s >= patience_s:
                if not waited_s:
                    raise
                raise RefusedError(f"{str(refused).rstrip('.')}, and did for {waited_s:.0f} s.") from refused
            if not waited_s:
                known = f" ({period})" if period else ""
                tell(f"{refused} It is asked again each second, for {patience_s:.0f} s at most{known}.")
        pause_s = min(TRY_S, patience_s - waited_s)
        await sleep(pause_s)
        waited_s += pause_s


async def whole(call: Callable[[], Result]) -> Result:
    """Run it in a thread to its end: when this is cancelled meanwhile, what it does is still done and written down."""
    work = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise
