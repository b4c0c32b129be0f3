"""The configuration: documents written in the home Region, with a copy in every Region.

The data plane reads the copies, so it works while the home Region is dead. A document is DEPLOYED once the cluster's
Regions hold it (see timers).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeVar

from outlast.cloud.contract import Region, Shelf
from outlast.cloud.contract.catching_up import CatchingUp
from outlast.cloud.services.arc_control_config.errors import ConflictException, no_such
from outlast.cloud.services.arc_control_config.model import (
    DEPLOYED,
    PENDING,
    Cluster,
    Control,
    Panel,
    Resource,
    Rule,
    arn_of,
    control_arn,
    key_of,
    revive,
)

HOME = "us-west-2"
SHELF = "arc/configuration"
Kind = TypeVar("Kind", Cluster, Panel, Control, Rule)


class Configuration:
    """What there is, by ARN and by parent."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.account_id = region.account_id
        self.shelf = Shelf(region, SHELF, spread=True)
        home = str(region.settings.get("control_home", {}).get("route53-recovery-control-config", HOME))
        self.catching_up = CatchingUp(region, "arc.digests", home, {SHELF: self.shelf})
        self.undeployed = asyncio.Event()
        self.undeployed.set()

    @property
    def cluster_regions(self) -> tuple[str, ...]:
        """The Regions of a cluster's endpoints."""
        return tuple(self.region.settings.get("cluster_regions", self.region.names[:5]))

    # ---- reading

    def find(self, kind: type[Kind], arn: str) -> Kind:
        """The resource of this kind; raises ResourceNotFoundException."""
        key = key_of(self.account_id, arn)
        document = self.shelf.get(key) if key else None
        found = None if document is None else revive(key, document)
        if not isinstance(found, kind):
            raise no_such(kind.noun, arn)
        return found

    def any(self, arn: str) -> Resource:
        """The resource of whatever kind; raises ResourceNotFoundException."""
        key = key_of(self.account_id, arn)
        document = self.shelf.get(key) if key else None
        if document is None:
            raise no_such("resource", arn)
        return revive(key, document)

    def all(self, kind: type[Kind], prefix: str) -> list[Kind]:
        """The resources whose keys begin with `prefix`, by name."""
        found = [revive(key, document) for key, document in self.shelf.items(prefix)]
        return sorted((each for each in found if isinstance(each, kind)), key=lambda each: (each.name, each.id))

    def clusters(self) -> list[Cluster]:
        """All clusters."""
        return self.all(Cluster, "cluster/")

    def panels(self, cluster: str = "") -> list[Panel]:
        """The control panels of one cluster, or of all."""
        return [each for each in self.all(Panel, "panel/") if cluster in ("", each.cluster)]

    def controls(self, panel: str) -> list[Control]:
        """The routing controls of a panel."""
        return self.all(Control, f"control/{panel}/")

    def controls_of_cluster(self, cluster: str) -> list[Control]:
        """The routing controls in all panels of a cluster."""
        return [each for each in self.all(Control, "control/") if each.cluster == cluster]

    def rules(self, panel: str) -> list[Rule]:
        """The safety rules of a panel."""
        return self.all(Rule, f"rule/{panel}/")

    def repeated(self, kind: type[Kind], prefix: str, token: str, wanted: Mapping[str, Any]) -> Kind | None:
        """What an earlier call with this client token made; raises ConflictException when that call asked otherwise."""
        if not token:
            return None
        for each in self.all(kind, prefix):
            if each.token == token:
                if any(getattr(each, name) != value for name, value in wanted.items()):
                    raise ConflictException("The client token was used with other parameters.")
                return each
        return None

    # ---- writing

    def put(self, resource: Resource) -> None:
        """Store it, new or changed."""
        self.shelf.put(resource.key, asdict(resource))
        if resource.status == PENDING:
            self.undeployed.set()

    def drop(self, resource: Resource) -> None:
        """Forget it."""
        self.shelf.delete(resource.key)

    def pending(self) -> list[Resource]:
        """What waits for its deployment."""
        everything = (revive(key, document) for key, document in self.shelf.items())
        return [each for each in everything if each.status == PENDING]

    def holders(self) -> int:
        """How many of the cluster's Regions hold everything written so far."""
        space = self.region.engine.space(f"shelf/{SHELF}")
        status = space.replica_status()
        return sum(
            name == self.region.name
            or (name in status and status[name].status == "ACTIVE" and not status[name].backlog)
            for name in self.cluster_regions
        )

    def deploy(self, resources: Sequence[Resource]) -> None:
        """Mark as deployed what is still there."""
        for resource in resources:
            document = self.shelf.get(resource.key)
            if document is not None:
                self.put(replace(revive(resource.key, document), status=DEPLOYED))

    # ---- as the API shows it

    def arn(self, resource: Resource) -> str:
        """Its ARN."""
        return arn_of(self.account_id, resource)

    def show(self, resource: Resource) -> dict[str, Any]:
        """The resource by AWS member names."""
        shown: dict[str, Any] = {"Name": resource.name, "Status": resource.status, "Owner": self.account_id}
        if isinstance(resource, Cluster):
            urls = self.region.addresses
            endpoints = [{"Endpoint": urls.url(name), "Region": name} for name in self.cluster_regions]
            more: dict[str, Any] = {"ClusterEndpoints": endpoints, "NetworkType": resource.network_type}
            return shown | more | {"ClusterArn": self.arn(resource)}
        if isinstance(resource, Panel):
            cluster = arn_of(self.account_id, Cluster(resource.cluster, ""))
            count = len(self.shelf.keys(f"control/{resource.id}/"))
            more = {"ClusterArn": cluster, "DefaultControlPanel": resource.is_default, "RoutingControlCount": count}
            return shown | more | {"ControlPanelArn": self.arn(resource)}
        panel = arn_of(self.account_id, Panel(resource.panel, "", ""))
        if isinstance(resource, Control):
            return shown | {"ControlPanelArn": panel, "RoutingControlArn": self.arn(resource)}
        return shown | {"ControlPanelArn": panel} | self._show_rule(resource)

    def _show_rule(self, rule: Rule) -> dict[str, Any]:
        judged = [control_arn(self.account_id, rule.panel, each) for each in rule.judged]
        targets = [control_arn(self.account_id, rule.panel, each) for each in rule.targets]
        config = {"Type": rule.type, "Threshold": rule.threshold, "Inverted": rule.inverted}
        shown = {"SafetyRuleArn": self.arn(rule), "RuleConfig": config, "WaitPeriodMs": rule.wait_ms}
        if rule.kind == "assertion":
            return shown | {"AssertedControls": judged}
        return shown | {"GatingControls": judged, "TargetControls": targets}
