"""What happens later: a resource is deployed once a majority of the cluster's Regions hold it."""

from __future__ import annotations

from outlast.cloud.services.arc_control_config.service import arc_control_config
from outlast.cloud.services.arc_control_config.state import Configuration

PAUSE_S = 0.1


@arc_control_config.timer
async def deploy(state: Configuration) -> None:
    """Move pending resources to DEPLOYED. Only the home Region writes any, so elsewhere this finds nothing."""
    home = state.region.settings.get("control_home", {}).get(arc_control_config.name, arc_control_config.home)
    while True:
        await state.undeployed.wait()
        state.undeployed.clear()
        if state.region.name != home:
            continue
        while waiting := state.pending():
            await state.region.clock.sleep(PAUSE_S)
            await state.region.engine.settled()
            if state.holders() > len(state.cluster_regions) // 2:
                state.deploy(waiting)
