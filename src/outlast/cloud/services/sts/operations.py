"""STS's operations.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from outlast.cloud.contract import Call, Principal, Reply
from outlast.cloud.identity.credentials import (
    KEY_ID_ENTROPY_BYTES,
    NONCE_BYTES,
    SECRET_ENTROPY_BYTES,
    Session,
    key_id,
    secret_key,
)
from outlast.cloud.identity.policy import MalformedPolicy, compile_policy
from outlast.cloud.services.sts.errors import (
    AccessDenied,
    InvalidAuthorizationMessageException,
    MalformedPolicyDocument,
    PackedPolicyTooLarge,
    ValidationError,
)
from outlast.cloud.services.sts.service import Roles, nothing_to_ask, sts

StsCall = Call[Roles]
Tags = Sequence[Mapping[str, str]]

DEFAULT_ROLE_S = 3600
CHAINED_ROLE_S = 3600
DEFAULT_TOKEN_S = 43_200
ROOT_TOKEN_S = 3600
PACKED_LIMIT_BYTES = 4096
SESSION_POLICY_LIMIT = 2048
_ROLE_ARN = re.compile(r"arn:aws:iam::(\d{12}):role/(?:[!-~]+/)?([\w+=,.@-]+)")


@sts.operation(resource=nothing_to_ask)
def assume_role(
    call: StsCall,
    *,
    role_arn: str,
    role_session_name: str,
    policy_arns: Sequence[Mapping[str, str]] = (),
    policy: str = "",
    duration_seconds: int = DEFAULT_ROLE_S,
    tags: Tags = (),
    external_id: str = "",
) -> Reply:
    """Credentials for a session of the role, if its trust policy and the caller's policies allow it."""
    role = _trusted_role(call, role_arn, external_id, tags)
    longest_s = CHAINED_ROLE_S if call.principal.kind == "assumed-role" else role["MaxSession"]
    if duration_seconds > longest_s:
        limit = "the 1 hour session limit for roles assumed by role chaining"
        if longest_s == role["MaxSession"]:
            limit = "the MaxSessionDuration set for this role"
        raise ValidationError(f"The requested DurationSeconds exceeds {limit}.")
    arns = tuple(each["arn"] for each in policy_arns)
    _check_session_policies(call, policy, arns)
    name = role["Name"]
    session = _session(
        call,
        arn=f"arn:aws:sts::{call.state.account_id}:assumed-role/{name}/{role_session_name}",
        user_id=f"{role['Id']}:{role_session_name}",
        role_arn=role["Arn"],
        duration_s=duration_seconds,
        policies=(policy,) if policy else (),
        policy_arns=arns,
        tags={**role["Tags"], **{tag["Key"]: tag["Value"] for tag in tags}},
    )
    reply: dict[str, Any] = {
        "Credentials": _credentials(call, session),
        "AssumedRoleUser": {"AssumedRoleId": session.user_id, "Arn": session.arn},
    }
    packed = _packed_bytes(session)
    if packed:
        reply["PackedPolicySize"] = max(1, packed * 100 // PACKED_LIMIT_BYTES)
    return reply


def _trusted_role(call: StsCall, role_arn: str, external_id: str, tags: Tags) -> dict[str, Any]:
    """The role, once it is known that the caller may assume it; a role that is not there reads as a refusal."""
    matched = _ROLE_ARN.fullmatch(role_arn)
    if matched is None:
        raise ValidationError(f"{role_arn} is invalid")
    refused = AccessDenied(
        f"User: {call.principal.arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
    )
    role = call.state.role(matched[2])
    if role is None or role["Arn"] != role_arn:
        raise refused
    if call.principal.kind == "root":
        raise AccessDenied("Roles may not be assumed by root accounts.")
    context: dict[str, tuple[str, ...]] = {
        "aws:SourceIp": (call.source_ip,),
        "aws:RequestedRegion": (call.region.name,),
        "aws:EpochTime": (str(call.now_ms // 1000),),
        "aws:TagKeys": tuple(tag["Key"] for tag in tags),
        **{f"aws:RequestTag/{tag['Key']}": (tag["Value"],) for tag in tags},
    }
    if external_id:
        context["sts:ExternalId"] = (external_id,)
    if call.source_arn:
        context["aws:SourceArn"] = (call.source_arn,)
        context["aws:SourceAccount"] = (call.state.account_id,)
    judge = call.state.identities
    if not judge.may_assume(call.principal, role, context, "sts:AssumeRole"):
        raise refused
    if tags and not judge.may_assume(call.principal, role, context, "sts:TagSession"):
        raise AccessDenied(refused.message.replace("sts:AssumeRole", "sts:TagSession"))
    return role


def _check_session_policies(call: StsCall, policy: str, arns: Sequence[str]) -> None:
    if policy:
        if len(policy) > SESSION_POLICY_LIMIT:
            raise ValidationError(f"The policy is longer than {SESSION_POLICY_LIMIT} characters.")
        try:
            compile_policy(policy)
        except MalformedPolicy as bad:
            raise MalformedPolicyDocument(bad.message) from None
    for arn in arns:
        if call.state.policy_text(arn) is None:
            raise ValidationError(f"The policy {arn} does not exist.")


def _packed_bytes(session: Session) -> int:
    texts = (*session.policies, *session.policy_arns, *(part for tag in session.tags for part in tag))
    return sum(len(text) for text in texts)


def _session(
    call: StsCall,
    *,
    arn: str,
    user_id: str,
    role_arn: str,
    duration_s: int,
    policies: tuple[str, ...] = (),
    policy_arns: tuple[str, ...] = (),
    tags: Mapping[str, str],
) -> Session:
    entropy = call.region.entropy
    session = Session(
        access_key_id=key_id(entropy.token(KEY_ID_ENTROPY_BYTES), session=True),
        secret=secret_key(entropy.token(SECRET_ENTROPY_BYTES)),
        arn=arn,
        account_id=call.state.account_id,
        user_id=user_id,
        role_arn=role_arn,
        issued_s=int(call.now_s),
        expires_s=int(call.now_s) + duration_s,
        policies=policies,
        policy_arns=policy_arns,
        tags=tuple(sorted(tags.items())),
    )
    if _packed_bytes(session) > PACKED_LIMIT_BYTES:
        raise PackedPolicyTooLarge("Packed size of session tags and policies consumes more than 100% of allotted space")
    return session


def _credentials(call: StsCall, session: Session) -> dict[str, Any]:
    return {
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret,
        "SessionToken": call.state.tokens.seal(session, call.region.entropy.token(NONCE_BYTES)),
        "Expiration": session.expires_s,
    }


@sts.operation(resource=nothing_to_ask)
def get_caller_identity(call: StsCall) -> Reply:
    """Who calls; no permission is needed."""
    principal = call.principal
    return {"UserId": principal.user_id, "Account": call.state.account_id, "Arn": principal.arn}


@sts.operation(resource=nothing_to_ask)
def get_session_token(call: StsCall, *, duration_seconds: int = DEFAULT_TOKEN_S) -> Reply:
    """Temporary credentials for the user who calls, with the user's own permissions."""
    principal: Principal = call.principal
    if principal.kind not in ("user", "root") or principal.access_key_id.startswith("ASIA"):
        raise AccessDenied("Cannot call GetSessionToken with session credentials")
    if principal.kind == "root":
        duration_seconds = min(duration_seconds, ROOT_TOKEN_S)
    session = _session(
        call,
        arn=principal.arn,
        user_id=principal.user_id,
        role_arn="",
        duration_s=duration_seconds,
        tags=dict(principal.tags),
    )
    return {"Credentials": _credentials(call, session)}


@sts.operation(resource="*")
def decode_authorization_message(call: StsCall, *, encoded_message: str) -> Reply:
    """Refused: this cloud encodes no authorisation messages, its denials are in plain text."""
    raise InvalidAuthorizationMessageException("Message is not a valid authorization message.")
