"""Who holds which key and who may do what, answered from memory: the Region's `Identities`.

A principal's standing (its policies, compiled) is kept until anything in IAM changes; a decision that depends on
nothing but principal, action and resource is kept with it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

import orjson

from outlast.cloud.contract import Decision, KeyOwner, Principal
from outlast.cloud.contract.call import PrincipalKind
from outlast.cloud.identity import policy as evaluator
from outlast.cloud.identity.credentials import Session, SessionTokens, looks_real
from outlast.cloud.identity.faults import unrecognized
from outlast.cloud.identity.policy import MalformedPolicy, Policy, RequestFacts, compile_policy, decide
from outlast.cloud.identity.statements import Kind

MOST_STANDINGS = 4096
MOST_DECISIONS = 4096
MOST_SESSIONS = 4096
MOST_GUARDS = 2048
ALLOWED = Decision(True)
NO_POLICY = Policy((), "none")


class Book(Protocol):
    """What the standings read of IAM's state."""

    def user(self, name: str) -> dict[str, Any] | None: ...
    def role(self, name: str) -> dict[str, Any] | None: ...
    def key(self, access_key_id: str) -> dict[str, Any] | None: ...
    def policy_text(self, arn: str) -> str | None: ...


@lru_cache(maxsize=4096)
def compiled(text: str, name: str = "", kind: Kind = "identity") -> Policy:
    """The compiled policy of a document's text; raises MalformedPolicy."""
    return compile_policy(text, kind, name)


@dataclass(slots=True)
class Standing:
    """A principal with its policies. `context` are the condition keys that are the same in all its requests."""

    principal: Principal
    who: evaluator.Principal
    context: dict[str, tuple[str, ...]]
    identity: tuple[Policy, ...] = ()
    boundary: Policy | None = None
    session: tuple[Policy, ...] = ()
    decisions: dict[tuple[str, str, Policy | None], Decision] = field(default_factory=dict)


class Standings:
    """Implements `Identities` of the contract over IAM's documents."""

    def __init__(self, book: Book, account_id: str, root: tuple[str, str], tokens: SessionTokens) -> None:
        self._book = book
        self._account_id = account_id
        self._root = root
        self._tokens = tokens
        self._owners: dict[str, KeyOwner] = {}
        self._sessions: OrderedDict[str, tuple[Session, KeyOwner]] = OrderedDict()
        self._by_identity: dict[int, Standing] = {}
        self._by_value: dict[Principal, Standing] = {}
        self._guards: OrderedDict[int, tuple[Mapping[str, Any], Policy]] = OrderedDict()

    def forget(self) -> None:
        """Something in IAM changed: read everything anew."""
        self._owners.clear()
        self._by_identity.clear()
        self._by_value.clear()

    # ---- keys

    def owner(self, access_key_id: str, session_token: str | None, now_s: float) -> KeyOwner:
        """The owner of a key; raises SignatureFault for one that is unknown, inactive or over."""
        if session_token is not None:
            return self._session_owner(access_key_id, session_token, now_s)
        found = self._owners.get(access_key_id)
        if found is None:
            found = self._long_term_owner(access_key_id)
            self._owners[access_key_id] = found
        return found

    def _long_term_owner(self, access_key_id: str) -> KeyOwner:
        if access_key_id and access_key_id == self._root[0]:
            arn = f"arn:aws:iam::{self._account_id}:root"
            return KeyOwner(self._root[1], Principal("root", arn, self._account_id, self._account_id, access_key_id))
        document = None if looks_real(access_key_id) else self._book.key(access_key_id)
        if document is None or document["Status"] != "Active":
            raise unrecognized()
        user = self._book.user(document["UserName"])
        if user is None:
            raise unrecognized()
        tags = tuple(sorted(user["Tags"].items()))
        principal = Principal("user", user["Arn"], self._account_id, user["Id"], access_key_id, tags=tags)
        return KeyOwner(document["Secret"], principal)

    def _session_owner(self, access_key_id: str, token: str, now_s: float) -> KeyOwner:
        session = self._tokens.open(token, access_key_id, now_s)
        kept = self._sessions.get(token)
        if kept is not None and kept[0] is session:
            return kept[1]
        principal = Principal(
            kind=_kind_of(session),
            arn=session.arn,
            account_id=session.account_id,
            user_id=session.user_id,
            access_key_id=session.access_key_id,
            role_arn=session.role_arn,
            session_policies=(*session.policies, *session.policy_arns),
            tags=session.tags,
            issued_s=session.issued_s,
        )
        owner = KeyOwner(session.secret, principal)
        self._sessions[token] = (session, owner)
        if len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return owner

    # ---- decisions

    def judge(
        self,
        principal: Principal,
        action: str,
        resource: str,
        context: Mapping[str, Sequence[str]],
        resource_policy: Mapping[str, Any] | None = None,
    ) -> Decision:
        """Explicit deny first, then identity, boundary, session and resource policies of one account."""
        standing = self._by_identity.get(id(principal))
        if standing is None or standing.principal is not principal:
            standing = self._standing(principal)
        guard = None if resource_policy is None else self._guard(resource_policy)
        key = (action, resource, guard)
        known = standing.decisions.get(key)
        if known is not None:
            return known
        facts = RequestFacts(action, resource, standing.who, full_context(standing, context))
        found = decide(
            facts, standing.identity, boundary=standing.boundary, session=standing.session, resource_policy=guard
        )
        decision = ALLOWED if found.allowed else Decision(False, found.message(facts))
        if found.cacheable:
            if len(standing.decisions) >= MOST_DECISIONS:
                standing.decisions.clear()
            standing.decisions[key] = decision
        return decision

    def may_assume(
        self, principal: Principal, role: Mapping[str, Any], context: Mapping[str, Sequence[str]], action: str
    ) -> bool:
        """Whether the role's trust policy (and, where that leaves it to them, the caller's policies) allow it."""
        standing = self._standing(principal)
        facts = RequestFacts(action, role["Arn"], standing.who, full_context(standing, context))
        return decide(
            facts,
            standing.identity,
            boundary=standing.boundary,
            session=standing.session,
            resource_policy=compiled(role["Trust"], "trust", "trust"),
            resource_required=True,
        ).allowed

    def _guard(self, document: Mapping[str, Any]) -> Policy:
        """The compiled resource policy; a document is not changed in place once it has been handed out."""
        kept = self._guards.get(id(document))
        if kept is not None and kept[0] is document:
            return kept[1]
        try:
            policy = compiled(orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode(), "resource", "resource")
        except MalformedPolicy:
            policy = NO_POLICY
        self._guards[id(document)] = (document, policy)
        if len(self._guards) > MOST_GUARDS:
            self._guards.popitem(last=False)
        return policy

    def _standing(self, principal: Principal) -> Standing:
        standing = self._by_value.get(principal)
        if standing is None:
            standing = self._read(principal)
            if len(self._by_value) >= MOST_STANDINGS:
                self.forget()
            self._by_value[principal] = standing
        if standing.principal is principal:
            self._by_identity[id(principal)] = standing
        return standing

    def _read(self, principal: Principal) -> Standing:
        standing = Standing(principal, facts_of(principal), stable_context(principal))
        document: dict[str, Any] | None = None
        if principal.kind == "user":
            document = self._book.user(principal.arn.rpartition("/")[2])
        elif principal.kind == "assumed-role":
            document = self._book.role(principal.role_arn.rpartition("/")[2])
        if document is not None and principal.user_id.partition(":")[0] != document["Id"]:
            document = None
        if document is not None:
            standing.identity = self.policies_of(document)
            standing.boundary = self._boundary(document)
        if principal.session_policies:
            standing.session = tuple(self._session_policy(given) for given in principal.session_policies)
        return standing

    def policies_of(self, document: Mapping[str, Any]) -> tuple[Policy, ...]:
        """The identity-based policies of a user or role, inline and attached."""
        inline = [compiled(text, name) for name, text in document["Inline"].items()]
        attached = [(self._book.policy_text(arn), arn) for arn in document["Attached"]]
        return (*inline, *(compiled(text, arn.rpartition("/")[2]) for text, arn in attached if text is not None))

    def _boundary(self, document: Mapping[str, Any]) -> Policy | None:
        arn = document.get("Boundary")
        if not arn:
            return None
        text = self._book.policy_text(arn)
        return NO_POLICY if text is None else compiled(text, arn.rpartition("/")[2])

    def _session_policy(self, given: str) -> Policy:
        text = self._book.policy_text(given) if given.startswith("arn:") else given
        return NO_POLICY if text is None else compiled(text, "session")


def _kind_of(session: Session) -> PrincipalKind:
    if session.role_arn:
        return "assumed-role"
    return "root" if session.arn.endswith(":root") else "user"


def facts_of(principal: Principal) -> evaluator.Principal:
    """The principal as the evaluator sees it."""
    if principal.kind == "assumed-role":
        return evaluator.Principal("session", principal.arn, principal.account_id, principal.role_arn)
    if principal.kind in ("root", "user"):
        return evaluator.Principal("root" if principal.kind == "root" else "user", principal.arn, principal.account_id)
    if principal.kind == "anonymous":
        return evaluator.Principal("anonymous", principal.arn, "")
    return evaluator.Principal("service", principal.arn, principal.account_id, names=principal.names)


_TYPES = {"root": "Account", "user": "User", "assumed-role": "AssumedRole", "anonymous": "Anonymous"}


def stable_context(principal: Principal) -> dict[str, tuple[str, ...]]:
    """Condition keys of the principal itself.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """
    is_service = principal.kind in ("service", "service-linked")
    context: dict[str, tuple[str, ...]] = {"aws:principalisawsservice": ("true" if is_service else "false",)}
    if is_service:
        context["aws:principalservicename"] = (principal.arn,)
        context["aws:principalservicenameslist"] = principal.names or (principal.arn,)
    if principal.kind in _TYPES:
        context["aws:principaltype"] = (_TYPES[principal.kind],)
    if principal.kind in ("root", "user", "assumed-role"):
        context["aws:principalarn"] = (principal.role_arn or principal.arn,)
        context["aws:principalaccount"] = (principal.account_id,)
        context["aws:userid"] = (principal.user_id,)
    if principal.kind == "user":
        context["aws:username"] = (principal.arn.rpartition("/")[2],)
    if principal.issued_s:
        context["aws:tokenissuetime"] = (_moment(principal.issued_s),)
        context["aws:multifactorauthpresent"] = ("false",)
    for key, value in principal.tags:
        context[f"aws:principaltag/{key.lower()}"] = (value,)
    return context


def full_context(standing: Standing, given: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """The request's condition keys in lower case, with those of the principal and of the time."""
    context: dict[str, Sequence[str]] = {key.lower(): values for key, values in given.items()}
    context.update(standing.context)
    epoch = context.get("aws:epochtime")
    if epoch and "aws:currenttime" not in context:
        context["aws:currenttime"] = (_moment(int(epoch[0])),)
    return context


def _moment(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
