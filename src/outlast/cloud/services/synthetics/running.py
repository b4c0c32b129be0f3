"""One run of a canary: its function invoked, its outcome measured, its artifacts kept."""

from __future__ import annotations

import base64
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from outlast.cloud.contract import Fault, Principal
from outlast.cloud.services.synthetics import artifacts
from outlast.cloud.services.synthetics.model import Canary, Run

if TYPE_CHECKING:
    from outlast.cloud.services.synthetics.state import CanaryState

NAMESPACE: Final = "CloudWatchSynthetics"
OWN_ERRORS: Final = ("Runtime.", "Sandbox.", "Function.")
SESSION_S: Final = 3600
MARGIN_S: Final = 300.0

log = logging.getLogger("outlast.synthetics")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the function answered. `own` says that the canary could not be run, rather than that its check failed."""

    passed: bool
    reason: str = ""
    own: bool = False
    log: str = ""


async def run(state: CanaryState, canary: Canary) -> None:
    """Run a canary once, again for each retry while it fails, and note what came of it."""
    scheduled = state.region.entropy.uuid()
    for attempt in range(canary.max_retries + 1):
        ident = scheduled if attempt == 0 else state.region.entropy.uuid()
        started = Run(ident, canary.name, scheduled, state.region.clock.now_s(), attempt)
        state.note(started)
        began_s = state.region.clock.monotonic_s()
        outcome = await _invoke(state, canary, started)
        duration_ms = (state.region.clock.monotonic_s() - began_s) * 1000
        ended = _ended(state, canary, started, outcome)
        last = outcome.passed or attempt == canary.max_retries
        if last:
            measure(state, canary, outcome, duration_ms)
        await _keep(state, canary, ended, outcome.log, duration_ms)
        state.note(ended)
        if last:
            return


async def _invoke(state: CanaryState, canary: Canary, this: Run) -> Outcome:
    region = state.region
    event = {
        "canaryName": canary.name,
        "canaryRunId": this.id,
        "customerCanaryHandlerName": canary.handler,
        "s3BaseFilePath": canary.artifacts,
        "invocationTime": round(this.started_s * 1000),
    }
    params = {"FunctionName": canary.function, "Payload": orjson.dumps(event), "LogType": "Tail"}
    try:
        reply = await region.aws("lambda", "Invoke", params, principal=region.linked("synthetics"))
    except Fault as fault:
        return Outcome(False, f"{fault.code}: {fault.message}", own=True)
    text = base64.b64decode(reply.get("LogResult", "")).decode("utf-8", "replace")
    if not reply.get("FunctionError"):
        return Outcome(True, log=text)
    error = _error_of(bytes(reply.get("Payload") or b""))
    kind, message = str(error.get("errorType", "")), str(error.get("errorMessage", ""))
    own = kind.startswith(OWN_ERRORS)
    reason = message if own or kind in ("", "Exception") else f"{kind}: {message}"
    return Outcome(False, reason, own, text)


def _error_of(payload: bytes) -> dict[str, Any]:
    try:
        error = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return {}
    return error if isinstance(error, dict) else {}


def _ended(state: CanaryState, canary: Canary, this: Run, outcome: Outcome) -> Run:
    place = artifacts.location_of(canary, this, state.region.name)
    return replace(
        this,
        completed_s=state.region.clock.now_s(),
        state="PASSED" if outcome.passed else "FAILED",
        reason=outcome.reason,
        reason_code="" if outcome.passed else ("EXECUTION_FAILURE" if outcome.own else "CANARY_FAILURE"),
        artifacts=place.text,
    )


def measure(state: CanaryState, canary: Canary, outcome: Outcome, duration_ms: float) -> None:
    """Publish the run's metrics.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Synthetics_Canaries_metrics.html
    """
    meter, dimensions = state.region.meter, {"CanaryName": canary.name}
    meter.series(NAMESPACE, "SuccessPercent", dimensions, "Percent").add(100.0 if outcome.passed else 0.0)
    meter.series(NAMESPACE, "Duration", dimensions, "Milliseconds").add(round(duration_ms, 1))
    meter.series(NAMESPACE, "Failed", dimensions, "Count").add(0.0 if outcome.passed else 1.0)


async def _keep(state: CanaryState, canary: Canary, ended: Run, text: str, duration_ms: float) -> None:
    """Put the run's files into its bucket, as the canary's role; a run does not fail for want of them."""
    place = artifacts.location_of(canary, ended, state.region.name)
    try:
        principal = await role_principal(state, canary)
        for name, body in artifacts.files_of(canary, ended, text, duration_ms).items():
            params = {"Bucket": place.bucket, "Key": place.prefix + name, "Body": body}
            await state.region.aws("s3", "PutObject", params, principal=principal)
    except Fault as fault:
        state.lost_artifacts += 1
        log.debug("the artifacts of %s were not kept: %s", canary.name, fault)


async def role_principal(state: CanaryState, canary: Canary) -> Principal:
    """A session of the canary's role, as its function has; kept while it lasts. Raises Fault."""
    now_s = state.region.clock.now_s()
    known = state.sessions.get(canary.role)
    if known is not None and known[1] - now_s > MARGIN_S:
        return known[0]
    params = {"RoleArn": canary.role, "RoleSessionName": canary.function, "DurationSeconds": SESSION_S}
    service = state.region.service_principal("lambda")
    reply = await state.region.aws("sts", "AssumeRole", params, principal=service)
    user = reply["AssumedRoleUser"]
    principal = Principal(
        kind="assumed-role",
        arn=user["Arn"],
        account_id=state.region.account_id,
        user_id=user["AssumedRoleId"],
        role_arn=canary.role,
        issued_s=state.region.clock.now_ms() // 1000,
    )
    state.sessions[canary.role] = (principal, float(reply["Credentials"]["Expiration"]))
    return principal
