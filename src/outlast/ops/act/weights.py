"""The weighted pair behind each Region's answer: home and away. Route 53's control plane; never used to evacuate.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from outlast.ops.clients import Clients, again
from outlast.ops.deployment import Deployment
from outlast.ops.outcome import OpsError

ROUTE53_REGION: Final = "us-east-1"
FULL: Final = 100
LIMIT_S: Final = 60.0


@dataclass(slots=True)
class Weights:
    """Reads and sets a Region's pair; `percent` is home's share."""

    clients: Clients
    deployment: Deployment
    sleep: Callable[[float], None] = time.sleep
    poll_s: float = 0.2
    _client: Any = field(default=None, init=False)

    def percent(self, region: str) -> int:
        """Home's share in per cent now."""
        weights = {record["SetIdentifier"]: int(record["Weight"]) for record in self._pair(region)}
        total = sum(weights.values())
        return round(100 * weights.get("home", 0) / total) if total else 0

    def set(self, region: str, percent: int) -> None:
        """Give home `percent` of the pair, and wait until all name servers know. Raises OpsError."""
        changes: list[dict[str, Any]] = []
        for record in self._pair(region):
            weight = percent if record["SetIdentifier"] == "home" else FULL - percent
            changes.append({"Action": "UPSERT", "ResourceRecordSet": {**record, "Weight": weight}})
        if {change["ResourceRecordSet"]["SetIdentifier"] for change in changes} != {"home", "away"}:
            raise OpsError(f"{region}.{self.deployment.service_name} is not a pair of home and away records.")
        batch = {"Comment": f"{region} gets {percent} %", "Changes": changes}
        answer = again(
            lambda: self._route53().change_resource_record_sets(
                HostedZoneId=self.deployment.zone_id, ChangeBatch=batch
            ),
            sleep=self.sleep,
        )
        self._wait(answer["ChangeInfo"])

    def _wait(self, change: dict[str, Any]) -> None:
        waited_s = 0.0
        while change["Status"] != "INSYNC":
            if waited_s > LIMIT_S:
                raise OpsError(f"The change of weights was not known everywhere after {LIMIT_S:.0f} s.")
            self.sleep(self.poll_s)
            waited_s += self.poll_s
            ident = change["Id"]
            change = again(partial(self._route53().get_change, Id=ident), sleep=self.sleep)["ChangeInfo"]

    def _pair(self, region: str) -> list[dict[str, Any]]:
        name = f"{region}.{self.deployment.service_name}."
        answer = again(
            lambda: self._route53().list_resource_record_sets(
                HostedZoneId=self.deployment.zone_id, StartRecordName=name, StartRecordType="CNAME", MaxItems="10"
            ),
            sleep=self.sleep,
        )
        return [
            record
            for record in answer["ResourceRecordSets"]
            if record["Name"] == name and record.get("SetIdentifier") in ("home", "away")
        ]

    def _route53(self) -> Any:
        if self._client is None:
            self._client = self.clients.of("route53", ROUTE53_REGION)
        return self._client
