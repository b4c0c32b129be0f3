"""Condition keys that every request brings, and NotPrincipal, as policies meet them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

import asyncio

import pytest

from outlast.cloud.contract import Fault, Principal
from tests.wire.iam.inside import ACCOUNT, Inside
from tests.wire.iam.test_iam import allow, document, message_of, new_user, trust

SOON = "2100-01-01T00:00:00Z"


async def test_sessions_issued_before_a_moment_can_be_revoked(inside: Inside) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html"""

    def scene() -> None:
        iam = inside.client("iam")
        ann = new_user(iam, "ann", allow("iam:ListUsers"), revoked(SOON))
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/ann"}))
        iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=document(allow("iam:ListUsers")))
        role = f"arn:aws:iam::{ACCOUNT}:role/r"
        given = inside.client("sts", ann).assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]
        session = inside.client("iam", given)
        for before, over in (("2001-01-01T00:00:00Z", False), (SOON, True)):
            iam.put_role_policy(
                RoleName="r", PolicyName="AWSRevokeOlderSessions", PolicyDocument=document(revoked(before))
            )
            if over:
                assert message_of(session.list_users).endswith("with an explicit deny in an identity-based policy")
            else:
                session.list_users()
        inside.client("iam", ann).list_users()
        temporary = inside.client("sts", ann).get_session_token()["Credentials"]
        assert "explicit deny" in message_of(inside.client("iam", temporary).list_users)

    def revoked(before: str) -> dict[str, object]:
        when = {"DateLessThan": {"aws:TokenIssueTime": before}}
        return {"Effect": "Deny", "Action": "iam:*", "Resource": "*", "Condition": when}

    await inside.play(scene)


async def test_nobody_has_a_second_factor_and_only_sessions_say_so(inside: Inside) -> None:
    def scene() -> None:
        iam = inside.client("iam")
        without = {
            "Effect": "Deny",
            "Action": "iam:ListUsers",
            "Resource": "*",
            "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}},
        }
        lenient = new_user(iam, "ann", allow("iam:ListUsers"), without)
        inside.client("iam", lenient).list_users()
        temporary = inside.client("sts", lenient).get_session_token()["Credentials"]
        assert "explicit deny" in message_of(inside.client("iam", temporary).list_users)
        without["Condition"] = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}
        strict = new_user(iam, "bob", allow("iam:ListUsers"), without)
        assert "explicit deny" in message_of(inside.client("iam", strict).list_users)

    await inside.play(scene)


async def test_a_policy_can_tell_a_service_that_acts_for_the_caller(inside: Inside) -> None:
    iam = inside.client("iam")
    via = {"Bool": {"aws:ViaAWSService": "true"}}
    key, _ = await asyncio.to_thread(new_user, iam, "ann", allow("iam:ListUsers", Condition=via))
    kept = await inside.play(lambda: iam.get_user(UserName="ann")["User"])
    ann = Principal("user", kept["Arn"], ACCOUNT, kept["UserId"], key)
    assert (await inside.gate.region.aws("iam", "ListUsers", {}, principal=ann))["Users"]
    secret = await inside.play(lambda: iam.create_access_key(UserName="ann")["AccessKey"])
    direct = inside.client("iam", (secret["AccessKeyId"], secret["SecretAccessKey"]))
    assert "no identity-based policy allows" in await inside.play(lambda: message_of(direct.list_users))
    role = Principal("user", kept["Arn"], ACCOUNT, kept["UserId"])
    with pytest.raises(Fault) as refused:
        await inside.gate.region.aws("iam", "ListUsers", {}, principal=role)
    assert refused.value.code == "AccessDeniedException"
