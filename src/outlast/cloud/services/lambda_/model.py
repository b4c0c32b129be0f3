"""What a function is: frozen values, their documents in storage and their shapes on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, Final

from outlast.cloud.services.lambda_.names import LATEST, Reference, arn

CREATING: Final = "The function is being created."
DEFAULT_TIMEOUT_S: Final = 3
DEFAULT_MEMORY_MB: Final = 128
DEFAULT_STORAGE_MB: Final = 512


def stamp(now_ms: int) -> str:
    """A time as Lambda writes LastModified."""
    return datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"


@dataclass(frozen=True, slots=True)
class Version:
    """Code and configuration: `$LATEST`, or a published snapshot of it."""

    name: str
    number: str
    runtime: str
    role: str
    handler: str
    code_key: str
    code_sha256: str
    code_size: int
    revision_id: str
    last_modified: str
    description: str = ""
    timeout_s: int = DEFAULT_TIMEOUT_S
    memory_mb: int = DEFAULT_MEMORY_MB
    storage_mb: int = DEFAULT_STORAGE_MB
    variables: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ("x86_64",)
    log_group: str = ""
    state: str = "Active"
    state_reason: str = ""
    update_status: str = "Successful"

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Version:
        """From a stored document."""
        known = {each.name for each in fields(cls)}
        values = {name: value for name, value in document.items() if name in known}
        values["layers"] = tuple(values["layers"])
        values["architectures"] = tuple(values["architectures"])
        return cls(**values)

    @property
    def execution_key(self) -> str:
        """What environments of this code and configuration have in common."""
        return f"{self.name}:{self.number}:{self.revision_id}"

    def same_as(self, other: Version) -> bool:
        """Whether publishing one after the other would make no new version."""
        return self._substance() == other._substance()

    def _substance(self) -> Version:
        """This version without what publishing changes."""
        return replace(
            self,
            number="",
            revision_id="",
            last_modified="",
            description="",
            state="",
            state_reason="",
            update_status="",
        )

    def configuration(self, region: str, account: str, *, qualified: bool) -> dict[str, Any]:
        """The FunctionConfiguration shape."""
        reference = Reference(self.name, self.number if qualified else None)
        shape: dict[str, Any] = {
            "FunctionName": self.name,
            "FunctionArn": arn(region, account, reference),
            "Runtime": self.runtime,
            "Role": self.role,
            "Handler": self.handler,
            "CodeSize": self.code_size,
            "Description": self.description,
            "Timeout": self.timeout_s,
            "MemorySize": self.memory_mb,
            "LastModified": self.last_modified,
            "CodeSha256": self.code_sha256,
            "Version": self.number,
            "TracingConfig": {"Mode": "PassThrough"},
            "RevisionId": self.revision_id,
            "State": self.state,
            "PackageType": "Zip",
            "Architectures": list(self.architectures),
            "EphemeralStorage": {"Size": self.storage_mb},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": self.group},
        }
        if self.variables:
            shape["Environment"] = {"Variables": dict(self.variables)}
        if self.layers:
            shape["Layers"] = [{"Arn": each, "CodeSize": 0} for each in self.layers]
        if self.state_reason:
            code = "Creating" if self.state == "Pending" else "InternalError"
            shape.update(StateReason=self.state_reason, StateReasonCode=code)
        if self.state != "Pending":
            shape["LastUpdateStatus"] = self.update_status
        return shape

    @property
    def group(self) -> str:
        """The log group that its environments write to."""
        return self.log_group or f"/aws/lambda/{self.name}"


@dataclass(frozen=True, slots=True)
class Alias:
    """A name for a version, and a share of traffic for another."""

    name: str
    version: str
    revision_id: str
    description: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)

    def shape(self, region: str, account: str, function: str) -> dict[str, Any]:
        """The AliasConfiguration shape."""
        shape: dict[str, Any] = {
            "AliasArn": arn(region, account, Reference(function, self.name)),
            "Name": self.name,
            "FunctionVersion": self.version,
            "Description": self.description,
            "RevisionId": self.revision_id,
        }
        if self.weights:
            shape["RoutingConfig"] = {"AdditionalVersionWeights": dict(self.weights)}
        return shape

    def choose(self, draw: float) -> str:
        """The version that a draw from [0, 1) falls on."""
        for version, weight in self.weights.items():
            if draw < weight:
                return version
            draw -= weight
        return self.version


@dataclass(frozen=True, slots=True)
class EventConfig:
    """How asynchronous events are retried; the defaults are AWS's."""

    retries: int = 2
    max_age_s: int = 21_600
    modified_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Function:
    """Everything kept under one function's name."""

    name: str
    latest: Version
    versions: Mapping[str, Version] = field(default_factory=dict)
    next_version: int = 1
    aliases: Mapping[str, Alias] = field(default_factory=dict)
    policies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Qualifier (empty: unqualified) -> statement id -> statement."""
    tags: Mapping[str, str] = field(default_factory=dict)
    reserved: int | None = None
    event_configs: Mapping[str, EventConfig] = field(default_factory=dict)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Function:
        """From a stored document."""
        return cls(
            name=document["name"],
            latest=Version.read(document["latest"]),
            versions={number: Version.read(each) for number, each in document["versions"].items()},
            next_version=document["next_version"],
            aliases={name: Alias(**each) for name, each in document["aliases"].items()},
            policies=document["policies"],
            tags=document["tags"],
            reserved=document["reserved"],
            event_configs={name: EventConfig(**each) for name, each in document["event_configs"].items()},
        )

    def document(self) -> dict[str, Any]:
        """What is stored."""
        return asdict(self)

    def version(self, qualifier: str | None) -> Version | None:
        """The version that a number or `$LATEST` names; aliases are not looked at."""
        if qualifier is None or qualifier == LATEST:
            return self.latest
        return self.versions.get(qualifier)

    def with_version(self, version: Version) -> Function:
        """This function with one of its versions replaced."""
        if version.number == LATEST:
            return replace(self, latest=version)
        return replace(self, versions={**self.versions, version.number: version})
