"""Running one event: concurrency, an environment, the handler, what is logged, metered and answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from outlast.cloud.contract import Fault
from outlast.cloud.runtime.environment import Fate, Outcome, Started
from outlast.cloud.runtime.frames import Invocation
from outlast.cloud.services.lambda_ import loglines
from outlast.cloud.services.lambda_.errors import ResourceConflictException, TooManyRequestsException
from outlast.cloud.services.lambda_.events import Event
from outlast.cloud.services.lambda_.events import Ran as EventRan
from outlast.cloud.services.lambda_.fleet import Worker
from outlast.cloud.services.lambda_.loglines import Line, Report
from outlast.cloud.services.lambda_.model import EventConfig, Version
from outlast.cloud.services.lambda_.names import Reference

if TYPE_CHECKING:
    from outlast.cloud.services.lambda_.state import Found, LambdaState


@dataclass(frozen=True, slots=True)
class Ran:
    """The answer to one event. `error` is the X-Amz-Function-Error header, empty when the handler returned."""

    payload: bytes
    error: str
    version: str
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Ask:
    """One event to run."""

    request_id: str
    payload: bytes
    client_context: str = ""
    trace_id: str = ""


async def run(state: LambdaState, found: Found, ask: Ask) -> Ran:
    """Run the event; raises TooManyRequestsException, ResourceConflictException, ServiceException, access denied."""
    version, name, qualifier = found.version, found.function.name, found.qualifier
    if version.state == "Pending":
        raise ResourceConflictException(
            "The operation cannot be performed at this time. The function is currently in the following state: Pending",
            Type="User",
        )
    try:
        state.concurrency.enter(name)
    except TooManyRequestsException:
        state.metering.throttled(name, qualifier)
        raise
    try:
        state.metering.started(name, qualifier, state.concurrency.running(name), state.concurrency.total)
        worker = await state.fleet.take(version)
        try:
            return await _in_worker(state, found, ask, worker)
        finally:
            state.fleet.give_back(worker, current=state.is_current(version))
    except TooManyRequestsException:
        state.metering.throttled(name, qualifier)
        raise
    finally:
        state.concurrency.leave(name)


async def _in_worker(state: LambdaState, found: Found, ask: Ask, worker: Worker) -> Ran:
    version = found.version
    now_ms = state.region.clock.now_ms()
    init_ms, worker.init_ms = worker.init_ms, None
    lines: list[Line] = []
    if init_ms is not None:
        lines.append((now_ms, loglines.init_start(version.runtime, state.region.name)))
    lines.append((now_ms, loglines.start(ask.request_id, version.number)))
    started = worker.environment.started
    if init_ms is not None and started is not None and not started.ok:
        outcome = _failed_start(started)
    else:
        arn = state.arn(Reference(found.function.name, found.qualifier))
        request = Invocation(ask.request_id, arn, float(version.timeout_s), ask.trace_id, ask.client_context)
        outcome = await worker.environment.invoke(request, ask.payload)
    payload, error_type = _payload(outcome, ask.request_id, version)
    lines += outcome.lines
    ended_ms = state.region.clock.now_ms()
    if outcome.fate is Fate.TIMED_OUT:
        lines.append((ended_ms, loglines.timed_out(ask.request_id, version.timeout_s, ended_ms)))
    lines.append((ended_ms, loglines.end(ask.request_id)))
    lines.append((ended_ms, _report(ask.request_id, outcome, version, init_ms, error_type).text()))
    failed = outcome.failed or bool(error_type)
    state.metering.ended(found.function.name, found.qualifier, outcome.duration_ms, failed=failed)
    state.shipper.add(worker.stream, lines)
    return Ran(payload, "Unhandled" if failed else "", version.number, lines)


def _failed_start(started: Started) -> Outcome:
    """A start that failed, as the outcome of the event that asked for it."""
    return Outcome(started.fate, True, started.body, started.init_ms, 0, (), started.status)


def _payload(outcome: Outcome, request_id: str, version: Version) -> tuple[bytes, str]:
    """The payload of the answer, and the error type when it is Lambda's own and not the handler's."""
    if outcome.fate is Fate.TIMED_OUT:
        kind, message = "Sandbox.Timedout", f"Task timed out after {version.timeout_s:.2f} seconds"
    elif outcome.fate is Fate.EXITED:
        how = f"signal: {_signal(-outcome.status)}" if outcome.status < 0 else f"exit status {outcome.status}"
        kind, message = "Runtime.ExitError", f"Runtime exited with error: {how}"
        if outcome.status == 0:
            message = "Runtime exited without providing a reason"
    else:
        return outcome.payload, ""
    text = f"RequestId: {request_id} Error: {message}"
    return orjson.dumps({"errorType": kind, "errorMessage": text}), kind


def _signal(number: int) -> str:
    return {6: "aborted", 9: "killed", 11: "segmentation fault", 15: "terminated"}.get(number, str(number))


def _report(request_id: str, outcome: Outcome, version: Version, init_ms: float | None, error_type: str) -> Report:
    status = ""
    if outcome.fate is Fate.TIMED_OUT:
        status, error_type = "timeout", ""
    elif error_type.startswith("Runtime."):
        status = "error"
    else:
        error_type = ""
    used = min(outcome.memory_mb, version.memory_mb)
    return Report(request_id, outcome.duration_ms, version.memory_mb, used, init_ms, status, error_type)


async def run_event(state: LambdaState, event: Event, payload: bytes) -> Event | None:
    """One attempt at an asynchronous event; the event as it goes on, or None when it is over."""
    reference = Reference(event.name, event.qualifier)
    retries = EventConfig()
    try:
        found = state.find(reference, state.region.entropy.uniform())
        retries = found.function.event_configs.get(event.qualifier or "", retries)
        ran = await run(state, found, Ask(event.request_id, payload, event.client_context))
        became = EventRan.FAILED if ran.error else EventRan.DONE
    except Fault as fault:
        became = EventRan.DONE if fault.code == "ResourceNotFoundException" else EventRan.REFUSED
    now_ms = state.region.clock.now_ms()
    return event.after(became, now_ms, retries.retries, retries.max_age_s)
