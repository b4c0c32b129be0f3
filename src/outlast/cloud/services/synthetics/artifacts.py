"""What a run leaves in its S3 location: its log and a report.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Synthetics_Canaries_Details.html
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from outlast.cloud.services.synthetics.model import Canary, Run


@dataclass(frozen=True, slots=True)
class Location:
    """A bucket and the prefix below which a run's files lie."""

    bucket: str
    prefix: str

    @property
    def text(self) -> str:
        """As the API shows it."""
        return f"{self.bucket}/{self.prefix}"


def location_of(canary: Canary, run: Run, region: str) -> Location:
    """Where a run's files go: by canary, then by the time of the run."""
    bucket, _, prefix = canary.artifacts.removeprefix("s3://").partition("/")
    moment = datetime.fromtimestamp(run.started_s, UTC)
    day = moment.strftime("%Y/%m/%d/%H")
    instant = moment.strftime("%M-%S-") + f"{moment.microsecond // 1000:03d}"
    head = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    return Location(bucket, f"{head}canary/{region}/{canary.name}-{canary.id[:5]}/{day}/{instant}/")


def files_of(canary: Canary, run: Run, log: str, duration_ms: float) -> dict[str, bytes]:
    """The files by name."""
    moment = datetime.fromtimestamp(run.started_s, UTC).strftime("%Y-%m-%dT%H-%M-%S-%f")[:-3] + "Z"
    report: dict[str, Any] = {
        "canaryName": canary.name,
        "canaryRunId": run.id,
        "runtimeVersion": canary.runtime,
        "executionStatus": "SUCCEEDED" if run.state == "PASSED" else "FAILED",
        "testResult": run.state,
        "startTime": datetime.fromtimestamp(run.started_s, UTC).isoformat(timespec="milliseconds"),
        "endTime": datetime.fromtimestamp(run.completed_s, UTC).isoformat(timespec="milliseconds"),
        "durationMs": round(duration_ms, 3),
        "failureReason": run.reason or None,
    }
    return {
        f"{moment}-log.txt": log.encode(),
        f"SyntheticsReport-{run.state}.json": orjson.dumps(report, option=orjson.OPT_INDENT_2),
    }
