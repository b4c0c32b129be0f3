"""The operations: read states, change states.

https://docs.aws.amazon.com/routing-control/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from outlast.cloud.contract import Call, Region, Reply
from outlast.cloud.services.arc_cluster.errors import (
    ServiceLimitExceededException,
    ThrottlingException,
    ValidationException,
)
from outlast.cloud.services.arc_cluster.service import arc_cluster
from outlast.cloud.services.arc_cluster.state import Endpoint, shown

MAX_ENTRIES = 10
DEFAULT_ITEMS = 500
CONTROL = "{RoutingControlArn}"
UPDATE = "route53-recovery-cluster:UpdateRoutingControlStates"


@arc_cluster.operation(resource=CONTROL)
async def get_routing_control_state(call: Call[Endpoint], *, routing_control_arn: str) -> Reply:
    """The state of one routing control."""
    control = call.state.control(routing_control_arn)
    switches = await call.state.states(control.cluster, call.principal)
    return {
        "RoutingControlArn": control.arn,
        "RoutingControlName": control.name,
        "RoutingControlState": shown(switches, control),
    }


@arc_cluster.operation()
async def list_routing_controls(
    call: Call[Endpoint],
    *,
    control_panel_arn: str | None = None,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Reply:
    """The states of the routing controls of a panel, or of all, ordered by ARN."""
    state = call.state
    panel = state.panel(control_panel_arn)["id"] if control_panel_arn else ""
    after = _read(next_token) if next_token else ""
    rest = [each for each in sorted(state.controls(panel), key=lambda each: each.arn) if each.arn > after]
    chosen = rest[: max_results or DEFAULT_ITEMS]
    states = {cluster: await state.states(cluster, call.principal) for cluster in {each.cluster for each in chosen}}
    panels = {each.panel: state.documents.get(f"panel/{each.panel}") or {} for each in chosen}
    rows = [
        {
            "ControlPanelArn": state.panel_arn(each.panel),
            "ControlPanelName": panels[each.panel].get("name", ""),
            "RoutingControlArn": each.arn,
            "RoutingControlName": each.name,
            "RoutingControlState": shown(states[each.cluster], each),
            "Owner": call.region.account_id,
        }
        for each in chosen
    ]
    reply: dict[str, Any] = {"RoutingControls": rows}
    if len(rest) > len(chosen):
        reply["NextToken"] = base64.urlsafe_b64encode(chosen[-1].arn.encode()).decode()
    return reply


def _read(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, ValueError):
        raise ValidationException("NextToken is not valid.") from None


@arc_cluster.operation(resource=CONTROL)
async def update_routing_control_state(
    call: Call[Endpoint],
    *,
    routing_control_arn: str,
    routing_control_state: str,
    safety_rules_to_override: Sequence[str] = (),
) -> Reply:
    """Set one state."""
    await _set(call, {routing_control_arn: routing_control_state == "On"}, safety_rules_to_override)
    return {}


def _each_control(params: Mapping[str, Any], region: Region) -> Iterable[tuple[str, str]]:
    """The caller must be allowed to change each of the controls."""
    return [(UPDATE, entry["RoutingControlArn"]) for entry in params["UpdateRoutingControlStateEntries"]]


@arc_cluster.operation(resource=_each_control)
async def update_routing_control_states(
    call: Call[Endpoint],
    *,
    update_routing_control_state_entries: Sequence[Mapping[str, str]],
    safety_rules_to_override: Sequence[str] = (),
) -> Reply:
    """Set up to ten states, all or none."""
    entries = update_routing_control_state_entries
    if not entries:
        raise ValidationException("UpdateRoutingControlStateEntries is empty.")
    if len(entries) > MAX_ENTRIES:
        raise ServiceLimitExceededException(
            f"A request may set {MAX_ENTRIES} routing control states.",
            limitCode="RoutingControlStatesPerRequest",
            serviceCode="route53-recovery-cluster",
        )
    wanted = {entry["RoutingControlArn"]: entry["RoutingControlState"] == "On" for entry in entries}
    if len(wanted) < len(entries):
        raise ValidationException("A routing control is named twice.")
    await _set(call, wanted, safety_rules_to_override)
    return {}


async def _set(call: Call[Endpoint], wanted: Mapping[str, bool], overridden: Sequence[str]) -> None:
    if not call.state.bucket.take(call.region.clock.monotonic_s()):
        raise ThrottlingException("This endpoint takes three changes a second.", retryAfterSeconds=1)
    await call.state.set(wanted, overridden, call.now_ms)
