"""The role that a stack acts as, when the request names one."""

from __future__ import annotations

from outlast.cloud.contract import Principal, Region

SESSION = "AWSCloudFormation"


async def assume(region: Region, role_arn: str) -> Principal:
    """The session of `role_arn`; its trust policy must let cloudformation.amazonaws.com assume it. Raises Fault."""
    reply = await region.aws(
        "sts",
        "AssumeRole",
        {"RoleArn": role_arn, "RoleSessionName": SESSION},
        principal=region.service_principal("cloudformation"),
    )
    user = reply["AssumedRoleUser"]
    return Principal(
        kind="assumed-role",
        arn=user["Arn"],
        account_id=region.account_id,
        user_id=user["AssumedRoleId"],
        role_arn=role_arn,
        issued_s=region.clock.now_ms() // 1000,
    )
