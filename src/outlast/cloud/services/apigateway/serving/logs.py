"""Access and execution logs on their way to CloudWatch Logs, written as the account's role for API Gateway.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Final

from outlast.cloud.contract import Fault, Principal, Region

FLUSH_S: Final = 0.5
MAX_EVENTS: Final = 5_000
MAX_BYTES: Final = 900_000
MAX_WAITING: Final = 50_000
SESSION_S: Final = 3600
MARGIN_S: Final = 300.0

log = logging.getLogger("outlast.apigateway")


class LogWriter:
    """Lines by log group; bounded, sent in batches."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._lines: dict[str, deque[tuple[int, str]]] = {}
        self._streams: dict[str, str] = {}
        self._count = 0
        self._some = asyncio.Event()
        self._writer: tuple[str, Principal, float] | None = None
        self.role = ""
        self.dropped = 0

    def add(self, group: str, at_ms: int, text: str) -> None:
        """Queue one line."""
        if self._count >= MAX_WAITING:
            self.dropped += 1
            return
        self._lines.setdefault(group, deque()).append((at_ms, text))
        self._count += 1
        self._some.set()

    async def run(self) -> None:
        """Write for ever; costs nothing while there is nothing to write."""
        while True:
            await self._some.wait()
            await self._region.clock.sleep(FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Send everything that waits."""
        self._some.clear()
        waiting, self._lines, self._count = self._lines, {}, 0
        for group, lines in waiting.items():
            while lines:
                batch = _batch(lines)
                try:
                    await self._send(group, batch)
                except Fault as fault:
                    self.dropped += len(batch)
                    log.debug("%d lines for %s were lost: %s", len(batch), group, fault)

    async def _principal(self) -> Principal:
        now_s = self._region.clock.now_s()
        if self._writer is not None and self._writer[0] == self.role and self._writer[2] - now_s > MARGIN_S:
            return self._writer[1]
        params = {"RoleArn": self.role, "RoleSessionName": "BackplaneAssumeRoleSession", "DurationSeconds": SESSION_S}
        service = self._region.service_principal("apigateway")
        reply = await self._region.aws("sts", "AssumeRole", params, principal=service)
        user = reply["AssumedRoleUser"]
        principal = Principal(
            kind="assumed-role",
            arn=user["Arn"],
            account_id=self._region.account_id,
            user_id=user["AssumedRoleId"],
            role_arn=self.role,
            issued_s=self._region.clock.now_ms() // 1000,
        )
        self._writer = (self.role, principal, float(reply["Credentials"]["Expiration"]))
        return principal

    async def _send(self, group: str, batch: list[tuple[int, str]]) -> None:
        principal = await self._principal()
        if group not in self._streams:
            await self._make(group, principal)
        events = [{"timestamp": at, "message": text} for at, text in batch]
        params = {"logGroupName": group, "logStreamName": self._streams[group], "logEvents": events}
        try:
            await self._region.aws("logs", "PutLogEvents", params, principal=principal)
        except Fault:
            self._streams.pop(group, None)
            raise

    async def _make(self, group: str, principal: Principal) -> None:
        stream = self._region.entropy.hex(32)
        params = {"logGroupName": group, "logStreamName": stream}
        try:
            await self._region.aws("logs", "CreateLogStream", params, principal=principal)
        except Fault as fault:
            if fault.code != "ResourceNotFoundException":
                raise
            await self._region.aws("logs", "CreateLogGroup", {"logGroupName": group}, principal=principal)
            await self._region.aws("logs", "CreateLogStream", params, principal=principal)
        self._streams[group] = stream


def _batch(lines: deque[tuple[int, str]]) -> list[tuple[int, str]]:
    batch: list[tuple[int, str]] = []
    size = 0
    while lines and len(batch) < MAX_EVENTS and size < MAX_BYTES:
        size += len(lines[0][1].encode()) + 26
        batch.append(lines.popleft())
    batch.sort(key=lambda line: line[0])
    return batch
