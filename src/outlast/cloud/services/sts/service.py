"""STS: temporary credentials. A data plane in every Region, on IAM's data of that Region.

https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from outlast.cloud.contract import Principal, Region, Service
from outlast.cloud.identity.credentials import SessionTokens


class Judge(Protocol):
    """Decides who may assume a role."""

    def may_assume(
        self, principal: Principal, role: Mapping[str, Any], context: Mapping[str, Sequence[str]], action: str
    ) -> bool: ...


class Roles(Protocol):
    """What STS needs of the state that it shares with IAM."""

    @property
    def account_id(self) -> str: ...
    @property
    def tokens(self) -> SessionTokens: ...
    @property
    def identities(self) -> Judge: ...
    def role(self, name: str) -> dict[str, Any] | None: ...
    def policy_text(self, arn: str) -> str | None: ...


def _shared(region: Region) -> Roles:
    state: Roles = region.capabilities["iam"]
    return state


sts: Service[Roles] = Service("sts", open=_shared, shares="iam")


def nothing_to_ask(_params: Mapping[str, Any], _region: Region) -> tuple[tuple[str, str], ...]:
    """No policy is asked before the operation: STS allows it to all, or the operation judges by itself."""
    return ()
