"""Stacks, their resources, events, change sets and running operations, as they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeVar

from outlast.cloud.services.cloudformation.template import Blueprint, Wanted
from outlast.cloud.services.cloudformation.template.bind import WantedOutput

Document = dict[str, Any]
Record = TypeVar("Record")

GONE = "DELETE_COMPLETE"
REVIEW = "REVIEW_IN_PROGRESS"
UPDATABLE = frozenset(
    {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "CREATE_FAILED",
        "UPDATE_FAILED",
    }
)


def read(kind: type[Record], document: Mapping[str, Any]) -> Record:
    """A record from its document; members that this version does not know are left out."""
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in document.items() if name in known})


@dataclass(frozen=True, slots=True)
class Output:
    """One output with its value."""

    name: str
    value: str
    description: str = ""
    export_name: str | None = None


@dataclass(frozen=True, slots=True)
class StackRecord:
    """One stack. Times are epoch milliseconds; its template and blueprint are kept beside it (`Deployed`)."""

    id: str
    name: str
    status: str
    created_ms: int
    reason: str = ""
    description: str = ""
    updated_ms: int | None = None
    deleted_ms: int | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    secret_parameters: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    capabilities: tuple[str, ...] = ()
    outputs: tuple[Output, ...] = ()
    imports: tuple[str, ...] = ()
    role_arn: str = ""
    disable_rollback: bool = False
    termination_protection: bool = False
    timeout_minutes: int | None = None
    change_set_id: str = ""
    token: str = ""

    @property
    def key(self) -> str:
        """The unique part of the stack's ARN."""
        return self.id.rpartition("/")[2]

    @property
    def is_gone(self) -> bool:
        return self.status == GONE

    @property
    def is_busy(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and self.status != REVIEW

    def document(self) -> Document:
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> StackRecord:
        found = dict(document)
        found["outputs"] = tuple(Output(**one) for one in found.get("outputs", ()))
        found["tags"] = tuple((key, value) for key, value in found.get("tags", ()))
        for name in ("capabilities", "imports", "secret_parameters"):
            found[name] = tuple(found.get(name, ()))
        return read(cls, found)


@dataclass(frozen=True, slots=True)
class ResourceRecord:
    """One resource of a stack, or one that was replaced and waits to be deleted (`retired`).

    `properties` are those last applied; `attempt` those being applied, or whose application failed.
    """

    stack: str
    logical_id: str
    type: str
    status: str
    suffix: str
    changed_ms: int
    reason: str = ""
    physical_id: str = ""
    properties: Mapping[str, Any] | None = None
    attempt: Mapping[str, Any] | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    deletion_policy: str = "Delete"
    replace_policy: str = "Delete"
    retired: bool = False

    @property
    def key(self) -> str:
        mark = f"#{self.suffix}" if self.retired else ""
        return f"{self.stack}/{self.logical_id}{mark}"

    @property
    def exists(self) -> bool:
        return self.status != GONE

    def document(self) -> Document:
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> ResourceRecord:
        return read(cls, {**document, "needs": tuple(document.get("needs", ()))})


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a stack's history."""

    id: str
    stack_id: str
    stack_name: str
    logical_id: str
    physical_id: str
    type: str
    status: str
    at_ms: int
    reason: str = ""
    properties: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True)
class Deployed:
    """What was last asked of a stack: the template's text and the blueprint it came to."""

    template: str
    blueprint: Document


Kind = Literal["create", "update", "delete"]
Stage = Literal["apply", "cleanup", "rollback", "rollback-cleanup", "delete"]


@dataclass(frozen=True, slots=True)
class Undo:
    """What a stack returns to when its update fails."""

    stack: Document
    deployed: Document


@dataclass(frozen=True, slots=True)
class Operation:
    """What is being done to a stack; kept until it is done, so that a restarted Region goes on with it.

    A `parked` operation is a rollback that failed and waits for ContinueUpdateRollback.
    """

    id: str
    stack: str
    kind: Kind
    stage: Stage
    principal: Document
    blueprint: Document = field(default_factory=dict)
    undo: Document | None = None
    on_failure: str = "ROLLBACK"
    retain_on_create: bool = True
    keep: tuple[str, ...] = ()
    deadline_ms: int | None = None
    cancelled: bool = False
    parked: bool = False

    def document(self) -> Document:
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Operation:
        return read(cls, {**document, "keep": tuple(document.get("keep", ()))})


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a change set."""

    action: str
    logical_id: str
    type: str
    physical_id: str = ""
    replacement: str = ""
    scope: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangeSetRecord:
    """A change set: a prepared operation that may be executed once."""

    id: str
    name: str
    stack_id: str
    stack_name: str
    kind: str
    status: str
    execution_status: str
    created_ms: int
    reason: str = ""
    description: str = ""
    template: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    secret_parameters: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    capabilities: tuple[str, ...] = ()
    role_arn: str = ""
    on_failure: str = ""
    changes: tuple[Change, ...] = ()

    @property
    def stack_key(self) -> str:
        """The unique part of the stack's ARN."""
        return self.stack_id.rpartition("/")[2]

    def document(self) -> Document:
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> ChangeSetRecord:
        found = dict(document)
        found["changes"] = tuple(
            Change(**{**one, "scope": tuple(one["scope"]), "properties": tuple(one["properties"])})
            for one in found.get("changes", ())
        )
        found["tags"] = tuple((key, value) for key, value in found.get("tags", ()))
        found["capabilities"] = tuple(found.get("capabilities", ()))
        found["secret_parameters"] = tuple(found.get("secret_parameters", ()))
        return read(cls, found)


def blueprint_document(blueprint: Blueprint) -> Document:
    """A blueprint as plain data."""
    return {
        "resources": {name: {**asdict(one), "needs": list(one.needs)} for name, one in blueprint.resources.items()},
        "outputs": [asdict(one) for one in blueprint.outputs],
        "imports": list(blueprint.imports),
    }


def blueprint_of(document: Mapping[str, Any]) -> Blueprint:
    """The blueprint in a document."""
    return Blueprint(
        resources={
            name: read(Wanted, {**one, "needs": tuple(one["needs"])}) for name, one in document["resources"].items()
        },
        outputs=tuple(read(WantedOutput, one) for one in document["outputs"]),
        imports=tuple(document.get("imports", ())),
    )
