"""Clusters.

https://docs.aws.amazon.com/recovery-cluster/latest/api/cluster.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.arc_control_config.errors import (
    ConflictException,
    ResourceNotFoundException,
    ServiceQuotaExceededException,
)
from outlast.cloud.services.arc_control_config.model import Cluster, Panel
from outlast.cloud.services.arc_control_config.pages import page
from outlast.cloud.services.arc_control_config.service import CLUSTER, arc_control_config
from outlast.cloud.services.arc_control_config.state import Configuration

MAX_CLUSTERS = 2
DEFAULT_PANEL = "DefaultControlPanel"


@arc_control_config.operation(resource="arn:aws:route53-recovery-control::{account}:cluster/*")
def create_cluster(
    call: Call[Configuration],
    *,
    cluster_name: str,
    client_token: str = "",
    tags: Mapping[str, str] | None = None,
    network_type: str = "IPV4",
) -> Reply:
    """Make a cluster with its default control panel."""
    state = call.state
    made = state.repeated(Cluster, "cluster/", client_token, {"name": cluster_name})
    if made is not None:
        return {"Cluster": state.show(made)}
    if any(each.name == cluster_name for each in state.clusters()):
        raise ConflictException(f"There is a cluster named {cluster_name} already.")
    if len(state.clusters()) >= MAX_CLUSTERS:
        raise ServiceQuotaExceededException(f"An account may have {MAX_CLUSTERS} clusters.")
    entropy = call.region.entropy
    cluster = Cluster(entropy.uuid(), cluster_name, network_type, token=client_token, tags=dict(tags or {}))
    state.put(cluster)
    state.put(Panel(entropy.hex(32), cluster.id, DEFAULT_PANEL, is_default=True))
    return {"Cluster": state.show(cluster)}


@arc_control_config.operation(resource=CLUSTER)
def describe_cluster(call: Call[Configuration], *, cluster_arn: str) -> Reply:
    """One cluster with its endpoints."""
    return {"Cluster": call.state.show(call.state.find(Cluster, cluster_arn))}


@arc_control_config.operation()
def list_clusters(call: Call[Configuration], *, max_results: int | None = None, next_token: str | None = None) -> Reply:
    """All clusters of the account."""
    return page("Clusters", [call.state.show(each) for each in call.state.clusters()], next_token, max_results)


@arc_control_config.operation(resource=CLUSTER)
def update_cluster(call: Call[Configuration], *, cluster_arn: str, network_type: str) -> Reply:
    """Change the network type; locally the endpoints stay what they are."""
    changed = replace(call.state.find(Cluster, cluster_arn), network_type=network_type)
    call.state.put(changed)
    return {"Cluster": call.state.show(changed)}


@arc_control_config.operation(resource=CLUSTER)
def delete_cluster(call: Call[Configuration], *, cluster_arn: str) -> Reply:
    """Delete a cluster that holds nothing but its empty default control panel."""
    state = call.state
    cluster = state.find(Cluster, cluster_arn)
    panels = state.panels(cluster.id)
    if any(not panel.is_default for panel in panels) or state.controls_of_cluster(cluster.id):
        raise ConflictException(f"The cluster {cluster.name} still has control panels or routing controls.")
    for panel in panels:
        state.drop(panel)
    state.drop(cluster)
    return {}


@arc_control_config.operation(resource="{ResourceArn}")
def get_resource_policy(call: Call[Configuration], *, resource_arn: str) -> Reply:
    """Clusters are not shared with other accounts, so none has a policy."""
    call.state.find(Cluster, resource_arn)
    raise ResourceNotFoundException(f"The cluster {resource_arn} has no resource policy.")
