"""What goes on by itself: every resource is looked at once a minute, and soon after a definition changed.

https://docs.aws.amazon.com/r53recovery/latest/dg/recovery-readiness.readiness-checks.html
"""

from __future__ import annotations

import asyncio

from outlast.cloud.services.arc_readiness.service import arc_readiness
from outlast.cloud.services.arc_readiness.state import Readiness

PERIOD_S = 60.0
SETTLE_S = 0.5


@arc_readiness.timer
async def audit(state: Readiness) -> None:
    """Audit in the home Region; elsewhere there is nothing to audit."""
    clock = state.region.clock
    while True:
        state.changed.clear()
        await state.audit_all()
        waiting = asyncio.ensure_future(state.changed.wait())
        sleeping = asyncio.ensure_future(clock.sleep(PERIOD_S))
        try:
            await asyncio.wait((waiting, sleeping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            sleeping.cancel()
        await clock.sleep(SETTLE_S)  # several definitions often come together
