"""The credentials that functions run with: temporary ones of their role, asked of STS as the Lambda service.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from outlast.cloud.contract import Fault, Principal, Region
from outlast.cloud.services.lambda_.errors import LambdaAccessDenied

DURATION_S: Final = 3600
FRESH_S: Final = 1800.0
MAX_KEPT: Final = 1000


@dataclass(frozen=True, slots=True)
class Session:
    """One session of a role."""

    principal: Principal
    access_key_id: str
    secret_access_key: str
    token: str
    expires_s: float

    def variables(self) -> dict[str, str]:
        """The environment variables that SDKs read."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.token,
        }


def session_name(function: str) -> str:
    """A session's name for a function; STS wants 2 to 64 characters."""
    return function[:64] if len(function) > 1 else f"{function}-"


class Roles:
    """Sessions by role and function; each is used while at least half an hour of it is left."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._sessions: dict[tuple[str, str], Session] = {}

    async def session(self, role: str, function: str) -> Session:
        """A session of `role` named after the function; raises LambdaAccessDenied when it cannot be assumed."""
        known = self._sessions.get((role, function))
        if known is not None and known.expires_s - self._region.clock.now_s() > FRESH_S:
            return known
        made = await self._assume(role, function)
        while len(self._sessions) >= MAX_KEPT:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[role, function] = made
        return made

    async def _assume(self, role: str, function: str) -> Session:
        region = self._region
        try:
            reply = await region.aws(
                "sts",
                "AssumeRole",
                {"RoleArn": role, "RoleSessionName": session_name(function), "DurationSeconds": DURATION_S},
                principal=region.service_principal("lambda"),
            )
        except Fault as fault:
            raise LambdaAccessDenied("The role defined for the function cannot be assumed by Lambda.") from fault
        credentials, user = reply["Credentials"], reply["AssumedRoleUser"]
        principal = Principal(
            kind="assumed-role",
            arn=user["Arn"],
            account_id=region.account_id,
            user_id=user["AssumedRoleId"],
            role_arn=role,
            issued_s=region.clock.now_ms() // 1000,
        )
        return Session(
            principal,
            credentials["AccessKeyId"],
            credentials["SecretAccessKey"],
            credentials["SessionToken"],
            float(credentials["Expiration"]),
        )
