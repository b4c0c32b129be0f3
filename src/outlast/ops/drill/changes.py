"""Faults that people make: a bad release, a limit that is too low. They are changes of the application, made and taken
back by its own APIs, so they are the same on AWS.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.clients import Clients, again, error_code
from outlast.ops.deployment import Deployment
from outlast.ops.drill.faults import Faults, Running
from outlast.ops.drill.file import FaultPlan
from outlast.ops.outcome import OpsError, UsageError

BAD_RELEASE: Final = "bad-release"
LOW_LIMIT: Final = "low-limit"
CHANGES: Final = frozenset({BAD_RELEASE, LOW_LIMIT})
BROKEN: Final = 'def handler(event, context):\n    raise RuntimeError("a bad release")\n'
EVERY_METHOD: Final = "/*/*/throttling"


@dataclass(slots=True)
class WithChanges:
    """Faults of the world, and those that people make; told apart by their kind."""

    world: Faults
    clients: Clients
    deployment: Deployment
    _before: dict[str, tuple[FaultPlan, str, Any]] = field(default_factory=dict)

    def begin(self, fault: FaultPlan, regions: Sequence[str], duration_s: float) -> Running:
        """Begin it. A change does not end by itself: whoever begins it ends it. Raises OpsError."""
        if fault.kind not in CHANGES:
            return self.world.begin(fault, regions, duration_s)
        if len(regions) != 1:
            raise UsageError(f"{fault.kind} is about one Region.")
        begin = self._release if fault.kind == BAD_RELEASE else self._lower
        try:
            before = begin(fault, regions[0])
        except (ClientError, BotoCoreError) as error:
            raise OpsError(f"The fault {fault.kind} could not be begun: {error_code(error)} {error}") from error
        ident = f"{fault.kind}-{regions[0]}"
        self._before[ident] = (fault, regions[0], before)
        return Running(ident, f"{fault.kind} in {regions[0]}")

    def end(self, running: Running) -> None:
        """Put back what there was before. Raises OpsError."""
        held = self._before.get(running.ident)
        if held is None:
            self.world.end(running)
            return
        fault, region, before = held
        try:
            (self._take_back if fault.kind == BAD_RELEASE else self._raise)(region, before)
        except (ClientError, BotoCoreError) as error:
            raise OpsError(f"{running.what} could not be taken back: {error_code(error)} {error}") from error
        del self._before[running.ident]

    def _release(self, fault: FaultPlan, region: str) -> tuple[str, str, str]:
        """Publish code that fails and point the alias to it; alias, version before, bad version."""
        part, client = self.deployment.region(region), self.clients.of("lambda", region)
        aliases = again(lambda: client.list_aliases(FunctionName=part.function))["Aliases"]
        if len(aliases) != 1:
            raise OpsError(f"{part.function} in {region} has {len(aliases)} aliases; a bad release needs one.")
        alias, good = str(aliases[0]["Name"]), str(aliases[0]["FunctionVersion"])
        settings = again(lambda: client.get_function_configuration(FunctionName=part.function))
        module = str(settings["Handler"]).rpartition(".")[0].replace(".", "/")
        again(lambda: client.update_function_code(FunctionName=part.function, ZipFile=_archive(f"{module}.py")))
        client.get_waiter("function_updated_v2").wait(FunctionName=part.function)
        bad = str(again(lambda: client.publish_version(FunctionName=part.function))["Version"])
        again(lambda: client.update_alias(FunctionName=part.function, Name=alias, FunctionVersion=bad))
        return alias, good, bad

    def _take_back(self, region: str, before: tuple[str, str, str]) -> None:
        """The alias first, then the code: the good version says in its description which archive it came from."""
        alias, good, bad = before
        part, client = self.deployment.region(region), self.clients.of("lambda", region)
        again(lambda: client.update_alias(FunctionName=part.function, Name=alias, FunctionVersion=good))
        settings = again(lambda: client.get_function_configuration(FunctionName=part.function, Qualifier=good))
        key = str(settings.get("Description", ""))
        again(lambda: client.update_function_code(FunctionName=part.function, S3Bucket=part.code_bucket, S3Key=key))
        again(lambda: client.delete_function(FunctionName=part.function, Qualifier=bad))

    def _lower(self, fault: FaultPlan, region: str) -> dict[str, Any]:
        """Let the stage take `rate_per_s` requests a second and no more; the settings before."""
        rate = fault.parameters.get("rate_per_s")
        if not isinstance(rate, (int, float)) or rate <= 0:
            raise UsageError(f"{LOW_LIMIT} needs the parameter rate_per_s, over 0.")
        part, client = self.deployment.region(region), self.clients.of("apigateway", region)
        stage = again(lambda: client.get_stage(restApiId=part.api_id, stageName=part.stage))
        before: dict[str, Any] = stage.get("methodSettings", {}).get("*/*", {})
        self._limit(region, float(rate), int(rate))
        return before

    def _raise(self, region: str, before: dict[str, Any]) -> None:
        self._limit(region, float(before["throttlingRateLimit"]), int(before["throttlingBurstLimit"]))

    def _limit(self, region: str, rate: float, burst: int) -> None:
        part, client = self.deployment.region(region), self.clients.of("apigateway", region)
        operations = [
            {"op": "replace", "path": f"{EVERY_METHOD}/rateLimit", "value": f"{rate:g}"},
            {"op": "replace", "path": f"{EVERY_METHOD}/burstLimit", "value": str(burst)},
        ]
        again(lambda: client.update_stage(restApiId=part.api_id, stageName=part.stage, patchOperations=operations))


def _archive(path: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in range(1, path.count("/") + 1):
            archive.writestr("/".join(path.split("/")[:folder]) + "/__init__.py", "")
        archive.writestr(path, BROKEN)
    return held.getvalue()
