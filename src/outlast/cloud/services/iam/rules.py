"""What a change of IAM must satisfy before it is made. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from outlast.cloud.identity.policy import MalformedPolicy
from outlast.cloud.services.iam.errors import LimitExceeded, MalformedPolicyDocument
from outlast.cloud.services.iam.standings import compiled

if TYPE_CHECKING:
    from outlast.cloud.services.iam.state import IamState

ATTACHED_LIMIT = 10
INLINE_LIMITS = {"user": 2048, "role": 10_240}
MANAGED_LIMIT = 6144
TRUST_LIMIT = 2048
VERSIONS_LIMIT = 5
KEYS_LIMIT = 2


def checked_policy(text: str) -> str:
    """The document, once it is known to be an identity policy; raises MalformedPolicyDocument."""
    try:
        compiled(text)
    except MalformedPolicy as bad:
        raise MalformedPolicyDocument(bad.message) from None
    return text


def checked_trust(state: IamState, text: str) -> str:
    """The document, once it is known to be a trust policy whose principals of this account exist."""
    try:
        policy = compiled(text, "trust", "trust")
    except MalformedPolicy as bad:
        raise MalformedPolicyDocument(bad.message) from None
    if _size(text) > TRUST_LIMIT:
        raise LimitExceeded(f"Cannot exceed quota for ACLSizePerRole: {TRUST_LIMIT}")
    for statement in policy.statements:
        named = statement.principals
        for arn in sorted(named.arns) if named is not None else ():
            if not _exists(state, arn):
                raise MalformedPolicyDocument(f'Invalid principal in policy: "AWS":"{arn}"')
    return text


def _exists(state: IamState, arn: str) -> bool:
    service, account, resource = arn.split(":", 5)[2], arn.split(":", 5)[4], arn.split(":", 5)[5]
    if account != state.account_id or service != "iam":
        return True
    noun, _, rest = resource.partition("/")
    name = rest.rpartition("/")[2]
    document = state.users.get(name) if noun == "user" else state.roles.get(name) if noun == "role" else None
    return document is not None and document["Arn"] == arn


def check_size(noun: str, name: str, texts: Iterable[str]) -> None:
    """The inline policies of one entity together have a limit; blanks do not count."""
    limit = INLINE_LIMITS[noun]
    if sum(_size(text) for text in texts) > limit:
        raise LimitExceeded(f"Maximum policy size of {limit} bytes exceeded for {noun} {name}")


def check_managed_size(text: str) -> None:
    """A managed policy has a limit of its own; blanks do not count."""
    if _size(text) > MANAGED_LIMIT:
        raise LimitExceeded(f"Cannot exceed quota for PolicySize: {MANAGED_LIMIT}")


def _size(text: str) -> int:
    return len("".join(text.split()))
