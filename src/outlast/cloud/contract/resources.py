"""CloudFormation resource types: each service states its own, as wire calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Made:
    """A resource that now exists: what Ref gives, and what Fn::GetAtt gives by attribute name."""

    physical_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stack:
    """What a resource type may know of the stack that it is made in."""

    name: str
    id: str
    region: str
    account_id: str
    logical_id: str
    suffix: str
    """Twelve random upper-case characters, the same on every retry of this resource: for generated names."""

    def generated_name(self, limit: int = 64) -> str:
        """STACK-LOGICALID-SUFFIX cut to `limit` characters, as CloudFormation names what has no name."""
        head = f"{self.name}-{self.logical_id}"[: limit - len(self.suffix) - 1]
        return f"{head}-{self.suffix}"


class Calls(Protocol):
    """Wire calls as the stack's principal; raises Fault. `sleep` waits between polls of a status."""

    async def __call__(
        self, service: str, operation: str, params: Mapping[str, Any], *, region: str | None = None
    ) -> dict[str, Any]: ...

    async def sleep(self, seconds: float) -> None: ...


class ResourceType(Protocol):
    """One type, `AWS::Lambda::Function`. All calls are idempotent: a stack operation may be resumed after a crash."""

    type_name: str
    properties: frozenset[str]
    """Property names that are supported; any other fails the stack by name."""

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        """Make the resource and wait until it is usable."""
        ...

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        """Change it in place; None says that these changes need a replacement."""
        ...

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        """Remove it; no error when it is gone already."""
        ...


def registry(types: Sequence[ResourceType]) -> dict[str, ResourceType]:
    """The types by name; a name twice is a defect."""
    named: dict[str, ResourceType] = {}
    for each in types:
        if each.type_name in named:
            raise ValueError(f"{each.type_name} is declared twice")
        named[each.type_name] = each
    return named
