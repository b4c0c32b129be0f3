"""The stage that asks the policies: every (action, resource) that a call touches must be allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from outlast.cloud.contract import AccessDeniedException, Call, Declared, Principal
from outlast.cloud.gateway.gate import Gate, Hosted

PASSING: Final = "iam:PassRole"


def authorize(gate: Gate, hosted: Hosted, declared: Declared, call: Call[Any], params: Mapping[str, Any]) -> None:
    """Raise AccessDeniedException unless the policies allow every (action, resource) that the call touches."""
    principal = call.principal
    if declared.public:
        return
    if principal.kind == "service-linked":
        authorize_linked(gate, principal, declared)
        return
    context = Conditions(call, declared, params)
    for action, arn in declared.targets(params, gate.region):
        given: Conditions = context
        if action == PASSING:
            given = Passing(call, declared, params, hosted.service.model.endpoint_prefix)
        decision = gate.region.identities.judge(principal, action, arn, given, gate.policy_of(hosted, arn))
        if not decision.allowed:
            raise AccessDeniedException(decision.message)


def authorize_linked(gate: Gate, principal: Principal, declared: Declared) -> None:
    """A service's own role may do what the service declares, nothing else."""
    owner = gate.hosted.get(principal.user_id)
    if owner is not None:
        for pattern in owner.service.linked:
            if pattern == declared.action or (pattern.endswith("*") and declared.action.startswith(pattern[:-1])):
                return
    raise AccessDeniedException(
        f"User: {principal.arn} is not authorized to perform: {declared.action} because its service-linked role "
        "does not allow it"
    )


class Conditions(Mapping[str, Sequence[str]]):
    """The condition keys that come with the request itself; made only when a policy looks at one."""

    __slots__ = ("_call", "_declared", "_made", "_params")

    def __init__(self, call: Call[Any], declared: Declared, params: Mapping[str, Any]) -> None:
        self._call = call
        self._declared = declared
        self._params = params
        self._made: dict[str, Sequence[str]] | None = None

    def _keys(self) -> dict[str, Sequence[str]]:
        if self._made is None:
            call = self._call
            self._made = {
                "aws:SourceIp": (call.source_ip,),
                "aws:RequestedRegion": (call.region.name,),
                "aws:UserAgent": (call.user_agent,),
                "aws:EpochTime": (str(call.now_ms // 1000),),
                "aws:SecureTransport": ("true" if call.secure else "false",),
                "aws:ViaAWSService": ("true" if call.on_behalf else "false",),
            }
            if call.source_arn:
                self._made["aws:SourceArn"] = (call.source_arn,)
                self._made["aws:SourceAccount"] = (call.region.account_id,)
            if self._declared.conditions is not None:
                self._made.update(self._declared.conditions(self._params, self._call))
        return self._made

    def __getitem__(self, key: str) -> Sequence[str]:
        return self._keys()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys())

    def __len__(self) -> int:
        return len(self._keys())


class Passing(Conditions):
    """The same for a role that is handed to a service: policies may look at which.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
    """

    __slots__ = ("_service",)

    def __init__(self, call: Call[Any], declared: Declared, params: Mapping[str, Any], service: str) -> None:
        super().__init__(call, declared, params)
        self._service = service

    def _keys(self) -> dict[str, Sequence[str]]:
        return {**super()._keys(), "iam:PassedToService": (f"{self._service}.amazonaws.com",)}
