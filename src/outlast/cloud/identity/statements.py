"""Policy documents read and checked: MalformedPolicyDocument in AWS's words, or a tuple of compiled statements.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import orjson

from outlast.cloud.identity.conditions import BadCondition, Condition, compile_conditions
from outlast.cloud.identity.patterns import (
    BadVariable,
    Context,
    ContextTest,
    Test,
    any_of,
    context_glob,
    pieces_of,
    variables_in,
)

Kind = Literal["identity", "resource", "trust"]
CURRENT = "2012-10-17"
VERSIONS = (CURRENT, "2008-10-17")

_ELEMENTS = frozenset(
    {
        "Sid",
        "Effect",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Principal",
        "NotPrincipal",
        "Condition",
    }
)
_ACTION = re.compile(r"(?:\*|[A-Za-z0-9_*?-]+:[A-Za-z0-9_*?/$.{}-]+)")
_SID = re.compile(r"[0-9A-Za-z]*")
_ACCOUNT = re.compile(r"\d{12}")
_SYNTAX = "Syntax errors in policy."
STABLE_KEYS = frozenset(
    {
        "aws:username",
        "aws:userid",
        "aws:principalarn",
        "aws:principalaccount",
        "aws:principaltype",
        "aws:principalisawsservice",
        "aws:principalservicename",
        "aws:principalservicenameslist",
        "aws:tokenissuetime",
        "aws:multifactorauthpresent",
    }
)
"""Context keys that are the same in every request of one principal (tags of the principal too)."""


class MalformedPolicy(ValueError):
    """A policy document that AWS would refuse with MalformedPolicyDocument; `message` is its text."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Statement:
    """One compiled statement. `action` takes an action in lower case; `resource` the ARN and the context."""

    sid: str
    allow: bool
    action: Test
    resource: ContextTest
    principals: Principals | None
    conditions: tuple[Condition, ...]
    stable: bool
    """Whether the answer for one principal, action and resource is the same in every request."""

    def holds(self, resource: str, context: Context) -> bool:
        """Whether resource and conditions match (the action and the principal are checked elsewhere)."""
        if not self.resource(resource, context):
            return False
        return all(condition.holds(context) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Principals:
    """Whom a statement of a resource policy is about. `negated` for NotPrincipal."""

    everyone: bool
    arns: frozenset[str]
    """ARNs of users, roles and sessions."""
    accounts: frozenset[str]
    services: frozenset[str]
    negated: bool


def compile_statements(document: str | bytes | Mapping[str, Any], kind: Kind) -> tuple[Statement, ...]:
    """The statements of a policy. Raises MalformedPolicy."""
    policy = _loaded(document)
    version = policy.get("Version", "2008-10-17")
    if version not in VERSIONS:
        raise MalformedPolicy("The policy must contain a valid version string.")
    if policy.keys() - {"Version", "Id", "Statement"} or "Statement" not in policy:
        raise MalformedPolicy(_SYNTAX)
    listed = policy["Statement"]
    given = listed if isinstance(listed, list) else [listed]
    if not given and kind != "resource":
        raise MalformedPolicy(_SYNTAX)
    sids: set[str] = set()
    compiled = []
    for one in given:
        statement = _statement(one, kind, variables=version == CURRENT)
        if statement.sid and statement.sid in sids:
            raise MalformedPolicy("Statement IDs (SID) in a single policy must be unique.")
        sids.add(statement.sid)
        compiled.append(statement)
    return tuple(compiled)


def _loaded(document: str | bytes | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(document, str | bytes):
        try:
            document = orjson.loads(document)
        except orjson.JSONDecodeError:
            raise MalformedPolicy("This policy contains invalid Json") from None
    if not isinstance(document, Mapping):
        raise MalformedPolicy(_SYNTAX)
    return document


def _statement(given: Any, kind: Kind, *, variables: bool) -> Statement:
    if not isinstance(given, Mapping) or given.keys() - _ELEMENTS or given.get("Effect") not in ("Allow", "Deny"):
        raise MalformedPolicy(_SYNTAX)
    for positive in ("Action", "Resource", "Principal"):
        if positive in given and f"Not{positive}" in given:
            raise MalformedPolicy(_SYNTAX)
    sid = given.get("Sid", "")
    if not isinstance(sid, str) or (kind != "resource" and not _SID.fullmatch(sid)):
        raise MalformedPolicy("Statement IDs (SID) must be alpha-numeric.")
    try:
        resource, resource_needs = _resource(given, kind, variables)
        conditions = compile_conditions(given.get("Condition", {}), variables=variables)
    except BadVariable as bad:
        raise MalformedPolicy(f"The policy variable ${{{bad}}} is not valid.") from None
    except BadCondition as bad:
        raise MalformedPolicy(str(bad) if str(bad).startswith("Invalid") else _SYNTAX) from None
    needs = resource_needs.union(*(condition.needs for condition in conditions))
    return Statement(
        sid=sid,
        allow=given["Effect"] == "Allow",
        action=_action(given, kind),
        resource=resource,
        principals=_principals(given, kind),
        conditions=conditions,
        stable=all(key in STABLE_KEYS or key.startswith("aws:principaltag/") for key in needs),
    )


def _listed(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, str) for item in items):
        raise MalformedPolicy(_SYNTAX)
    return items


def _action(given: Mapping[str, Any], kind: Kind) -> Test:
    name = "Action" if "Action" in given else "NotAction"
    if name not in given or given[name] == []:
        raise MalformedPolicy("Policy statement must contain actions.")
    actions = _listed(given[name])
    for action in actions:
        if ":" not in action and action != "*":
            raise MalformedPolicy("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
        if not _ACTION.fullmatch(action):
            raise MalformedPolicy(_SYNTAX)
        if kind == "trust" and not action.lower().startswith("sts:"):
            raise MalformedPolicy("AssumeRole policy may only specify STS AssumeRole actions.")
    test = any_of([action.lower() for action in actions])
    return test if name == "Action" else lambda action: not test(action)


def _resource(given: Mapping[str, Any], kind: Kind, variables: bool) -> tuple[ContextTest, frozenset[str]]:
    name = "Resource" if "Resource" in given else "NotResource"
    if kind == "trust":
        if name in given:
            raise MalformedPolicy("Has prohibited field Resource")
        return (lambda _resource, _context: True), frozenset()
    if name not in given:
        if kind == "resource":
            return (lambda _resource, _context: True), frozenset()
        raise MalformedPolicy("Policy statement must contain resources.")
    resources = _listed(given[name])
    for resource in resources:
        if resource != "*" and not resource.startswith("arn:") and kind == "identity":
            raise MalformedPolicy(f'Resource {resource} must be in ARN format or "*".')
    pieces = [pieces_of(resource, variables=variables) for resource in resources]
    tests = [context_glob(piece) for piece in pieces]
    needs: frozenset[str] = frozenset().union(*(variables_in(piece) for piece in pieces))
    if name == "Resource":
        if len(tests) == 1:
            return tests[0], needs
        return (lambda resource, context: any(test(resource, context) for test in tests)), needs
    return (lambda resource, context: not any(test(resource, context) for test in tests)), needs


def _principals(given: Mapping[str, Any], kind: Kind) -> Principals | None:
    name = "Principal" if "Principal" in given else "NotPrincipal"
    if kind == "identity":
        if name in given:
            raise MalformedPolicy("Policy document should not specify a principal.")
        return None
    if name not in given:
        raise MalformedPolicy("Missing required field Principal")
    value = given[name]
    negated = name == "NotPrincipal"
    if negated and (kind == "trust" or given["Effect"] == "Allow"):
        raise MalformedPolicy("Has prohibited field NotPrincipal")
    if value == "*":
        return Principals(True, frozenset(), frozenset(), frozenset(), negated)
    if not isinstance(value, Mapping) or not value:
        raise MalformedPolicy(_SYNTAX)
    return _named_principals(value, negated)


def _named_principals(value: Mapping[str, Any], negated: bool) -> Principals:
    everyone = False
    arns: set[str] = set()
    accounts: set[str] = set()
    services: set[str] = set()
    for family, members in value.items():
        for member in _listed(members):
            if family == "Service" and ("." in member or member == "*"):
                services.add(member)
            elif family == "AWS" and member == "*":
                everyone = True
            elif family == "AWS" and (account := _account_of(member)):
                accounts.add(account)
            elif family == "AWS" and member.startswith(("arn:aws:iam::", "arn:aws:sts::")) and "*" not in member:
                arns.add(member)
            else:
                raise MalformedPolicy(f'Invalid principal in policy: "{family}":"{member}"')
    return Principals(everyone, frozenset(arns), frozenset(accounts), frozenset(services), negated)


@lru_cache(maxsize=256)
def _account_of(member: str) -> str:
    """The account that an id or a root ARN names; empty for anything else."""
    if _ACCOUNT.fullmatch(member):
        return member
    if member.startswith("arn:aws:iam::") and member.endswith(":root"):
        return member.split(":")[4]
    return ""
