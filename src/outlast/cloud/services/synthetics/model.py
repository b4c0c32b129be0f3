"""What a canary is, and what a run of it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

DEFAULT_MEMORY_MB: Final = 1000
DEFAULT_RETENTION_DAYS: Final = 31
LONGEST_TIMEOUT_S: Final = 840
SHORTEST_TIMEOUT_S: Final = 3


@dataclass(frozen=True, slots=True)
class Canary:
    """One canary; times in seconds since the epoch, 0 for never."""

    id: str
    name: str
    handler: str
    role: str
    artifacts: str
    expression: str
    duration_s: int
    timeout_s: int
    memory_mb: int
    runtime: str
    function: str
    function_arn: str
    created_s: float
    modified_s: float
    variables: Mapping[str, str] = field(default_factory=dict)
    max_retries: int = 0
    storage_mb: int = 1024
    success_days: int = DEFAULT_RETENTION_DAYS
    failure_days: int = DEFAULT_RETENTION_DAYS
    cleanup: str = "AUTOMATIC"
    tags: Mapping[str, str] = field(default_factory=dict)
    state: str = "CREATING"
    reason: str = ""
    reason_code: str = ""
    started_s: float = 0.0
    stopped_s: float = 0.0

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Canary:
        """From a stored document."""
        return cls(**document)

    def document(self) -> dict[str, Any]:
        """What is stored."""
        return asdict(self)

    @property
    def scheduled(self) -> bool:
        """Whether it runs by its schedule now."""
        return self.state in ("RUNNING", "UPDATING") and self.started_s > self.stopped_s

    def in_state(self, state: str, reason: str = "", code: str = "") -> Canary:
        """This canary in another state."""
        return replace(self, state=state, reason=reason, reason_code=code)

    def shape(self) -> dict[str, Any]:
        """The Canary shape."""
        status: dict[str, Any] = {"State": self.state}
        if self.reason:
            status["StateReason"] = self.reason
        if self.reason_code:
            status["StateReasonCode"] = self.reason_code
        times = {"Created": self.created_s, "LastModified": self.modified_s}
        if self.started_s:
            times["LastStarted"] = self.started_s
        if self.stopped_s:
            times["LastStopped"] = self.stopped_s
        shape: dict[str, Any] = {
            "Id": self.id,
            "Name": self.name,
            "Code": {"SourceLocationArn": self.function_arn, "Handler": self.handler},
            "ExecutionRoleArn": self.role,
            "Schedule": {
                "Expression": self.expression,
                "DurationInSeconds": self.duration_s,
                "RetryConfig": {"MaxRetries": self.max_retries},
            },
            "RunConfig": {
                "TimeoutInSeconds": self.timeout_s,
                "MemoryInMB": self.memory_mb,
                "ActiveTracing": False,
                "EphemeralStorage": self.storage_mb,
            },
            "SuccessRetentionPeriodInDays": self.success_days,
            "FailureRetentionPeriodInDays": self.failure_days,
            "Status": status,
            "Timeline": times,
            "ArtifactS3Location": self.artifacts.removeprefix("s3://"),
            "EngineArn": self.function_arn,
            "RuntimeVersion": self.runtime,
            "ProvisionedResourceCleanup": self.cleanup,
        }
        if self.tags:
            shape["Tags"] = dict(self.tags)
        return shape


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a canary; times in seconds since the epoch, `completed_s` 0 while it lasts."""

    id: str
    name: str
    scheduled_id: str
    started_s: float
    attempt: int = 0
    completed_s: float = 0.0
    state: str = "RUNNING"
    reason: str = ""
    reason_code: str = ""
    artifacts: str = ""

    @property
    def key(self) -> str:
        """Where it is stored: by canary, then by time."""
        return f"{self.name}/{round(self.started_s * 1000):013d}-{self.id[:8]}"

    def shape(self) -> dict[str, Any]:
        """The CanaryRun shape."""
        status: dict[str, Any] = {"State": self.state}
        if self.reason:
            status["StateReason"] = self.reason[:1024]
        if self.reason_code:
            status["StateReasonCode"] = self.reason_code
        if self.state != "RUNNING":
            status["TestResult"] = "UNKNOWN" if self.reason_code == "EXECUTION_FAILURE" else self.state
        times = {"Started": self.started_s}
        if self.completed_s:
            times |= {"Completed": self.completed_s, "MetricTimestampForRunAndRetries": self.completed_s}
        shape: dict[str, Any] = {
            "Id": self.id,
            "ScheduledRunId": self.scheduled_id,
            "Name": self.name,
            "Status": status,
            "Timeline": times,
        }
        if self.attempt:
            shape["RetryAttempt"] = self.attempt
        if self.artifacts:
            shape["ArtifactS3Location"] = self.artifacts
        return shape
