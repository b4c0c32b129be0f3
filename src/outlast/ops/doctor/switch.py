"""The switch itself: endpoints that answer, a file that is not stale, safety rules that guard and do not block.

https://docs.aws.amazon.com/r53recovery/latest/dg/route53-arc-best-practices.regional.html and
https://docs.aws.amazon.com/r53recovery/latest/dg/routing-control.safety-rules.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from outlast.ops.act.standby import alarm_name
from outlast.ops.doctor.facts import Facts
from outlast.ops.doctor.findings import Finding, Severity

OLD_S: Final = 90 * 86_400.0


def rules(facts: Facts) -> Iterator[Finding]:
    """All findings on the switch."""
    yield from _age(facts)
    yield from _states(facts)
    if facts.deployment.switch == "standby-takes-over":
        yield from _stops(facts)
        return
    yield from _endpoints(facts)
    yield from _stale(facts)
    yield from _safety(facts)


def _stops(facts: Facts) -> Iterator[Finding]:
    """Each Region holds every Region's stop alarm, and silence leaves it as it was told."""
    for region in facts.regions:
        held = None if region.alarms is None else {str(each["AlarmName"]): each for each in region.alarms}
        for part in facts.deployment.regions if held is not None else ():
            name = alarm_name(facts.deployment.application, part.name)
            alarm = (held or {}).get(name)
            if alarm is None:
                what, why = f"there is no alarm {name}", f"{part.name} cannot be switched off by it, or not be read"
                fix = "Run `outlast deploy --switch standby-takes-over`."
                yield Finding("serious", "stop alarm", region.name, name, what, why, fix)
            elif alarm.get("TreatMissingData") != "ignore" or alarm.get("Statistic") != "Sum":
                what = f"{name} does not keep what it was told last"
                why = "a Region that was left comes back by itself"
                fix = "Set TreatMissingData to ignore and Statistic to Sum."
                yield Finding("serious", "stop alarm", region.name, name, what, why, fix)


def _endpoints(facts: Facts) -> Iterator[Finding]:
    dead = {url: error for url, error in facts.switch.endpoints.items() if error}
    majority = len(facts.switch.endpoints) // 2 + 1
    severity: Severity = "serious" if len(facts.switch.endpoints) - len(dead) < majority else "warning"
    for url, error in dead.items():
        region = next((each.region for each in facts.deployment.arc.endpoints if each.url == url), "")
        what, why = (
            f"the cluster's endpoint {url} does not answer ({error})",
            "a majority of five must answer to switch",
        )
        fix = "See to the way there (proxy, firewall, credentials), or to a stale file: `outlast prepare`."
        yield Finding(severity, "cluster endpoint", region, facts.deployment.arc.cluster_arn, what, why, fix)
    if len(facts.switch.endpoints) < 5:
        what = f"the deployment file holds {len(facts.switch.endpoints)} cluster endpoints, not five"
        why = "fewer ways to the switch"
        arn = facts.deployment.arc.cluster_arn
        yield Finding("serious", "cluster endpoint", "", arn, what, why, "Run `outlast prepare`.")


def _stale(facts: Facts) -> Iterator[Finding]:
    """The file against the control plane: endpoints, controls."""
    arc = facts.deployment.arc
    if facts.switch.cluster is not None:
        now = {str(each["Endpoint"]).rstrip("/") for each in facts.switch.cluster.get("ClusterEndpoints", [])}
        held = {endpoint.url.rstrip("/") for endpoint in arc.endpoints}
        if now != held:
            what = f"the deployment file's cluster endpoints are stale: {len(held - now)} no longer exist"
            why = "on the night the control plane that knows better may be down"
            yield Finding("serious", "endpoint file", "", arc.cluster_arn, what, why, "Run `outlast prepare`.")
        status = facts.switch.cluster.get("Status")
        if status != "DEPLOYED":
            what, why = f"the cluster is {status}", "routing controls cannot be switched"
            yield Finding("serious", "cluster status", "", arc.cluster_arn, what, why, "Wait until it is deployed.")
    if facts.switch.controls is not None:
        known = {each["RoutingControlArn"] for each in facts.switch.controls}
        for part in facts.deployment.regions:
            if part.routing_control_arn not in known:
                what, why = "the routing control in the deployment file does not exist", "there is nothing to switch"
                arn = part.routing_control_arn
                yield Finding("serious", "endpoint file", part.name, arn, what, why, "Run `outlast prepare`.")


def _age(facts: Facts) -> Iterator[Finding]:
    made_s = facts.deployment.made_s
    if made_s is None or facts.at_s - made_s > OLD_S:
        age = "of nobody knows when" if made_s is None else f"{(facts.at_s - made_s) / 86_400:.0f} days old"
        what, why = f"the deployment file is {age}", "what it names may have been replaced since"
        name = facts.deployment.application
        yield Finding("warning", "endpoint file", "", name, what, why, "Run `outlast prepare` after each deployment.")


def _states(facts: Facts) -> Iterator[Finding]:
    for region, on in facts.switch.states.items():
        if not on:
            arn = facts.deployment.region(region).routing_control_arn or alarm_name(
                facts.deployment.application, region
            )
            what, why = f"{region} is switched off", "there is no Region to spare"
            yield Finding("serious", "switch state", region, arn, what, why, f"`outlast failback {region}`.")


def _safety(facts: Facts) -> Iterator[Finding]:
    if facts.switch.rules is None:
        return
    controls = {part.routing_control_arn for part in facts.deployment.regions}
    assertions = [rule["ASSERTION"] for rule in facts.switch.rules if "ASSERTION" in rule]
    guards = [rule for rule in assertions if controls <= set(rule["AssertedControls"])]
    panel = facts.deployment.arc.control_panel_arn
    if not any(_keeps_one(rule) for rule in guards):
        what, why = "no safety rule keeps one Region on", "a slip switches every Region off"
        fix = "Add an ASSERTION rule ATLEAST 1 over the Regions' routing controls."
        yield Finding("serious", "safety rule", "", panel, what, why, fix)
    for rule in guards:
        config = rule["RuleConfig"]
        needed = len(controls) if config["Type"] == "AND" else int(config.get("Threshold", 0))
        if not config.get("Inverted") and needed >= len(rule["AssertedControls"]):
            what = f"the safety rule {rule['Name']} wants every Region on"
            why = "no Region can be left without breaking glass"
            yield Finding("serious", "safety rule", "", rule["SafetyRuleArn"], what, why, "Set ATLEAST 1.")
    held = [rule.get("ASSERTION") or rule.get("GATING") or {} for rule in facts.switch.rules]
    known = {rule.get("SafetyRuleArn") for rule in held}
    if facts.deployment.arc.safety_rule_arn not in known:
        what = "the safety rule in the deployment file does not exist"
        why = "break-glass would name a rule that is not there"
        arn = facts.deployment.arc.safety_rule_arn
        yield Finding("warning", "endpoint file", "", arn, what, why, "Run `outlast prepare`.")


def _keeps_one(rule: Any) -> bool:
    config = rule["RuleConfig"]
    kept = config["Type"] in ("OR", "AND") or int(config.get("Threshold", 0)) >= 1
    return kept and not config.get("Inverted")
