"""One Region's endpoint of every cluster: the configuration's copy, and this Region's member of the agreement."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from outlast.cloud.contract import Principal, Region
from outlast.cloud.engine.consensus_node import ConsensusNode, NoMajority
from outlast.cloud.services.arc_cluster.bucket import Bucket
from outlast.cloud.services.arc_cluster.errors import (
    ConflictException,
    EndpointTemporarilyUnavailableException,
    ValidationException,
    no_such,
)
from outlast.cloud.services.arc_cluster.switches import OFF, Rule, Switches, Violation, change, parse

CHANNEL = "arc"
ARN_START = "arn:aws:route53-recovery-control::"
_ARN = re.compile(
    re.escape(ARN_START)
    + r"(?P<account>\d{12}):controlpanel/(?P<panel>[0-9a-f]{32})"
    + r"(?:/(?P<part>routingcontrol|safetyrule)/(?P<id>[0-9a-f]{16}))?"
)
SERVICES = ("service", "service-linked")


class Documents(Protocol):
    """The copy of the configuration, which the control plane's service keeps in every Region."""

    def get(self, key: str) -> dict[str, Any] | None: ...
    def keys(self, prefix: str = "") -> list[str]: ...
    def items(self, prefix: str = "") -> Iterable[tuple[str, dict[str, Any]]]: ...


@dataclass(frozen=True, slots=True)
class Control:
    """A routing control as configured."""

    id: str
    panel: str
    cluster: str
    name: str
    arn: str


class Endpoint:
    """Reads and changes states. `node` is None in a Region that holds no endpoint."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.documents: Documents = region.capabilities["arc"]
        members = tuple(region.settings.get("cluster_regions", region.names[:5]))
        self.node = ConsensusNode(region.engine, CHANNEL, members) if region.name in members else None
        self.bucket = Bucket(region.clock.monotonic_s())

    # ---- configuration

    def control(self, arn: str) -> Control:
        """The routing control; raises ResourceNotFoundException."""
        match = self._match(arn)
        document = None
        if match is not None and match["part"] == "routingcontrol":
            document = self.documents.get(f"control/{match['panel']}/{match['id']}")
        if document is None:
            raise no_such("routing control", "RoutingControl", arn)
        return self._control(document)

    def panel(self, arn: str) -> dict[str, Any]:
        """The control panel's document; raises ResourceNotFoundException."""
        match = self._match(arn)
        document = self.documents.get(f"panel/{match['panel']}") if match is not None and not match["part"] else None
        if document is None:
            raise no_such("control panel", "ControlPanel", arn)
        return document

    def rule(self, arn: str) -> Rule:
        """The safety rule; raises ResourceNotFoundException."""
        match = self._match(arn)
        document = None
        if match is not None and match["part"] == "safetyrule":
            document = self.documents.get(f"rule/{match['panel']}/{match['id']}")
        if document is None:
            raise no_such("safety rule", "SafetyRule", arn)
        return Rule.of(document)

    def controls(self, panel: str = "") -> list[Control]:
        """The routing controls of a panel, or all."""
        prefix = f"control/{panel}/" if panel else "control/"
        return [self._control(document) for _, document in self.documents.items(prefix)]

    def clusters(self) -> list[str]:
        """The ids of all clusters."""
        return [key.partition("/")[2] for key in self.documents.keys("cluster/")]

    def _match(self, arn: str) -> re.Match[str] | None:
        match = _ARN.fullmatch(arn)
        return match if match is not None and match["account"] == self.region.account_id else None

    def _control(self, document: Mapping[str, Any]) -> Control:
        panel, control_id = document["panel"], document["id"]
        arn = f"{self.panel_arn(panel)}/routingcontrol/{control_id}"
        return Control(control_id, panel, document["cluster"], document["name"], arn)

    def panel_arn(self, panel: str) -> str:
        """The ARN of a control panel."""
        return f"{ARN_START}{self.region.account_id}:controlpanel/{panel}"

    def rule_arn(self, rule: Rule) -> str:
        """The ARN of a safety rule."""
        return f"{self.panel_arn(rule.panel)}/safetyrule/{rule.id}"

    # ---- states

    def _member(self) -> ConsensusNode:
        if self.node is None:
            raise EndpointTemporarilyUnavailableException(f"No cluster has an endpoint in {self.region.name}.")
        return self.node

    async def states(self, cluster: str, principal: Principal) -> Switches:
        """The switches of a cluster.

        A service of this Region (a health check) gets what the endpoint knows, at most about a second old while the
        endpoint reaches a majority; but nothing from before the endpoint's start, which may be long past. Others get
        what a majority holds; without a majority, the last state known here.
        """
        node, key = self._member(), cluster.encode()
        if principal.kind not in SERVICES:
            with suppress(NoMajority):  # the last state known is better than none: reads go on, changes do not
                return parse(await node.read(key))
        known = node.known(key)
        if node.age_s(key) is None and (known is None or principal.kind in SERVICES):
            raise EndpointTemporarilyUnavailableException(
                "This endpoint has not heard from a majority of the cluster's endpoints yet."
            )
        return parse(known.value if known else None)

    async def set(self, wanted: Mapping[str, bool], overridden: Iterable[str], now_ms: int) -> None:
        """Set states by the ARNs of their routing controls, all or none."""
        controls = {self.control(arn).id: (self.control(arn), on) for arn, on in wanted.items()}
        clusters = {control.cluster for control, _ in controls.values()}
        if len(clusters) > 1:
            raise ValidationException("The routing controls belong to more than one cluster.")
        rules = self._rules({control.panel for control, _ in controls.values()}, overridden)
        (cluster,) = clusters
        ids = {control_id: on for control_id, (_, on) in controls.items()}
        configured = frozenset(each.id for each in self.controls() if each.cluster == cluster)
        node = self._member()
        try:
            violation: Violation | None = await node.change(
                cluster.encode(), lambda value: change(value, ids, rules, now_ms, configured)
            )
        except NoMajority:
            raise EndpointTemporarilyUnavailableException(
                "This endpoint cannot reach a majority of the cluster's endpoints: routing control states can be read "
                "here, but not changed. Try another endpoint."
            ) from None
        if violation is not None:
            raise self._conflict(violation)

    def _rules(self, panels: Iterable[str], overridden: Iterable[str]) -> list[Rule]:
        passed_over = {self.rule(arn).id for arn in overridden}
        rules = [Rule.of(document) for panel in panels for _, document in self.documents.items(f"rule/{panel}/")]
        return [rule for rule in rules if rule.id not in passed_over]

    def _conflict(self, violation: Violation) -> ConflictException:
        rule, arn = violation.rule, self.rule_arn(violation.rule)
        return ConflictException(
            f"The safety rule {rule.name} ({arn}) does not allow this change: {violation.why}.",
            resourceId=arn,
            resourceType="SafetyRule",
        )


def shown(switches: Switches, control: Control) -> str:
    """On or Off."""
    return "On" if switches.get(control.id, OFF).on else "Off"
