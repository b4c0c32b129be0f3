"""The policy simulator, on the evaluator that judges real requests.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outlast.cloud.contract import Reply
from outlast.cloud.identity.policy import Decision, MalformedPolicy, Policy, Principal, RequestFacts, decide
from outlast.cloud.services.iam.errors import InvalidInput
from outlast.cloud.services.iam.operations.entities import IamCall
from outlast.cloud.services.iam.pages import DEFAULT_ITEMS, page
from outlast.cloud.services.iam.service import iam
from outlast.cloud.services.iam.standings import NO_POLICY, compiled
from outlast.cloud.services.iam.state import ROLE, USER, Document

ContextEntries = Sequence[Mapping[str, Any]]
_DECISIONS = {"allowed": "allowed", "explicit deny": "explicitDeny", "implicit deny": "implicitDeny"}


@dataclass(frozen=True, slots=True)
class Case:
    """What is simulated: policies and caller, for every action on every resource."""

    who: Principal
    identity: tuple[Policy, ...]
    boundary: Policy | None
    guard: Policy | None
    context: Mapping[str, Sequence[str]]


@iam.operation(resource="*")
def simulate_custom_policy(
    call: IamCall,
    *,
    policy_input_list: Sequence[str],
    action_names: Sequence[str],
    permissions_boundary_policy_input_list: Sequence[str] = (),
    resource_arns: Sequence[str] = ("*",),
    resource_policy: str = "",
    caller_arn: str = "",
    context_entries: ContextEntries = (),
    max_items: int = DEFAULT_ITEMS,
    marker: str = "",
) -> Reply:
    """Judge actions by the policies that are given, and no others."""
    arn = caller_arn or f"arn:aws:iam::{call.state.account_id}:user/simulated"
    case = Case(
        who=Principal("user", arn, call.state.account_id),
        identity=_inputs(policy_input_list, "PolicyInputList"),
        boundary=_boundary(permissions_boundary_policy_input_list),
        guard=_guard(resource_policy),
        context=_context(context_entries),
    )
    return _results(case, action_names, resource_arns, marker, max_items)


@iam.operation(resource="{PolicySourceArn}")
def simulate_principal_policy(
    call: IamCall,
    *,
    policy_source_arn: str,
    action_names: Sequence[str],
    policy_input_list: Sequence[str] = (),
    permissions_boundary_policy_input_list: Sequence[str] = (),
    resource_arns: Sequence[str] = ("*",),
    resource_policy: str = "",
    caller_arn: str = "",
    context_entries: ContextEntries = (),
    max_items: int = DEFAULT_ITEMS,
    marker: str = "",
) -> Reply:
    """Judge actions by the policies of a user or role, and those that are given with them."""
    document, noun = _source(call, policy_source_arn)
    state = call.state
    boundary = _boundary(permissions_boundary_policy_input_list)
    if boundary is None and document["Boundary"]:
        text = state.policy_text(document["Boundary"])
        boundary = NO_POLICY if text is None else compiled(text, document["Boundary"].rpartition("/")[2])
    context = _context(context_entries)
    if noun == "user":
        context.setdefault("aws:username", [document["Name"]])
    case = Case(
        who=Principal("user", caller_arn or document["Arn"], state.account_id),
        identity=(*state.identities.policies_of(document), *_inputs(policy_input_list, "PolicyInputList")),
        boundary=boundary,
        guard=_guard(resource_policy),
        context=context,
    )
    return _results(case, action_names, resource_arns, marker, max_items)


def _source(call: IamCall, arn: str) -> tuple[Document, str]:
    noun = arn.rpartition(":")[2].partition("/")[0]
    name = arn.rpartition("/")[2]
    if noun == "user":
        return call.state.find(USER, name), noun
    if noun == "role":
        return call.state.find(ROLE, name), noun
    raise InvalidInput(f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")


def _inputs(texts: Iterable[str], name: str) -> tuple[Policy, ...]:
    try:
        return tuple(compiled(text, f"{name}.{index}") for index, text in enumerate(texts, 1))
    except MalformedPolicy as bad:
        raise InvalidInput(f"Invalid policy in {name}: {bad.message}") from None


def _boundary(texts: Sequence[str]) -> Policy | None:
    found = _inputs(texts, "PermissionsBoundaryPolicyInputList")
    return found[0] if found else None


def _guard(text: str) -> Policy | None:
    if not text:
        return None
    try:
        return compiled(text, "ResourcePolicy", "resource")
    except MalformedPolicy as bad:
        raise InvalidInput(f"Invalid resource policy: {bad.message}") from None


def _context(entries: ContextEntries) -> dict[str, Sequence[str]]:
    return {entry["ContextKeyName"].lower(): list(entry.get("ContextKeyValues", ())) for entry in entries}


def _results(case: Case, actions: Sequence[str], resources: Sequence[str], marker: str, max_items: int) -> Reply:
    rows = [
        (f"{index:06d}", _evaluated(case, action, resource))
        for index, (action, resource) in enumerate((action, resource) for action in actions for resource in resources)
    ]
    return page("EvaluationResults", rows, marker, max_items)


def _evaluated(case: Case, action: str, resource: str) -> dict[str, Any]:
    facts = RequestFacts(action, resource, case.who, case.context)
    decision = decide(facts, case.identity, boundary=case.boundary, resource_policy=case.guard)
    result: dict[str, Any] = {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": _DECISIONS[decision.reason],
        "MatchedStatements": _matched(decision),
        "MissingContextValues": _missing(case, action),
    }
    if case.boundary is not None:
        within = decide(facts, (case.boundary,)).allowed
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": within}
    return result


def _matched(decision: Decision) -> list[dict[str, Any]]:
    if not decision.matched:
        return []
    kind = "Resource Policy" if decision.source == "resource-based policy" else "IAM Policy"
    return [{"SourcePolicyId": decision.policy, "SourcePolicyType": kind}]


def _missing(case: Case, action: str) -> list[str]:
    policies = [policy for policy in (*case.identity, case.boundary, case.guard) if policy is not None]
    needed = {
        key: spelled
        for policy in policies
        for _, statement in policy.about(action)
        for condition in statement.conditions
        for key, spelled in condition.needs.items()
    }
    return sorted(spelled for key, spelled in needed.items() if key not in case.context)
