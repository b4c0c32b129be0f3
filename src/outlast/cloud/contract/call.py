"""What an operation receives: the call, who makes it and how it may call others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from outlast.cloud.contract.region import Region

State = TypeVar("State")
Reply = Mapping[str, Any]
PrincipalKind = Literal["root", "user", "assumed-role", "service", "service-linked", "anonymous"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a call.

    `arn` is what policies and GetCallerIdentity show: `arn:aws:iam::ACCOUNT:root`, a user's, an assumed role's
    session; for a service it is the service principal's name, `apigateway.amazonaws.com`. `role_arn` is the role
    behind a session. `session_policies` are JSON texts passed at AssumeRole. `tags` are principal tags. `issued_s` is
    when temporary credentials were issued, in seconds since the epoch; 0 for long-term ones.
    """

    kind: PrincipalKind
    arn: str
    account_id: str
    user_id: str = ""
    access_key_id: str = ""
    role_arn: str = ""
    session_policies: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    issued_s: int = 0
    names: tuple[str, ...] = ()
    """Of a service: all names that policies may call it by."""

    @classmethod
    def service(cls, service: str, region: str, account_id: str) -> Principal:
        """The service principal of `service` (`apigateway`): allowed what resource and trust policies say.

        They name it with or without its Region
        (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-services).
        """
        name = f"{service}.amazonaws.com"
        return cls(kind="service", arn=name, account_id=account_id, names=(name, f"{service}.{region}.amazonaws.com"))

    def document(self) -> dict[str, Any]:
        """The principal as plain data, for links and shelves."""
        return asdict(self)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Principal:
        """The principal in a document that `document` made, perhaps in another version: what is unknown is left out."""
        known: dict[str, Any] = {each.name: document[each.name] for each in fields(cls) if each.name in document}
        for name in ("session_policies", "names"):
            known[name] = tuple(known.get(name, ()))
        known["tags"] = tuple((key, value) for key, value in known.get("tags", ()))
        return cls(**known)

    @classmethod
    def linked(cls, name: str, account_id: str) -> Principal:
        """The service-linked role of `name` (`route53`): allowed what its Service declares in `linked`."""
        arn = f"arn:aws:iam::{account_id}:role/aws-service-role/{name}.amazonaws.com/AWSServiceRoleFor{name}"
        return cls(kind="service-linked", arn=arn, account_id=account_id, user_id=name)

    @classmethod
    def anonymous(cls) -> Principal:
        return cls(kind="anonymous", arn="*", account_id="")


class Caller(Protocol):
    """Calls another service as a client would: through the pipeline, authorised, metered and cut like real traffic."""

    async def __call__(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        principal: Principal,
        region: str | None = None,
        source_arn: str = "",
    ) -> dict[str, Any]:
        """Return the reply by AWS member names; raises Fault (LinkDown becomes ServiceUnavailable).

        `source_arn` is what resource policies see as aws:SourceArn when a service calls for a resource of its own.
        """
        ...


@dataclass(slots=True)
class Call(Generic[State]):
    """One request that has been authenticated, decoded, constrained and authorised.

    Not frozen, because one is made for every request and frozen ones take three times as long; nobody changes one.
    """

    state: State
    region: Region
    principal: Principal
    request_id: str
    now_ms: int
    service: str
    operation: str
    source_ip: str = "127.0.0.1"
    source_arn: str = ""
    user_agent: str = ""
    secure: bool = True
    """Did the request come over TLS, or from inside the cloud?"""
    on_behalf: bool = False
    """Does a service make this call as the principal that called it?"""

    @property
    def now_s(self) -> float:
        """The time of the call in seconds since the epoch."""
        return self.now_ms / 1000

    async def aws(
        self, service: str, operation: str, params: Mapping[str, Any], *, region: str | None = None
    ) -> dict[str, Any]:
        """Call another service as this call's principal; raises Fault."""
        return await self.region.aws(service, operation, params, principal=self.principal, region=region)
