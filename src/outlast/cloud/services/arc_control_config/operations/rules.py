"""Safety rules: assertions and gates.

https://docs.aws.amazon.com/r53recovery/latest/dg/routing-control.safety-rules.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from outlast.cloud.contract import Call, Region, Reply
from outlast.cloud.services.arc_control_config.errors import (
    ConflictException,
    ServiceQuotaExceededException,
    ValidationException,
)
from outlast.cloud.services.arc_control_config.model import Control, Panel, Rule
from outlast.cloud.services.arc_control_config.pages import page
from outlast.cloud.services.arc_control_config.service import PANEL, arc_control_config
from outlast.cloud.services.arc_control_config.state import Configuration

MAX_RULES_OF_PANEL = 20
RULE = "{SafetyRuleArn}"
_MEMBERS = {"assertion": "AssertionRule", "gating": "GatingRule"}


def _one_of(assertion: Mapping[str, Any] | None, gating: Mapping[str, Any] | None) -> tuple[str, Mapping[str, Any]]:
    if (assertion is None) is (gating is None):
        raise ValidationException("Give either an assertion rule or a gating rule.")
    return ("assertion", assertion) if assertion is not None else ("gating", gating or {})


def _controls(state: Configuration, panel: Panel, arns: list[str], member: str) -> tuple[str, ...]:
    if not arns:
        raise ValidationException(f"{member} names no routing control.")
    ids = []
    for arn in arns:
        control = state.find(Control, arn)
        if control.panel != panel.id:
            raise ValidationException(f"The routing control {arn} belongs to another control panel.")
        ids.append(control.id)
    if len(set(ids)) != len(ids):
        raise ValidationException(f"{member} names a routing control twice.")
    return tuple(ids)


def _free_name(state: Configuration, panel: str, name: str, but: str = "") -> None:
    if any(each.name == name and each.id != but for each in state.rules(panel)):
        raise ConflictException(f"The control panel has a safety rule named {name} already.")


def _wait_ms(given: int) -> int:
    if given < 0:
        raise ValidationException("WaitPeriodMs must not be negative.")
    return given


def _new_rule(state: Configuration, kind: str, given: Mapping[str, Any], panel: Panel) -> dict[str, Any]:
    """The fields of a rule that the request asks for, checked."""
    config = given["RuleConfig"]
    if kind == "assertion":
        judged = _controls(state, panel, given["AssertedControls"], "AssertedControls")
        targets: tuple[str, ...] = ()
    else:
        judged = _controls(state, panel, given["GatingControls"], "GatingControls")
        targets = _controls(state, panel, given["TargetControls"], "TargetControls")
    if config["Type"] == "ATLEAST" and not 0 <= config["Threshold"] <= len(judged):
        raise ValidationException(f"Threshold must be between 0 and {len(judged)}, the number of controls judged.")
    return {
        "panel": panel.id,
        "cluster": panel.cluster,
        "name": given["Name"],
        "kind": kind,
        "judged": judged,
        "targets": targets,
        "type": config["Type"],
        "threshold": config["Threshold"],
        "inverted": config["Inverted"],
        "wait_ms": _wait_ms(given["WaitPeriodMs"]),
    }


def _shown(state: Configuration, rule: Rule) -> Reply:
    return {_MEMBERS[rule.kind]: state.show(rule)}


@arc_control_config.operation(resource="arn:aws:route53-recovery-control::{account}:controlpanel/*")
def create_safety_rule(
    call: Call[Configuration],
    *,
    assertion_rule: Mapping[str, Any] | None = None,
    gating_rule: Mapping[str, Any] | None = None,
    client_token: str = "",
    tags: Mapping[str, str] | None = None,
) -> Reply:
    """Make a safety rule over routing controls of one panel."""
    state = call.state
    kind, given = _one_of(assertion_rule, gating_rule)
    panel = state.find(Panel, given["ControlPanelArn"])
    fields = _new_rule(state, kind, given, panel)
    made = state.repeated(Rule, "rule/", client_token, fields)
    if made is not None:
        return _shown(state, made)
    _free_name(state, panel.id, given["Name"])
    if len(state.rules(panel.id)) >= MAX_RULES_OF_PANEL:
        raise ServiceQuotaExceededException(f"A control panel may have {MAX_RULES_OF_PANEL} safety rules.")
    rule = Rule(call.region.entropy.hex(16), token=client_token, tags=dict(tags or {}), **fields)
    state.put(rule)
    return _shown(state, rule)


@arc_control_config.operation(resource=RULE)
def describe_safety_rule(call: Call[Configuration], *, safety_rule_arn: str) -> Reply:
    """One safety rule."""
    return _shown(call.state, call.state.find(Rule, safety_rule_arn))


@arc_control_config.operation(resource=PANEL)
def list_safety_rules(
    call: Call[Configuration],
    *,
    control_panel_arn: str,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Reply:
    """The safety rules of a panel."""
    state = call.state
    rules = state.rules(state.find(Panel, control_panel_arn).id)
    rows = [{"ASSERTION" if rule.kind == "assertion" else "GATING": state.show(rule)} for rule in rules]
    return page("SafetyRules", rows, next_token, max_results)


def _updated_arn(params: Mapping[str, Any], region: Region) -> str:
    for member in ("AssertionRuleUpdate", "GatingRuleUpdate"):
        if member in params:
            return str(params[member].get("SafetyRuleArn", "*"))
    return "*"


@arc_control_config.operation(resource=_updated_arn)
def update_safety_rule(
    call: Call[Configuration],
    *,
    assertion_rule_update: Mapping[str, Any] | None = None,
    gating_rule_update: Mapping[str, Any] | None = None,
) -> Reply:
    """Change the name or the wait period of a safety rule."""
    state = call.state
    kind, given = _one_of(assertion_rule_update, gating_rule_update)
    rule = state.find(Rule, given["SafetyRuleArn"])
    if rule.kind != kind:
        raise ValidationException(f"The safety rule {given['SafetyRuleArn']} is no {kind} rule.")
    name = given.get("Name", rule.name)
    _free_name(state, rule.panel, name, rule.id)
    changed = replace(rule, name=name, wait_ms=_wait_ms(given.get("WaitPeriodMs", rule.wait_ms)))
    state.put(changed)
    return _shown(state, changed)


@arc_control_config.operation(resource=RULE)
def delete_safety_rule(call: Call[Configuration], *, safety_rule_arn: str) -> Reply:
    """Delete a safety rule."""
    call.state.drop(call.state.find(Rule, safety_rule_arn))
    return {}
