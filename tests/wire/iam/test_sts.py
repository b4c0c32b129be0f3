"""Temporary credentials over the wire."""

from __future__ import annotations

from typing import Any

import pytest

from outlast.cloud.contract import Fault, Principal
from tests.wire.iam.inside import ACCOUNT, Inside
from tests.wire.iam.test_iam import LAMBDA, allow, code_of, document, message_of, new_user, trust

ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"


def assumed(inside: Inside, who: tuple[str, str], **more: Any) -> Any:
    sts = inside.client("sts", who)
    return sts.assume_role(RoleArn=ROLE, RoleSessionName="me", **more)


async def test_a_session_has_what_the_role_allows(inside: Inside) -> None:
    def scene() -> None:
        iam = inside.client("iam")
        ann = new_user(iam, "ann", allow("sts:AssumeRole", ROLE))
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust({"AWS": ACCOUNT}))
        iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=document(allow("iam:ListUsers")))
        answer = assumed(inside, ann)
        credentials = answer["Credentials"]
        assert credentials["AccessKeyId"].startswith("ASIALOCAL")
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/r/me"
        assert answer["AssumedRoleUser"]["Arn"] == arn
        identity = inside.client("sts", credentials).get_caller_identity()
        assert (identity["Arn"], identity["Account"]) == (arn, ACCOUNT)
        session = inside.client("iam", credentials)
        session.list_users()
        assert f"User: {arn} is not authorized" in message_of(session.list_roles)
        iam.delete_role_policy(RoleName="r", PolicyName="p")
        assert code_of(session.list_users) == "AccessDenied"

    await inside.play(scene)


async def test_a_session_policy_narrows_the_role(inside: Inside) -> None:
    def scene() -> None:
        iam = inside.client("iam")
        ann = new_user(iam, "ann")
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/ann"}))
        iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=document(allow("iam:*")))
        narrow = inside.client("iam", assumed(inside, ann, Policy=document(allow("iam:List*")))["Credentials"])
        narrow.list_users()
        assert "no session policy allows" in message_of(narrow.get_role, RoleName="r")
        read = [{"arn": "arn:aws:iam::aws:policy/IAMReadOnlyAccess"}]
        by_arn = inside.client("iam", assumed(inside, ann, PolicyArns=read)["Credentials"])
        by_arn.get_role(RoleName="r")
        assert code_of(by_arn.create_user, UserName="bob") == "AccessDenied"

    await inside.play(scene)


async def test_both_sides_must_agree_when_the_trust_names_the_account(inside: Inside) -> None:
    def scene() -> None:
        iam = inside.client("iam")
        ann = new_user(iam, "ann")
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust({"AWS": ACCOUNT}))
        sts = inside.client("sts", ann)
        expected = f"User: arn:aws:iam::{ACCOUNT}:user/ann is not authorized to perform: sts:AssumeRole on resource: "
        assert message_of(sts.assume_role, RoleArn=ROLE, RoleSessionName="me") == expected + ROLE
        missing = ROLE + "-none"
        assert message_of(sts.assume_role, RoleArn=missing, RoleSessionName="me") == expected + missing
        iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=document(allow("sts:*")))
        sts.assume_role(RoleArn=ROLE, RoleSessionName="me")
        iam.update_assume_role_policy(RoleName="r", PolicyDocument=LAMBDA)
        assert code_of(sts.assume_role, RoleArn=ROLE, RoleSessionName="me") == "AccessDenied"

    await inside.play(scene)


async def test_an_external_id_is_asked_for(inside: Inside) -> None:
    def scene() -> None:
        iam = inside.client("iam")
        ann = new_user(iam, "ann", allow("sts:AssumeRole"))
        condition = {"StringEquals": {"sts:ExternalId": "secret"}}
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust({"AWS": ACCOUNT}, Condition=condition))
        sts = inside.client("sts", ann)
        assert code_of(sts.assume_role, RoleArn=ROLE, RoleSessionName="me") == "AccessDenied"
        sts.assume_role(RoleArn=ROLE, RoleSessionName="me", ExternalId="secret")

    await inside.play(scene)


async def test_a_service_assumes_a_role_that_trusts_it(inside: Inside) -> None:
    await inside.play(lambda: inside.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=LAMBDA))
    region = inside.gate.region
    params = {"RoleArn": ROLE, "RoleSessionName": "function"}
    answer = await region.aws("sts", "AssumeRole", params, principal=region.service_principal("lambda"))
    assert answer["AssumedRoleUser"]["Arn"].endswith("assumed-role/r/function")
    with pytest.raises(Fault) as caught:
        await region.aws("sts", "AssumeRole", params, principal=region.service_principal("ec2"))
    assert caught.value.code == "AccessDenied"
    with pytest.raises(Fault):
        await region.aws("sts", "AssumeRole", params, principal=Principal.anonymous())


async def test_sessions_end_and_cannot_be_forged(inside: Inside) -> None:
    def scene() -> None:
        iam = inside.client("iam")
        ann = new_user(iam, "ann")
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/ann"}))
        credentials = assumed(inside, ann, DurationSeconds=900)["Credentials"]
        forged = {**credentials, "SessionToken": credentials["SessionToken"][:-8] + "AAAAAAAA"}
        assert code_of(inside.client("sts", forged).get_caller_identity) == "InvalidClientTokenId"
        keyless = (credentials["AccessKeyId"], credentials["SecretAccessKey"])
        assert code_of(inside.client("sts", keyless).get_caller_identity) == "InvalidClientTokenId"
        wrong = {**credentials, "SecretAccessKey": "x"}
        assert code_of(inside.client("sts", wrong).get_caller_identity) == "SignatureDoesNotMatch"
        inside.client("sts", credentials).get_caller_identity()
        inside.clock.skew_ms = 901_000
        assert code_of(inside.client("sts", credentials).get_caller_identity) == "ExpiredToken"

    await inside.play(scene)


async def test_durations_have_limits(inside: Inside) -> None:
    def scene() -> None:
        iam = inside.client("iam")
        ann = new_user(iam, "ann")
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/ann"}))
        sts = inside.client("sts", ann, parameter_validation=False)
        named = {"RoleArn": ROLE, "RoleSessionName": "me"}
        assert code_of(sts.assume_role, **named, DurationSeconds=7200) == "ValidationError"
        iam.update_role(RoleName="r", MaxSessionDuration=7200)
        sts.assume_role(**named, DurationSeconds=7200)
        assert code_of(sts.assume_role, **named, DurationSeconds=1) == "ValidationError"

    await inside.play(scene)


async def test_the_root_user_assumes_no_roles(inside: Inside) -> None:
    def scene() -> None:
        inside.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=trust({"AWS": ACCOUNT}))
        refused = message_of(inside.client("sts").assume_role, RoleArn=ROLE, RoleSessionName="me")
        assert refused == "Roles may not be assumed by root accounts."

    await inside.play(scene)


async def test_a_session_token_is_the_user_itself(inside: Inside) -> None:
    def scene() -> None:
        iam = inside.client("iam")
        ann = new_user(iam, "ann", allow("iam:ListUsers"))
        credentials = inside.client("sts", ann).get_session_token()["Credentials"]
        session = inside.client("iam", credentials)
        session.list_users()
        assert inside.client("sts", credentials).get_caller_identity()["Arn"].endswith("user/ann")
        assert code_of(inside.client("sts", credentials).get_session_token) == "AccessDenied"

    await inside.play(scene)
