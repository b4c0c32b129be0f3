"""What a drill changes, and how it is put back, also when the drill is killed.

Faults of the world, evacuations, and faults that people make. A bad release and a limit that is too low are changes
of the application, made and taken back by its own APIs, so they are the same on AWS.
"""

from __future__ import annotations

import asyncio
import io
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.act.audit import AuditLog
from outlast.ops.act.boards import board_of
from outlast.ops.act.patience import UNKNOWN_S, patiently
from outlast.ops.act.weights import Weights
from outlast.ops.clients import Clients, again, error_code
from outlast.ops.deployment import Deployment
from outlast.ops.drill.faults import Running, Traceable
from outlast.ops.drill.file import FaultPlan
from outlast.ops.drill.journal import Change, Journal
from outlast.ops.outcome import OpsError, UsageError

Note = Callable[[Mapping[str, Any]], None]

BAD_RELEASE: Final = "bad-release"
LOW_LIMIT: Final = "low-limit"
CHANGES: Final = frozenset({BAD_RELEASE, LOW_LIMIT})
EVACUATION: Final = "evacuation"
BROKEN: Final = 'def handler(event, context):\n    raise RuntimeError("a bad release")\n'
EVERY_METHOD: Final = "/*/*/throttling"


@dataclass(slots=True)
class WithChanges:
    """Faults of the world, and those that people make; told apart by their kind.

    `journal` knows what there was before, also after the process that made a change was killed.
    """

    world: Traceable
    clients: Clients
    deployment: Deployment
    journal: Journal = field(default_factory=Journal)

    def begin(self, fault: FaultPlan, regions: Sequence[str], duration_s: float) -> Running:
        """Begin it. A change does not end by itself: whoever begins it ends it. Raises OpsError."""
        if fault.kind not in CHANGES:
            return self._begin_in_world(fault, regions, duration_s)
        if len(regions) != 1:
            raise UsageError(f"{fault.kind} is about one Region.")
        begin = self._release if fault.kind == BAD_RELEASE else self._lower
        ident = f"{fault.kind}-{regions[0]}"
        if ident in self.journal.read():
            raise OpsError(f"{fault.kind} in {regions[0]} was not taken back yet: `outlast drill --clean-up`.")
        try:
            begin(fault, regions[0], lambda before: self.journal.put(ident, fault.kind, regions[0], before))
        except (ClientError, BotoCoreError) as error:
            raise OpsError(f"The fault {fault.kind} could not be begun: {error_code(error)} {error}") from error
        return Running(ident, f"{fault.kind} in {regions[0]}")

    def end(self, running: Running) -> None:
        """Put back what there was before. Raises OpsError."""
        held = self.journal.read().get(running.ident)
        if held is None or held.kind not in CHANGES:
            self.world.end(running)
            self.journal.drop(running.ident)
            return
        try:
            (self._take_back if held.kind == BAD_RELEASE else self._raise)(held.region, held.before)
        except (ClientError, BotoCoreError) as error:
            raise OpsError(f"{running.what} could not be taken back: {error_code(error)} {error}") from error
        self.journal.drop(running.ident)

    def clean_up(self, audit: AuditLog) -> list[str]:
        """Put back what drills that were killed have left; what was put back, in words.

        Called while the world is held: no other drill is under way. One that cannot be put back keeps none of the
        others; the first is raised afterwards, as OpsError or botocore's error.
        """
        done: list[str] = []
        trouble: Exception | None = None
        for ident, change in self.journal.read().items():
            try:
                self._put_back(ident, change)
                done.append(change.what)
                audit.add("change taken back", what=change.what, why="its drill was killed")
            except (KeyError, TypeError, ValueError) as error:
                told = (
                    f"What is noted of {change.what} in {self.journal.path} is damaged ({error!r}): put it back by hand"
                )
                trouble = trouble or OpsError(f"{told}, then take it out of that file.")
            except (OpsError, ClientError, BotoCoreError) as error:
                trouble = trouble or error
        if trouble is not None:
            raise trouble
        return done

    def _put_back(self, ident: str, change: Change) -> None:
        if change.kind == EVACUATION:
            self._bring_home(change.region)
            self.journal.drop(ident)
        elif "asked_s" in change.before:
            self._end_all(change.what, float(change.before["asked_s"]))
            self.journal.drop(ident)
        else:
            self.end(Running(ident, change.what))

    def _begin_in_world(self, fault: FaultPlan, regions: Sequence[str], duration_s: float) -> Running:
        """Noted before it is asked for, by its words; and by its ident once that is known."""
        what, asked_s = f"{fault.kind} in {', '.join(regions)}", time.time()
        draft = f"{what}, asked for at {asked_s}"
        self.journal.put(draft, fault.kind, ", ".join(regions), {"asked_s": asked_s})
        try:
            running = self.world.begin(fault, regions, duration_s)
        except OpsError as refused:
            try:
                self._end_all(what, asked_s)
            except (OpsError, ClientError, BotoCoreError) as error:
                told = f"{refused} Whether it began is not known ({error_code(error)}): `outlast drill --clean-up`."
                raise OpsError(told) from refused  # the note stays
            self.journal.drop(draft)
            raise
        self.journal.put(running.ident, fault.kind, ", ".join(regions), {})
        self.journal.drop(draft)
        return running

    def _end_all(self, what: str, asked_s: float) -> None:
        """End what may have been begun without anybody hearing of it."""
        for running in self.world.under_way(what, asked_s):
            self.world.end(running)

    def _bring_home(self, region: str) -> None:
        """Give a Region that a drill had evacuated its traffic again."""
        Weights(self.clients, self.deployment).set(region, 100)
        board, on = board_of(None, self.clients, self.deployment), dict.fromkeys(self.deployment.region_names, True)
        asyncio.run(patiently(lambda: board.set(on), UNKNOWN_S))

    def _release(self, fault: FaultPlan, region: str, note: Note) -> None:
        """Publish code that fails and point the alias to it; noted: alias, version before, bad version once known."""
        part, client = self.deployment.region(region), self.clients.of("lambda", region)
        aliases = again(lambda: client.list_aliases(FunctionName=part.function))["Aliases"]
        if len(aliases) != 1:
            raise OpsError(f"{part.function} in {region} has {len(aliases)} aliases; a bad release needs one.")
        alias, good = str(aliases[0]["Name"]), str(aliases[0]["FunctionVersion"])
        settings = again(lambda: client.get_function_configuration(FunctionName=part.function))
        module = str(settings["Handler"]).rpartition(".")[0].replace(".", "/")
        note({"alias": alias, "good": good, "bad": ""})
        again(lambda: client.update_function_code(FunctionName=part.function, ZipFile=_archive(f"{module}.py")))
        client.get_waiter("function_updated_v2").wait(FunctionName=part.function)
        bad = str(again(lambda: client.publish_version(FunctionName=part.function))["Version"])
        note({"alias": alias, "good": good, "bad": bad})
        again(lambda: client.update_alias(FunctionName=part.function, Name=alias, FunctionVersion=bad))

    def _take_back(self, region: str, before: Mapping[str, Any]) -> None:
        """The alias first, then the code: the good version says in its description which archive it came from.

        A bad version that was not noted, because its drill was killed in between, stays; nothing leads to it.
        """
        alias, good, bad = before["alias"], before["good"], before["bad"]
        part, client = self.deployment.region(region), self.clients.of("lambda", region)
        again(lambda: client.update_alias(FunctionName=part.function, Name=alias, FunctionVersion=good))
        settings = again(lambda: client.get_function_configuration(FunctionName=part.function, Qualifier=good))
        key = str(settings.get("Description", ""))
        again(lambda: client.update_function_code(FunctionName=part.function, S3Bucket=part.code_bucket, S3Key=key))
        if bad:
            again(lambda: client.delete_function(FunctionName=part.function, Qualifier=bad))

    def _lower(self, fault: FaultPlan, region: str, note: Note) -> None:
        """Let the stage take `rate_per_s` requests a second and no more; noted: the settings before."""
        rate = fault.parameters.get("rate_per_s")
        if not isinstance(rate, (int, float)) or rate <= 0:
            raise UsageError(f"{LOW_LIMIT} needs the parameter rate_per_s, over 0.")
        part, client = self.deployment.region(region), self.clients.of("apigateway", region)
        stage = again(lambda: client.get_stage(restApiId=part.api_id, stageName=part.stage))
        before: dict[str, Any] = stage.get("methodSettings", {}).get("*/*", {})
        note({name: before[name] for name in ("throttlingRateLimit", "throttlingBurstLimit")})
        self._limit(region, float(rate), int(rate))

    def _raise(self, region: str, before: Mapping[str, Any]) -> None:
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
