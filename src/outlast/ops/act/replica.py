"""An evacuation without an end: a replica is removed, so that the survivor's writes wait for nobody, and rebuilt later.

Removing keeps the Region's last items where the Region still answers; DynamoDB makes a table of its own of it, or
deletes it: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables.tutorial.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.act.audit import AuditLog
from outlast.ops.clients import Clients, again, error_code
from outlast.ops.deployment import Deployment
from outlast.ops.outcome import OpsError, RefusedError
from outlast.ops.plan.evacuation import Check

POLL_S: Final = 1.0
LIMIT_S: Final = 3600.0


@dataclass(slots=True)
class Replicas:
    """Removes and rebuilds a Region's replicas, from a survivor. Each step may be interrupted and repeated."""

    clients: Clients
    deployment: Deployment
    audit: AuditLog
    tell: Callable[[str], None] = lambda _: None
    sleep: Callable[[float], None] = time.sleep
    limit_s: float = LIMIT_S

    def check(self, region: str, states: Mapping[str, bool]) -> None:
        """Raise RefusedError unless `region` is evacuated and another Region is not."""
        if states.get(region) is not False:
            raise RefusedError(f"{region} serves customers: `outlast evacuate {region}` first.")
        if not any(on for other, on in states.items() if other != region):
            raise RefusedError("No other Region is on.")

    def plan(self, region: str, verb: str, alone: Mapping[str, int] | None = None) -> list[Check]:
        """What will be done to each table. `alone`: acknowledged writes that the Region alone holds, by table; None:
        nobody knows. Raises OpsError."""
        survivor = self.deployment.others(region)[0].name
        found = []
        for name in self._tables():
            there = self._status(self.clients.of("dynamodb", survivor), name, region) is not None
            if there == (verb == "rebuild"):
                found.append(Check(name, "fine", "is there already" if there else "is not there any more"))
            elif verb == "rebuild":
                found.append(Check(name, "fine", f"is made anew in {region}, with every item that {survivor} has"))
            elif alone is None:
                told = f"leaves {region}; how many writes are there alone is not known: they are given up"
                found.append(Check(name, "unknown", told))
            else:
                lost = alone.get(name, 0)
                told = f"leaves {region}; {lost} acknowledged writes that are there alone are given up"
                found.append(Check(name, "warning" if lost else "fine", told))
        return found

    def remove(self, region: str) -> list[str]:
        """Remove every table's replica there; the names of those that were there. Raises OpsError."""
        return [name for name in self._tables() if self._one(name, region, "Delete")]

    def rebuild(self, region: str) -> list[str]:
        """Make every table's replica there anew; the names of those that were not there. Raises OpsError."""
        return [name for name in self._tables() if self._one(name, region, "Create")]

    def _tables(self) -> Iterator[str]:
        tables = self.deployment.tables
        yield from (tables.customers, tables.products, tables.orders)

    def _one(self, name: str, region: str, action: str) -> bool:
        client = self.clients.of("dynamodb", self.deployment.others(region)[0].name)
        status = self._status(client, name, region)
        if (status is None) == (action == "Delete"):
            self.tell(f"{name}: {'is not there' if action == 'Delete' else 'is there already'}")
            return False
        if status in (None, "ACTIVE"):
            if action == "Delete":
                self._unprotect(name, region)
            self.audit.add(f"replica {action.lower()}", table=name, region=region)
            update = {"TableName": name, "ReplicaUpdates": [{action: {"RegionName": region}}]}
            try:
                again(lambda: client.update_table(**update), passing=_passes, sleep=self.sleep)
            except (ClientError, BotoCoreError) as error:
                raise OpsError(f"{name}'s replica in {region}: {error_code(error)} {error}") from error
        self._until(client, name, region, "ACTIVE" if action == "Create" else None)
        if action == "Create":
            self._guard(name, region, client)
        self.tell(f"{name}: {'gone' if action == 'Delete' else 'rebuilt'}")
        return True

    def _unprotect(self, name: str, region: str) -> None:
        """Take the replica's protection against deletion away, where the Region still answers."""
        client = self.clients.of("dynamodb", region)
        try:
            if client.describe_table(TableName=name)["Table"].get("DeletionProtectionEnabled"):
                client.update_table(TableName=name, DeletionProtectionEnabled=False)
        except (ClientError, BotoCoreError) as error:
            self.tell(f"{name}: {region} does not answer ({error_code(error)}); its protection stays as it is")

    def _guard(self, name: str, region: str, survivor: Any) -> None:
        """Give a new replica what its table does not bring along: the survivor's protection and recovery."""
        client = self.clients.of("dynamodb", region)
        try:
            backups = again(lambda: survivor.describe_continuous_backups(TableName=name))[
                "ContinuousBackupsDescription"
            ]
            recovery = (backups.get("PointInTimeRecoveryDescription") or {}).get("PointInTimeRecoveryStatus")
            if recovery == "ENABLED":
                wanted = {"PointInTimeRecoveryEnabled": True}
                again(
                    lambda: client.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=wanted),
                    passing=_passes,
                    sleep=self.sleep,
                )
            if again(lambda: survivor.describe_table(TableName=name))["Table"].get("DeletionProtectionEnabled"):
                again(
                    lambda: client.update_table(TableName=name, DeletionProtectionEnabled=True),
                    passing=_passes,
                    sleep=self.sleep,
                )
        except (ClientError, BotoCoreError) as error:
            self.tell(f"{name}: not protected in {region} as elsewhere ({error_code(error)}); see `outlast doctor`")

    def _until(self, client: Any, name: str, region: str, wanted: str | None) -> None:
        waited_s = 0.0
        while (status := self._status(client, name, region)) != wanted:
            if status and status.endswith("_FAILED"):
                raise OpsError(f"{name}'s replica in {region} is {status}.")
            if waited_s >= self.limit_s:
                raise OpsError(f"{name}'s replica in {region} is {status} after {waited_s:.0f} s; repeat to wait on.")
            self.sleep(POLL_S)
            waited_s += POLL_S

    def _status(self, client: Any, name: str, region: str) -> str | None:
        """The state of the replica; None when there is none."""
        try:
            table = again(lambda: client.describe_table(TableName=name), sleep=self.sleep)["Table"]
        except (ClientError, BotoCoreError) as error:
            raise OpsError(f"{name} cannot be looked at: {error_code(error)}.") from error
        for replica in table.get("Replicas") or []:
            if replica["RegionName"] == region:
                return str(replica.get("ReplicaStatus", "ACTIVE"))
        return None


def _passes(error: BaseException) -> bool:
    """A table that is being updated already takes the next change a moment later."""
    return error_code(error) in ("ResourceInUseException", "LimitExceededException", "ThrottlingException")
