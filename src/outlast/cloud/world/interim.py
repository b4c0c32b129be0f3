"""Identities of a world without the IAM service: the root alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outlast.cloud.contract import Decision, KeyOwner, Principal, Region
from outlast.cloud.identity.faults import unrecognized


class RootOnly:
    def __init__(self, region: Region) -> None:
        self._region = region

    def owner(self, access_key_id: str, session_token: str | None, now_s: float) -> KeyOwner:
        settings = self._region.settings
        if access_key_id != settings["root_access_key_id"]:
            raise unrecognized()
        account = self._region.account_id
        principal = Principal("root", f"arn:aws:iam::{account}:root", account, account, access_key_id)
        return KeyOwner(settings["root_secret_access_key"], principal)

    def judge(
        self,
        principal: Principal,
        action: str,
        resource: str,
        context: Mapping[str, Sequence[str]],
        resource_policy: Mapping[str, Any] | None = None,
    ) -> Decision:
        return Decision(True)
