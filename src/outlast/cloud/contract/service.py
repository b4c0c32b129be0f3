"""What a service is: its operations held against botocore's model, its timers, its doors, its resource types."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from outlast.cloud.contract.call import Call, Principal, Reply, State
from outlast.cloud.contract.fault import Fault, ValidationException
from outlast.cloud.contract.resources import ResourceType
from outlast.cloud.contract.trail import is_data_event
from outlast.cloud.wire import Operation, Request, Response, ServiceModel, load, snake

if TYPE_CHECKING:
    from outlast.cloud.contract.region import Region

Function = TypeVar("Function", bound=Callable[..., Any])
ActionArn = tuple[str, str]
Conditions = Callable[[Mapping[str, Any], Call[Any]], Mapping[str, Sequence[str]]]
"""The condition keys of an operation's own, from its parameters and the call."""
Resource = str | Callable[[Mapping[str, Any], "Region"], str | Iterable[ActionArn]]


class Misdeclared(Exception):
    """An operation does not agree with the model; raised at import."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One operation as declared: the function, the model's operation and how to authorise it."""

    operation: Operation
    function: Callable[..., Reply | Awaitable[Reply]]
    action: str
    resource: Resource
    parameters: Mapping[str, str]
    """Wire member name -> keyword name, for members that are parameters."""
    ignored: frozenset[str]
    control_plane: bool
    public: bool
    is_async: bool
    conditions: Conditions | None = None
    data: bool = False
    """Is a request a data event, which the audit trail keeps only when asked?"""

    def arguments(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Keyword arguments of the function; refuses members that are neither parameters nor ignored."""
        names = self.parameters
        arguments = {}
        for member, value in params.items():
            name = names.get(member)
            if name is not None:
                arguments[name] = value
            elif member not in self.ignored:
                raise ValidationException(
                    f"The parameter {member} of {self.operation.name} is not supported by this cloud."
                )
        return arguments

    def targets(self, params: Mapping[str, Any], region: Region) -> Iterable[ActionArn]:
        """The (action, resource ARN) pairs that the caller must be allowed."""
        resource = self.resource
        if callable(resource):
            found = resource(params, region)
            return ((self.action, found),) if isinstance(found, str) else found
        if "{" in resource:
            resource = "".join(
                [part if literal else str(params.get(part, "*")) for literal, part in _parts(resource, region)]
            )
        return ((self.action, resource),)


@lru_cache(maxsize=4096)
def _cut(template: str, region: str, account: str) -> tuple[tuple[bool, str], ...]:
    """The template as (is it literal, text or member name), with what the Region fixes filled in."""
    filled = template.replace("{region}", region).replace("{account}", account)
    parts: list[tuple[bool, str]] = []
    for piece in filled.split("{"):
        name, brace, rest = piece.partition("}")
        parts += [(False, name), (True, rest)] if brace else [(True, piece)]
    return tuple(part for part in parts if part[1])


def _parts(template: str, region: Region) -> tuple[tuple[bool, str], ...]:
    return _cut(template, region.name, region.account_id)


@dataclass(frozen=True, slots=True)
class DoorCall(Generic[State]):
    """A request that is not an AWS API call. `refusal` is set when it was signed and the signature is bad.

    `fault` is a fault of the world that holds for this request: the door words it and counts it as its own.
    """

    state: State
    region: Region
    request: Request
    principal: Principal
    refusal: Fault | None
    request_id: str
    now_ms: int
    source_ip: str
    fault: Fault | None = None
    secure: bool = True


@dataclass(frozen=True, slots=True)
class Door(Generic[State]):
    """HTTP that a service answers itself, such as `execute-api`."""

    signing_name: str
    claims: Callable[[State, Request], bool]
    serve: Callable[[DoorCall[State]], Awaitable[Response]]


def _empty() -> dict[str, Any]:
    return {}


@dataclass(slots=True)
class Service(Generic[State]):
    """One AWS API of the local cloud.

    `open(region)` makes the state after storage has been recovered. `home` is the Region that holds the control
    plane when AWS has just one (IAM, Route 53: us-east-1); calls elsewhere are forwarded to it, and it can be lost.
    `linked` lists the IAM actions (with * patterns) that this service's own role may use.
    `provides` gives capabilities to the Region by name (`identities`, `names`), each made from the state.
    `resource_policy(state, arn)` returns the resource policy document that guards `arn`, or None.
    `opaque` names shapes that pass through as parsed JSON. `shares` names a service whose state this one uses.
    """

    name: str
    open: Callable[[Region], State]
    home: str | None = None
    linked: tuple[str, ...] = ()
    opaque: frozenset[str] = frozenset()
    shares: str | None = None
    action_prefix: str = ""
    provides: Mapping[str, Callable[[State], Any]] = field(default_factory=dict)
    resource_policy: Callable[[State, str], Mapping[str, Any] | None] | None = None
    resource_types: Sequence[ResourceType] = ()
    operations: dict[str, Declared] = field(default_factory=dict)
    timers: list[Callable[[State], Awaitable[None]]] = field(default_factory=list)
    starters: list[Callable[[State], Awaitable[None]]] = field(default_factory=list)
    closers: list[Callable[[State], Awaitable[None]]] = field(default_factory=list)
    doors: list[Door[State]] = field(default_factory=list)
    _model: ServiceModel | None = None
    _names: dict[str, str] | None = None

    @property
    def model(self) -> ServiceModel:
        """The API's model, loaded at first use."""
        if self._model is None:
            self._model = load(self.name, opaque=self.opaque)
        return self._model

    def operation(
        self,
        *,
        resource: Resource = "*",
        action: str = "",
        ignored: Sequence[str] = (),
        name: str = "",
        control_plane: bool = False,
        public: bool = False,
        conditions: Conditions | None = None,
    ) -> Callable[[Function], Function]:
        """Declare the decorated function as an operation; its name and keyword parameters must agree with the model.

        `action` defaults to the API's IAM prefix and the operation's name. `ignored` lists members that are
        deliberately without effect (say why in the service's README). `control_plane` marks what a lost control
        plane takes away. `public` operations need no signature.
        """

        def declare(function: Function) -> Function:
            wire_name = name or self._name_of(function.__name__)
            operation = self.model.operations.get(wire_name)
            if operation is None:
                raise Misdeclared(f"{self.name} has no operation {wire_name}")
            parameters = _parameters(function, operation, self.name)
            known = {member.wire_name for member in operation.members.values()}
            unknown = set(ignored) - known
            if unknown:
                raise Misdeclared(f"{self.name}:{wire_name} ignores unknown members {sorted(unknown)}")
            if isinstance(resource, str):
                _check_template(resource, known, f"{self.name}:{wire_name}")
            prefix = self.action_prefix or self.model.iam_prefix
            self.operations[wire_name] = Declared(
                operation=operation,
                function=function,
                action=action or f"{prefix}:{wire_name}",
                resource=resource,
                parameters=parameters,
                ignored=frozenset(ignored),
                control_plane=control_plane or self.home is not None,
                public=public,
                is_async=inspect.iscoroutinefunction(function),
                conditions=conditions,
                data=is_data_event(self.name, wire_name),
            )
            return function

        return declare

    def _name_of(self, function_name: str) -> str:
        plain = function_name.rstrip("_")
        if self._names is None:
            self._names = {snake(wire_name): wire_name for wire_name in self.model.operations}
        if plain not in self._names:
            raise Misdeclared(f"{self.name} has no operation that reads {plain}")
        return self._names[plain]

    def timer(self, function: Callable[[State], Awaitable[None]]) -> Callable[[State], Awaitable[None]]:
        """Run the coroutine from the Region's start to its stop; restarted with backoff when it raises or returns."""
        self.timers.append(function)
        return function

    def starter(self, function: Callable[[State], Awaitable[None]]) -> Callable[[State], Awaitable[None]]:
        """Await the coroutine, which must be bounded in time, before the Region listens to clients; links are open."""
        self.starters.append(function)
        return function

    def closer(self, function: Callable[[State], Awaitable[None]]) -> Callable[[State], Awaitable[None]]:
        """Await the coroutine when the Region stops cleanly (end worker processes, flush)."""
        self.closers.append(function)
        return function

    def door(
        self, signing_name: str, *, claims: Callable[[State, Request], bool]
    ) -> Callable[[Callable[[DoorCall[State]], Awaitable[Response]]], Callable[[DoorCall[State]], Awaitable[Response]]]:
        """Answer every request that `claims` takes, with the signature (if any) already checked for `signing_name`."""

        def declare(
            function: Callable[[DoorCall[State]], Awaitable[Response]],
        ) -> Callable[[DoorCall[State]], Awaitable[Response]]:
            self.doors.append(Door(signing_name, claims, function))
            return function

        return declare


def _parameters(function: Callable[..., Any], operation: Operation, service: str) -> dict[str, str]:
    """Hold the function's keyword-only parameters against the model's members; return wire name -> keyword."""
    found: dict[str, str] = {}
    where = f"{service}:{operation.name}"
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or parameters[0].kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
        raise Misdeclared(f"{where} must take the call first")
    for parameter in parameters[1:]:
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            raise Misdeclared(f"{where}: {parameter.name} must be keyword-only")
        member = operation.members.get(parameter.name.rstrip("_"))
        if member is None:
            raise Misdeclared(f"{where} has no member that reads {parameter.name}")
        has_default = parameter.default is not inspect.Parameter.empty
        if member.required and has_default:
            raise Misdeclared(f"{where}: {parameter.name} is required and must have no default")
        if not member.required and not has_default:
            raise Misdeclared(f"{where}: {parameter.name} is optional and needs a default")
        found[member.wire_name] = parameter.name
    for member in operation.members.values():
        if member.required and member.wire_name not in found:
            raise Misdeclared(f"{where} lacks the required {member.wire_name}")
    return found


def _check_template(template: str, known: set[str], where: str) -> None:
    for part in template.split("{")[1:]:
        placeholder = part.split("}")[0]
        if placeholder not in known and placeholder not in ("region", "account"):
            raise Misdeclared(f"{where}: the ARN template names {placeholder}, which is no member")


__all__ = ["Call", "Declared", "Door", "DoorCall", "Misdeclared", "Service"]
