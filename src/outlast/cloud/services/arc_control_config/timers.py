"""What happens later: a resource is deployed once the cluster's Regions hold it.

All of them, or, when some do not answer for `PATIENCE_S`, a majority.
"""

from __future__ import annotations

from outlast.cloud.services.arc_control_config.service import arc_control_config
from outlast.cloud.services.arc_control_config.state import Configuration

PAUSE_S = 0.1
PATIENCE_S = 5.0


@arc_control_config.timer
async def deploy(state: Configuration) -> None:
    """Move pending resources to DEPLOYED. Only the home Region writes any, so elsewhere this finds nothing."""
    home = state.region.settings.get("control_home", {}).get(arc_control_config.name, arc_control_config.home)
    while True:
        await state.undeployed.wait()
        state.undeployed.clear()
        if state.region.name != home:
            continue
        began_s = state.region.clock.monotonic_s()
        while waiting := state.pending():
            await state.region.clock.sleep(PAUSE_S)
            await state.region.engine.settled()
            is_late = state.region.clock.monotonic_s() - began_s >= PATIENCE_S
            wanted = len(state.cluster_regions) // 2 + 1 if is_late else len(state.cluster_regions)
            if state.holders() >= wanted:
                state.deploy(waiting)
                began_s = state.region.clock.monotonic_s()
