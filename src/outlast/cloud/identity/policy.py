"""May this principal do this? IAM's evaluation logic over compiled policies, within one account.

An explicit deny anywhere wins. Otherwise the identity's policies must allow, and so must the permissions boundary and
the session's policies where there are any; a resource policy that names the user or the session itself is enough
alone, one that names the role stands in for the identity's policies only, and one that names the account leaves it to
them (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html).
The texts of denials follow https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

from outlast.cloud.identity.patterns import Context
from outlast.cloud.identity.statements import Kind, MalformedPolicy, Principals, Statement, compile_statements

__all__ = ["Decision", "MalformedPolicy", "Policy", "Principal", "RequestFacts", "compile_policy", "decide"]

Source = Literal["identity-based policy", "resource-based policy", "permissions boundary", "session policy"]
_NO_CONTEXT: Context = {}
_MOST_ACTIONS = 1024


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `arn` is a user's, a session's, the account root's, or a service principal's name.

    `role_arn` is the role behind a session; empty otherwise. `names` are what policies may call a service.
    """

    kind: Literal["root", "user", "session", "service", "anonymous"]
    arn: str
    account_id: str
    role_arn: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """One action on one resource. The keys of `context` are lower-case names of condition keys."""

    action: str
    resource: str
    principal: Principal
    context: Context = field(default_factory=lambda: _NO_CONTEXT)


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome. `cacheable` says that it depends on nothing but principal, action and resource.

    `source` is the kind of policy that decided, `policy` its name, and `matched` the statement's id, or `[index]` when
    it has none.
    """

    allowed: bool
    reason: Literal["allowed", "explicit deny", "implicit deny"]
    source: Source
    policy: str
    matched: str
    cacheable: bool

    def message(self, facts: RequestFacts) -> str:
        """The text of AccessDenied, as AWS words it; empty when allowed."""
        if self.allowed:
            return ""
        text = f"User: {facts.principal.arn} is not authorized to perform: {facts.action} on resource: {facts.resource}"
        if self.reason == "explicit deny":
            article = "an" if self.source.startswith("identity") else "a"
            return f"{text} with an explicit deny in {article} {self.source}"
        return f"{text} because no {self.source} allows the {facts.action} action"


class Policy:
    """A compiled policy: its statements, and for each action asked so far those that speak of it."""

    __slots__ = ("_by_action", "name", "statements")

    def __init__(self, statements: tuple[Statement, ...], name: str = "") -> None:
        self.statements = statements
        self.name = name
        self._by_action: dict[str, tuple[tuple[str, Statement], ...]] = {}

    def about(self, action: str) -> tuple[tuple[str, Statement], ...]:
        """The statements (with a label for each) that cover the action, denials first."""
        found = self._by_action.get(action)
        if found is None:
            lowered = action.lower()
            chosen = [
                (statement.sid or f"[{index}]", statement)
                for index, statement in enumerate(self.statements)
                if statement.action(lowered)
            ]
            found = tuple(sorted(chosen, key=lambda pair: pair[1].allow))
            if len(self._by_action) >= _MOST_ACTIONS:
                self._by_action.clear()
            self._by_action[action] = found
        return found


def compile_policy(document: str | bytes | Mapping[str, Any], kind: Kind = "identity", name: str = "") -> Policy:
    """Compile a policy document. `kind` says which elements it must and may have. Raises MalformedPolicy."""
    return Policy(compile_statements(document, kind), name)


class _Grant(IntEnum):
    """How strongly a resource policy's Allow names the caller."""

    NONE = 0
    ACCOUNT = 1
    ROLE = 2
    DIRECT = 3


def _grant(principals: Principals | None, who: Principal, bounded: bool) -> _Grant:
    """How a statement speaks of the caller.

    A NotPrincipal exempts those whom it names themselves: naming the account exempts its root user, not its users, and
    nobody with a permissions boundary is exempt
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html).
    """
    if principals is None:
        return _Grant.DIRECT
    named = _named(principals, who)
    if principals.negated:
        return _everyone(who) if bounded or named in (_Grant.NONE, _Grant.ACCOUNT) else _Grant.NONE
    return named


def _everyone(who: Principal) -> _Grant:
    return _Grant.ROLE if who.kind == "session" and who.role_arn else _Grant.DIRECT


def _named(principals: Principals, who: Principal) -> _Grant:
    if who.kind == "service":
        names = (who.arn, *who.names, "*")
        covered = principals.everyone or not principals.services.isdisjoint(names)
        return _Grant.DIRECT if covered else _Grant.NONE
    if who.arn in principals.arns:
        return _Grant.DIRECT
    if principals.everyone:
        return _everyone(who)
    if who.role_arn and who.role_arn in principals.arns:
        return _Grant.ROLE
    if who.account_id and who.account_id in principals.accounts:
        return _Grant.DIRECT if who.kind == "root" else _Grant.ACCOUNT
    return _Grant.NONE


_NOTHING = ("", "")


class _Tally:
    """What one kind of policies says: the first denial, the first allowance, and whether it may be remembered."""

    __slots__ = ("allowed_by", "denied_by", "grant", "stable")

    def __init__(self) -> None:
        self.allowed_by = _NOTHING
        self.denied_by = _NOTHING
        self.grant = _Grant.NONE
        self.stable = True

    def count(self, policies: Iterable[Policy], facts: RequestFacts, *, bounded: bool = False) -> _Tally:
        for policy in policies:
            for label, statement in policy.about(facts.action):
                grant = _grant(statement.principals, facts.principal, bounded)
                if grant is _Grant.NONE:
                    continue
                self.stable = self.stable and statement.stable
                if not statement.holds(facts.resource, facts.context):
                    continue
                if statement.allow and grant > self.grant:
                    self.grant = grant
                    self.allowed_by = (policy.name, label)
                elif not statement.allow and self.denied_by is _NOTHING:
                    self.denied_by = (policy.name, label)
        return self


def decide(
    facts: RequestFacts,
    identity: Iterable[Policy] = (),
    *,
    boundary: Policy | None = None,
    session: Iterable[Policy] = (),
    resource_policy: Policy | None = None,
    resource_required: bool = False,
) -> Decision:
    """Judge one action on one resource.

    `resource_required` is for resources whose own policy must allow too, such as a role and its trust policy.
    """
    session = tuple(session)
    layers: list[tuple[Source, _Tally]] = [("identity-based policy", _Tally().count(identity, facts))]
    own = layers[0][1]
    if facts.principal.kind == "root":
        own.grant, own.allowed_by = _Grant.DIRECT, ("root", "")
    if boundary is not None:
        layers.append(("permissions boundary", _Tally().count((boundary,), facts)))
    if session:
        layers.append(("session policy", _Tally().count(session, facts)))
    guard = _Tally()
    if resource_policy is not None:
        guard.count((resource_policy,), facts, bounded=boundary is not None)
    stable = guard.stable and all(tally.stable for _, tally in layers)
    for source, tally in layers:
        if tally.denied_by is not _NOTHING:
            return Decision(False, "explicit deny", source, *tally.denied_by, stable)
    if guard.denied_by is not _NOTHING:
        return Decision(False, "explicit deny", "resource-based policy", *guard.denied_by, stable)
    return _without_denials(facts, layers, guard, resource_required, stable)


def _without_denials(
    facts: RequestFacts, layers: list[tuple[Source, _Tally]], guard: _Tally, resource_required: bool, stable: bool
) -> Decision:
    if resource_required and guard.grant is _Grant.NONE:
        return Decision(False, "implicit deny", "resource-based policy", *_NOTHING, stable)
    if guard.grant is _Grant.DIRECT:
        return Decision(True, "allowed", "resource-based policy", *guard.allowed_by, stable)
    if facts.principal.kind in ("service", "anonymous"):
        return Decision(False, "implicit deny", "resource-based policy", *_NOTHING, stable)
    for source, tally in layers:
        stands_in = source == "identity-based policy" and guard.grant is _Grant.ROLE
        if tally.grant is _Grant.NONE and not stands_in:
            return Decision(False, "implicit deny", source, *_NOTHING, stable)
    own = layers[0][1]
    if own.allowed_by is not _NOTHING:
        return Decision(True, "allowed", "identity-based policy", *own.allowed_by, stable)
    return Decision(True, "allowed", "resource-based policy", *guard.allowed_by, stable)
