"""The service: one control plane, in us-west-2, whose data every Region holds.

https://docs.aws.amazon.com/recovery-cluster/latest/api/what-is-recovery-control.html
"""

from __future__ import annotations

from outlast.cloud.contract import Service
from outlast.cloud.services.arc_control_config.resources import RESOURCE_TYPES
from outlast.cloud.services.arc_control_config.state import HOME, Configuration

arc_control_config: Service[Configuration] = Service(
    "route53-recovery-control-config",
    open=Configuration,
    home=HOME,
    linked=("route53:ListHealthChecks",),
    provides={"arc": lambda state: state.shelf},
    resource_types=RESOURCE_TYPES,
)


@arc_control_config.starter
async def catch_up(state: Configuration) -> None:
    """No change of a routing control is judged by safety rules that are older than the home Region's."""
    await state.catching_up.run()


CLUSTER, PANEL = "{ClusterArn}", "{ControlPanelArn}"
