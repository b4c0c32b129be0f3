"""Routing controls: their configuration; their states are the data plane's.

https://docs.aws.amazon.com/recovery-cluster/latest/api/routingcontrol.html
"""

from __future__ import annotations

from dataclasses import replace

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.arc_control_config.errors import (
    ConflictException,
    ServiceQuotaExceededException,
    ValidationException,
)
from outlast.cloud.services.arc_control_config.model import Cluster, Control, Panel
from outlast.cloud.services.arc_control_config.pages import page
from outlast.cloud.services.arc_control_config.service import PANEL, arc_control_config
from outlast.cloud.services.arc_control_config.state import Configuration

MAX_CONTROLS_OF_PANEL, MAX_CONTROLS_OF_CLUSTER = 100, 300
CONTROL = "{RoutingControlArn}"


def _free_name(state: Configuration, panel: str, name: str, but: str = "") -> None:
    if any(each.name == name and each.id != but for each in state.controls(panel)):
        raise ConflictException(f"The control panel has a routing control named {name} already.")


def _panel_for(state: Configuration, cluster: Cluster, panel_arn: str | None) -> Panel:
    if panel_arn is None:
        return next(each for each in state.panels(cluster.id) if each.is_default)
    panel = state.find(Panel, panel_arn)
    if panel.cluster != cluster.id:
        raise ValidationException(f"The control panel {panel_arn} belongs to another cluster.")
    return panel


@arc_control_config.operation(resource="arn:aws:route53-recovery-control::{account}:controlpanel/*")
def create_routing_control(
    call: Call[Configuration],
    *,
    cluster_arn: str,
    routing_control_name: str,
    control_panel_arn: str | None = None,
    client_token: str = "",
) -> Reply:
    """Make a routing control in a panel, or in the cluster's default one. It starts Off."""
    state = call.state
    cluster = state.find(Cluster, cluster_arn)
    panel = _panel_for(state, cluster, control_panel_arn)
    wanted = {"name": routing_control_name, "panel": panel.id}
    made = state.repeated(Control, "control/", client_token, wanted)
    if made is not None:
        return {"RoutingControl": state.show(made)}
    _free_name(state, panel.id, routing_control_name)
    if len(state.controls(panel.id)) >= MAX_CONTROLS_OF_PANEL:
        raise ServiceQuotaExceededException(f"A control panel may have {MAX_CONTROLS_OF_PANEL} routing controls.")
    if len(state.controls_of_cluster(cluster.id)) >= MAX_CONTROLS_OF_CLUSTER:
        raise ServiceQuotaExceededException(f"A cluster may have {MAX_CONTROLS_OF_CLUSTER} routing controls.")
    control = Control(call.region.entropy.hex(16), panel.id, cluster.id, routing_control_name, token=client_token)
    state.put(control)
    return {"RoutingControl": state.show(control)}


@arc_control_config.operation(resource=CONTROL)
def describe_routing_control(call: Call[Configuration], *, routing_control_arn: str) -> Reply:
    """One routing control."""
    return {"RoutingControl": call.state.show(call.state.find(Control, routing_control_arn))}


@arc_control_config.operation(resource=PANEL)
def list_routing_controls(
    call: Call[Configuration],
    *,
    control_panel_arn: str,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Reply:
    """The routing controls of a panel."""
    state = call.state
    panel = state.find(Panel, control_panel_arn)
    return page("RoutingControls", [state.show(each) for each in state.controls(panel.id)], next_token, max_results)


@arc_control_config.operation(resource=CONTROL)
def update_routing_control(call: Call[Configuration], *, routing_control_arn: str, routing_control_name: str) -> Reply:
    """Give a routing control another name."""
    state = call.state
    control = state.find(Control, routing_control_arn)
    _free_name(state, control.panel, routing_control_name, control.id)
    changed = replace(control, name=routing_control_name)
    state.put(changed)
    return {"RoutingControl": state.show(changed)}


@arc_control_config.operation(resource=CONTROL)
def delete_routing_control(call: Call[Configuration], *, routing_control_arn: str) -> Reply:
    """Delete a routing control that no safety rule names."""
    state = call.state
    control = state.find(Control, routing_control_arn)
    for rule in state.rules(control.panel):
        if control.id in rule.judged or control.id in rule.targets:
            raise ConflictException(f"The safety rule {rule.name} names the routing control {control.name}.")
    state.drop(control)
    return {}


@arc_control_config.operation(resource=CONTROL, name="ListAssociatedRoute53HealthChecks")
async def list_associated_route53_health_checks(
    call: Call[Configuration],
    *,
    routing_control_arn: str,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Reply:
    """The ids of the health checks that follow a routing control."""
    call.state.find(Control, routing_control_arn)
    principal = call.region.linked(arc_control_config.name)
    found: list[str] = []
    params: dict[str, str] = {}
    while True:
        reply = await call.region.aws("route53", "ListHealthChecks", params, principal=principal)
        for check in reply["HealthChecks"]:
            if check["HealthCheckConfig"].get("RoutingControlArn") == routing_control_arn:
                found.append(check["Id"])
        if not reply.get("IsTruncated"):
            return page("HealthCheckIds", sorted(found), next_token, max_results)
        params = {"Marker": reply["NextMarker"]}
