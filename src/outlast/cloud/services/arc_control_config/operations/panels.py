"""Control panels.

https://docs.aws.amazon.com/recovery-cluster/latest/api/controlpanel.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.arc_control_config.errors import ConflictException, ServiceQuotaExceededException
from outlast.cloud.services.arc_control_config.model import Cluster, Panel
from outlast.cloud.services.arc_control_config.pages import page
from outlast.cloud.services.arc_control_config.service import PANEL, arc_control_config
from outlast.cloud.services.arc_control_config.state import Configuration

MAX_PANELS = 50


def _free_name(state: Configuration, cluster: str, name: str, but: str = "") -> None:
    if any(each.name == name and each.id != but for each in state.panels(cluster)):
        raise ConflictException(f"The cluster has a control panel named {name} already.")


@arc_control_config.operation(resource="arn:aws:route53-recovery-control::{account}:controlpanel/*")
def create_control_panel(
    call: Call[Configuration],
    *,
    cluster_arn: str,
    control_panel_name: str,
    client_token: str = "",
    tags: Mapping[str, str] | None = None,
) -> Reply:
    """Make a control panel in a cluster."""
    state = call.state
    cluster = state.find(Cluster, cluster_arn)
    wanted = {"name": control_panel_name, "cluster": cluster.id}
    made = state.repeated(Panel, "panel/", client_token, wanted)
    if made is not None:
        return {"ControlPanel": state.show(made)}
    _free_name(state, cluster.id, control_panel_name)
    if len(state.panels(cluster.id)) >= MAX_PANELS:
        raise ServiceQuotaExceededException(f"A cluster may have {MAX_PANELS} control panels.")
    panel_id = call.region.entropy.hex(32)
    panel = Panel(panel_id, cluster.id, control_panel_name, token=client_token, tags=dict(tags or {}))
    state.put(panel)
    return {"ControlPanel": state.show(panel)}


@arc_control_config.operation(resource=PANEL)
def describe_control_panel(call: Call[Configuration], *, control_panel_arn: str) -> Reply:
    """One control panel."""
    return {"ControlPanel": call.state.show(call.state.find(Panel, control_panel_arn))}


@arc_control_config.operation()
def list_control_panels(
    call: Call[Configuration],
    *,
    cluster_arn: str | None = None,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Reply:
    """The control panels of a cluster, or of the account."""
    state = call.state
    cluster = state.find(Cluster, cluster_arn).id if cluster_arn else ""
    return page("ControlPanels", [state.show(each) for each in state.panels(cluster)], next_token, max_results)


@arc_control_config.operation(resource=PANEL)
def update_control_panel(call: Call[Configuration], *, control_panel_arn: str, control_panel_name: str) -> Reply:
    """Give a control panel another name."""
    state = call.state
    panel = state.find(Panel, control_panel_arn)
    _free_name(state, panel.cluster, control_panel_name, panel.id)
    changed = replace(panel, name=control_panel_name)
    state.put(changed)
    return {"ControlPanel": state.show(changed)}


@arc_control_config.operation(resource=PANEL)
def delete_control_panel(call: Call[Configuration], *, control_panel_arn: str) -> Reply:
    """Delete a control panel that is empty and not the cluster's default one."""
    state = call.state
    panel = state.find(Panel, control_panel_arn)
    if panel.is_default:
        raise ConflictException("The default control panel goes with its cluster.")
    if state.controls(panel.id) or state.rules(panel.id):
        raise ConflictException(f"The control panel {panel.name} still has routing controls or safety rules.")
    state.drop(panel)
    return {}
