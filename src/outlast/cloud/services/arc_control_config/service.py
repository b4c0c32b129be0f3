"""The service: one control plane, in us-west-2, whose data every Region holds.

https://docs.aws.amazon.com/recovery-cluster/latest/api/what-is-recovery-control.html
"""

from __future__ import annotations

from outlast.cloud.contract import Service
from outlast.cloud.services.arc_control_config.resources import RESOURCE_TYPES
from outlast.cloud.services.arc_control_config.state import Configuration

arc_control_config: Service[Configuration] = Service(
    "route53-recovery-control-config",
    open=Configuration,
    home="us-west-2",
    linked=("route53:ListHealthChecks",),
    provides={"arc": lambda state: state.shelf},
    resource_types=RESOURCE_TYPES,
)
CLUSTER, PANEL = "{ClusterArn}", "{ControlPanelArn}"
