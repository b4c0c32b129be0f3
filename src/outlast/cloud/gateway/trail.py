"""The audit trail of one Region: every request's record, in CloudTrail's form, in bounded files.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html

A record is made when the request has been answered or refused, from what is at hand; once a second the records are
appended to a file, one JSON document a line. Data events are recorded only when the world is started with them.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from outlast.cloud.contract import Declared, Fault, Principal, Region
from outlast.cloud.contract.trail import Seen
from outlast.cloud.effects.disk import AppendFile
from outlast.cloud.gateway.gate import Hosted
from outlast.cloud.identity.presented import Presented
from outlast.cloud.wire import Request, redacted

log = logging.getLogger("outlast.trail")

FLUSH_S: Final = 1.0
MOST_PENDING: Final = 10_000
FILE_BYTES: Final = 4 << 20
MOST_FILES: Final = 8
READ_ONLY: Final = ("Get", "List", "Describe", "Head", "Lookup", "Query", "Scan", "BatchGet", "TransactGet", "Filter",
                    "Search", "Simulate", "Test", "AssumeRole", "Decode")  # fmt: skip
ASSUMED: Final = "AssumeRole"
"""Changes nothing, and yet its answer is recorded: whose key the session's is."""
TLS: Final = ("tlsVersion", "cipherSuite", "clientProvidedHostHeader")
ATTRIBUTES: Final = {"EventId": "eventID", "EventName": "eventName", "EventSource": "eventSource"}


def origin(request: Request, request_id: str, source_ip: str, shown: Presented | None = None) -> dict[str, str]:
    """What `note` wants to know of where a request came from."""
    key = "" if shown is None else shown.access_key_id
    agent = request.headers.get("user-agent", "")
    where = {"requestID": request_id, "sourceIPAddress": source_ip, "userAgent": agent, "accessKeyId": key}
    if request.tls is not None:
        where["tlsVersion"], where["cipherSuite"] = request.tls
        where["clientProvidedHostHeader"] = request.headers.get("host", "")
    return where


class Journal:
    """Records requests, keeps the newest 32 MB of them, and finds them again."""

    def __init__(self, region: Region, folder: Path, *, data: bool = False) -> None:
        self.data = data
        self._region = region
        self._disk = region.effects.disk
        self._folder = folder
        self._pending: list[bytes] = []
        self._dropped = 0
        self._broken = False
        self._file: AppendFile | None = None
        self._number = 0
        self._n_bytes = 0

    def note(
        self,
        hosted: Hosted,
        declared: Declared,
        principal: Principal | None,
        params: Mapping[str, Any],
        outcome: Mapping[str, Any] | Fault,
        where: Mapping[str, str],
    ) -> None:
        """Record one request, with its reply or the fault that it met; `where` is what `origin` says of it."""
        if len(self._pending) >= MOST_PENDING:
            self._dropped += 1
            return
        record = self._record(hosted, declared, principal, where)
        try:
            record["requestParameters"] = (
                redacted.data(params) if declared.data else declared.operation.redacted(params)
            ) or None
            record["resources"] = self._resources(declared, params)
        except Exception as error:  # a request that was refused may not have the form that its ARNs are made of
            log.debug("a refused request has no resources to tell", exc_info=error)
        if not isinstance(outcome, Fault):
            if not declared.data and (not record["readOnly"] or declared.operation.name == ASSUMED):
                record["responseElements"] = declared.operation.redacted_reply(outcome) or None
        else:
            record["errorCode"] = _error_code(outcome.code)
            if not declared.data:  # its text may repeat keys and values
                record["errorMessage"] = outcome.message[:1024]
        self._pending.append(_line(record))

    def refused(
        self,
        hosted: Hosted,
        operation: str,
        principal: Principal | None,
        params: Mapping[str, Any],
        fault: Fault,
        where: Mapping[str, str],
    ) -> None:
        """Record a request that failed, if it was for an operation that this cloud has."""
        declared = hosted.service.operations.get(operation)
        if declared is not None and (self.data or not declared.data):
            self.note(hosted, declared, principal, params, fault, where)

    def _record(
        self, hosted: Hosted, declared: Declared, principal: Principal | None, where: Mapping[str, str]
    ) -> dict[str, Any]:
        clock, name = self._region.clock, declared.operation.name
        return {
            "eventVersion": "1.11",
            "userIdentity": _identity(principal, where),
            "eventTime": datetime.fromtimestamp(clock.now_s(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": f"{hosted.service.model.endpoint_prefix}.amazonaws.com",
            "eventName": name,
            "awsRegion": self._region.name,
            "sourceIPAddress": where["sourceIPAddress"],
            "userAgent": where["userAgent"][:1024],
            "requestParameters": None,
            "responseElements": None,
            "requestID": where["requestID"],
            "eventID": self._region.entropy.uuid(),
            "readOnly": name.startswith(READ_ONLY),
            "eventType": "AwsApiCall",
            "managementEvent": not declared.data,
            "recipientAccountId": self._region.account_id,
            "eventCategory": "Data" if declared.data else "Management",
            **({"tlsDetails": {name: where[name][:1024] for name in TLS}} if TLS[0] in where else {}),
        }

    def _resources(self, declared: Declared, params: Mapping[str, Any]) -> list[dict[str, str]]:
        arns = dict.fromkeys(arn for _, arn in declared.targets(params, self._region) if arn.startswith("arn:"))
        return [{"accountId": self._region.account_id, "ARN": arn} for arn in list(arns)[:50]]

    # files

    async def keep_writing(self) -> None:
        """Write what is pending, every second."""
        while True:
            await self._region.clock.sleep(FLUSH_S)
            self.flush()

    def flush(self) -> None:
        """Append what is pending; a disk that refuses costs records, never requests."""
        pending, self._pending = self._pending, []
        if self._dropped:
            log.warning("the audit trail of %s lost %d records of one second", self._region.name, self._dropped)
            self._dropped = 0
        if not pending:
            return
        try:
            self._append(b"\n".join(pending) + b"\n")
            self._broken = False
        except OSError as error:
            if not self._broken:
                log.warning("the audit trail of %s cannot be written: %s", self._region.name, error)
            self._broken = True

    def _append(self, text: bytes) -> None:
        if self._file is None or self._n_bytes > FILE_BYTES:
            self._open_next()
        assert self._file is not None
        self._file.append(text)
        self._n_bytes += len(text)

    def _open_next(self) -> None:
        """Begin a file of its own for every start and every few megabytes; the oldest go."""
        self._disk.make_folder(self._folder)
        known = self._numbers()
        if self._file is not None:
            self._file.close()
        for number in known[: len(known) - MOST_FILES + 1] if len(known) >= MOST_FILES else ():
            self._disk.remove(self._path(number))
        self._number = max(known, default=0) + 1
        self._file, self._n_bytes = self._disk.append_to(self._path(self._number)), 0

    def _numbers(self) -> list[int]:
        names = (name.removesuffix(".jsonl") for name in self._disk.names(self._folder) if name.endswith(".jsonl"))
        return sorted(int(name) for name in names if name.isdigit())

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08d}.jsonl"

    def close(self) -> None:
        """Write the rest."""
        self.flush()
        if self._file is not None:
            self._file.close()

    # looking

    async def look(
        self, start_s: float | None, end_s: float | None, attribute: tuple[str, str] | None, most: int, token: str
    ) -> Seen:
        """See `outlast.cloud.contract.trail.Trail`."""
        self.flush()
        return await asyncio.to_thread(self._look, start_s, end_s, attribute, most, _place(token))

    def _look(
        self,
        start_s: float | None,
        end_s: float | None,
        attribute: tuple[str, str] | None,
        most: int,
        place: tuple[int, int] | None,
    ) -> Seen:
        first, last = _moment(start_s), _moment(end_s)
        found: list[Mapping[str, Any]] = []
        for number, line, record in self._backwards(place):
            at = record["eventTime"]
            if (first and at < first) or (last and at > last) or not record["managementEvent"]:
                continue
            if attribute is not None and not matches(record, *attribute):
                continue
            if len(found) == most:
                return Seen(found, base64.urlsafe_b64encode(f"{number}:{line + 1}".encode()).decode())
            found.append({**record, "username": username(record)})
        return Seen(found)

    def _backwards(self, place: tuple[int, int] | None) -> Iterator[tuple[int, int, dict[str, Any]]]:
        """(file, line, record), newest first, from the line before `place`."""
        for number in reversed(self._numbers()):
            if place is not None and number > place[0]:
                continue
            lines = self._disk.read(self._path(number)).split(b"\n")[:-1]
            if place is not None and number == place[0]:
                lines = lines[: place[1]]
            for line in range(len(lines) - 1, -1, -1):
                try:
                    yield number, line, orjson.loads(lines[line])
                except orjson.JSONDecodeError:  # the end of a file that a crash cut short
                    continue


def _line(record: dict[str, Any]) -> bytes:
    """The record as it is kept; parameters that no JSON holds (a number beyond 64 bits) are left out."""
    try:
        return orjson.dumps(record, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        bare = {**record, "requestParameters": None, "responseElements": None}
        return orjson.dumps(bare, option=orjson.OPT_NON_STR_KEYS)


def matches(record: Mapping[str, Any], key: str, value: str) -> bool:
    """Whether a record has the attribute of LookupEvents."""
    if key in ATTRIBUTES:
        return bool(record[ATTRIBUTES[key]] == value)
    if key == "ReadOnly":
        return str(record["readOnly"]).lower() == value.lower()
    if key == "AccessKeyId":
        return bool(record["userIdentity"].get("accessKeyId") == value)
    if key == "Username":
        return username(record) == value
    return any(value in (each["ARN"], _name(each["ARN"])) for each in record.get("resources") or ())


def username(record: Mapping[str, Any]) -> str:
    """Whom LookupEvents names: the user, `root`, or the session of a role."""
    who = record["userIdentity"]
    if who["type"] == "Root":
        return "root"
    if who["type"] == "AssumedRole":
        return str(who["arn"]).rpartition("/")[2]
    return str(who.get("userName") or who.get("invokedBy") or "")


def _name(arn: str) -> str:
    return arn.split(":", 5)[-1].rpartition("/")[2].rpartition(":")[2]


def _identity(principal: Principal | None, where: Mapping[str, str]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html"""
    if principal is None or principal.kind == "anonymous":
        key = where.get("accessKeyId", "")
        return {"type": "Unknown", **({"accessKeyId": key} if key else {})}
    if principal.kind in ("service", "service-linked"):
        name = principal.arn if principal.kind == "service" else f"{principal.user_id}.amazonaws.com"
        return {"type": "AWSService", "invokedBy": name}
    identity: dict[str, Any] = {
        "type": {"root": "Root", "user": "IAMUser"}.get(principal.kind, "AssumedRole"),
        "principalId": principal.user_id or principal.account_id,
        "arn": principal.arn,
        "accountId": principal.account_id,
        "accessKeyId": principal.access_key_id,
    }
    if principal.kind == "user":
        identity["userName"] = principal.arn.rpartition("/")[2]
    if principal.role_arn:
        identity["sessionContext"] = {
            "sessionIssuer": {
                "type": "Role",
                "principalId": principal.user_id.partition(":")[0],
                "arn": principal.role_arn,
                "accountId": principal.account_id,
                "userName": principal.role_arn.rpartition("/")[2],
            },
            "attributes": {"mfaAuthenticated": "false"},
        }
    return identity


def _error_code(code: str) -> str:
    return "AccessDenied" if code in ("AccessDeniedException", "UnauthorizedException") else code


def _moment(at_s: float | None) -> str:
    return "" if at_s is None else datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _place(token: str) -> tuple[int, int] | None:
    if not token:
        return None
    number, colon, line = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
    if not colon:
        raise ValueError("no token of this trail")
    return int(number), int(line)
