"""The lines that Lambda itself writes around an invocation.

https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html and monitoring-cloudwatchlogs.html
"""

from __future__ import annotations

import base64
import hashlib
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

Line = tuple[int, str]
TAIL_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Report:
    """What the REPORT line says. `init_ms`: None for a warm start. `status`: `timeout` or `error` when it failed."""

    request_id: str
    duration_ms: float
    memory_size_mb: int
    memory_used_mb: int
    init_ms: float | None = None
    status: str = ""
    error_type: str = ""

    def text(self) -> str:
        """The REPORT line."""
        parts = [
            f"REPORT RequestId: {self.request_id}",
            f"Duration: {self.duration_ms:.2f} ms",
            f"Billed Duration: {max(1, math.ceil(self.duration_ms))} ms",
            f"Memory Size: {self.memory_size_mb} MB",
            f"Max Memory Used: {self.memory_used_mb} MB",
        ]
        if self.init_ms is not None:
            parts.append(f"Init Duration: {self.init_ms:.2f} ms")
        if self.status:
            parts.append(f"Status: {self.status}")
        if self.error_type:
            parts.append(f"Error Type: {self.error_type}")
        return "\t".join(parts) + "\t"


def init_start(runtime: str, region: str) -> str:
    """The first line of an environment."""
    digest = hashlib.sha256(runtime.encode()).hexdigest()
    python = runtime.removeprefix("python")
    arn = f"arn:aws:lambda:{region}::runtime:{digest}"
    return f"INIT_START Runtime Version: python:{python}.v1\tRuntime Version ARN: {arn}"


def start(request_id: str, version: str) -> str:
    """The first line of an invocation."""
    return f"START RequestId: {request_id} Version: {version}"


def end(request_id: str) -> str:
    """The line after the handler's last."""
    return f"END RequestId: {request_id}"


def timed_out(request_id: str, timeout_s: float, now_ms: int) -> str:
    """What is logged when a handler ran out of time."""
    moment = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    return f"{moment}Z {request_id} Task timed out after {timeout_s:.2f} seconds"


def stream_name(now_ms: int, function: str, version: str, suffix: str, *, own_group: bool) -> str:
    """An environment's log stream; in a group of the user's choice it carries the function's name."""
    day = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y/%m/%d")
    return f"{day}/[{version}]{suffix}" if own_group else f"{day}/{function}[{version}]{suffix}"


def tail(lines: list[Line]) -> str:
    """The last 4 KB of an invocation's log, base64, as X-Amz-Log-Result has it."""
    text = "".join(f"{line}\n" for _, line in lines).encode()
    return base64.b64encode(text[-TAIL_BYTES:]).decode()
