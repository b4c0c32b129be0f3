"""Refusing at the gateway: the evacuated Region's stage lets nothing in, so that clients which outlive their DNS
answers notice and ask again. What it let in before is kept on the stage, as a stage variable, until it is let in again.

It uses the control plane of the Region that is left, which may be down: then it is told and nothing depends on it.
https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateStage.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.clients import Clients, again, error_code
from outlast.ops.deployment import Deployment
from outlast.ops.outcome import OpsError

EVERY_METHOD: Final = "*/*"
VARIABLE: Final = "outlastAdmits"


@dataclass(slots=True)
class Gateway:
    """The stage of each Region's API."""

    clients: Clients
    deployment: Deployment

    def refuses(self, region: str) -> bool:
        """Whether the Region's stage was told to let nothing in. Raises OpsError."""
        return VARIABLE in (self._stage(region).get("variables") or {})

    def refuse(self, region: str) -> None:
        """Let nothing in; safe to repeat. Raises OpsError."""
        stage = self._stage(region)
        if VARIABLE in (stage.get("variables") or {}):
            return
        held = (stage.get("methodSettings") or {}).get(EVERY_METHOD, {})
        rate, burst = held.get("throttlingRateLimit"), held.get("throttlingBurstLimit")
        if rate is None or burst is None:
            raise OpsError(f"The stage in {region} has no throttle of its own that could be put back later.")
        self._change(region, 0, 0, {"op": "replace", "path": f"/variables/{VARIABLE}", "value": f"{rate:g}-{burst}"})

    def admit(self, region: str) -> bool:
        """Let in what was let in before; False when nothing was refused. Raises OpsError."""
        kept = (self._stage(region).get("variables") or {}).get(VARIABLE)
        if kept is None:
            return False
        rate, _, burst = str(kept).partition("-")
        self._change(region, float(rate), int(burst), {"op": "remove", "path": f"/variables/{VARIABLE}"})
        return True

    def _stage(self, region: str) -> Any:
        part, client = self.deployment.region(region), self.clients.of("apigateway", region)
        try:
            return again(lambda: client.get_stage(restApiId=part.api_id, stageName=part.stage), tries=2)
        except (ClientError, BotoCoreError) as error:
            raise OpsError(f"The stage in {region} cannot be read: {error_code(error)}.") from error

    def _change(self, region: str, rate: float, burst: int, variable: dict[str, str]) -> None:
        part, client = self.deployment.region(region), self.clients.of("apigateway", region)
        operations = [
            {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": f"{rate:g}"},
            {"op": "replace", "path": "/*/*/throttling/burstLimit", "value": str(burst)},
            variable,
        ]
        try:
            again(
                lambda: client.update_stage(restApiId=part.api_id, stageName=part.stage, patchOperations=operations),
                tries=2,
            )
        except (ClientError, BotoCoreError) as error:
            raise OpsError(f"The stage in {region} cannot be changed: {error_code(error)}.") from error
