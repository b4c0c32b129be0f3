"""The operations of Synthetics, one function each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from outlast.cloud.contract import Call, Fault, Region, Reply
from outlast.cloud.services.synthetics import settings
from outlast.cloud.services.synthetics.errors import (
    BadRequestException,
    ConflictException,
    NotFoundException,
    ResourceNotFoundException,
    ValidationException,
)
from outlast.cloud.services.synthetics.model import DEFAULT_MEMORY_MB, DEFAULT_RETENTION_DAYS, Canary
from outlast.cloud.services.synthetics.service import synthetics
from outlast.cloud.services.synthetics.state import CanaryState

Item = TypeVar("Item")
CANARY: Final = "arn:aws:synthetics:{region}:{account}:canary:{Name}"
MAX_CANARIES: Final = 200
PAGE: Final = 20
MAX_TAGS: Final = 50
RUNTIMES: Final = tuple(f"syn-python-selenium-{number}" for number in ("5.1", "6.0", "7.0", "8.0"))


def with_role(action: str) -> Callable[[Mapping[str, Any], Region], list[tuple[str, str]]]:
    """Targets of a call that may give a canary its role: the canary, and iam:PassRole on the role."""

    def targets(params: Mapping[str, Any], region: Region) -> list[tuple[str, str]]:
        found = [(f"synthetics:{action}", region.arn("synthetics", f"canary:{params['Name']}"))]
        if params.get("ExecutionRoleArn"):
            found.append(("iam:PassRole", params["ExecutionRoleArn"]))
        return found

    return targets


def _page(items: Sequence[Item], token: str | None, limit: int | None) -> tuple[Sequence[Item], str | None]:
    """Items from the token's place on, and the token of the next page; raises ValidationException."""
    if token is not None and not token.isdigit():
        raise ValidationException("NextToken is not valid.")
    start = int(token or 0)
    size = min(limit or PAGE, 100)
    following = start + size
    return items[start:following], str(following) if following < len(items) else None


def _paged(member: str, shapes: list[dict[str, Any]], token: str | None) -> dict[str, Any]:
    return {member: shapes} if token is None else {member: shapes, "NextToken": token}


async def _lambda(call: Call[CanaryState], operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """A call to Lambda as the caller; its refusals are the canary's."""
    try:
        return await call.aws("lambda", operation, params)
    except Fault as fault:
        raise ValidationException(fault.message) from fault


@synthetics.operation(resource=with_role("CreateCanary"), control_plane=True)
async def create_canary(
    call: Call[CanaryState],
    *,
    name: str,
    code: Mapping[str, Any],
    artifact_s3_location: str,
    execution_role_arn: str,
    schedule: Mapping[str, Any],
    runtime_version: str,
    run_config: Mapping[str, Any] | None = None,
    success_retention_period_in_days: int = DEFAULT_RETENTION_DAYS,
    failure_retention_period_in_days: int = DEFAULT_RETENTION_DAYS,
    provisioned_resource_cleanup: str = "AUTOMATIC",
    tags: Mapping[str, str] | None = None,
) -> Reply:
    """Make a canary and its function; it is READY once the function is active, and runs once it is started."""
    state = call.state
    settings.check_name(name)
    when = settings.schedule_fields(schedule, state.shortest_s)
    limits = {
        "timeout_s": settings.default_timeout_s(when["expression"], state.shortest_s),
        "memory_mb": DEFAULT_MEMORY_MB,
        **settings.run_fields(run_config or {}),
    }
    handler = code.get("Handler") or ""
    if not handler:
        raise ValidationException("Code.Handler must be given.")
    if name in state.canaries:
        raise ValidationException(f"Canary name {name} already exists.")
    if len(state.canaries) >= MAX_CANARIES:
        raise ValidationException(f"This account has {MAX_CANARIES} canaries already in this Region.")
    ident = call.region.entropy.uuid()
    function = f"cwsyn-{name[:21]}-{ident}"
    canary = Canary(
        id=ident,
        name=name,
        handler=handler,
        role=execution_role_arn,
        artifacts=settings.check_location(artifact_s3_location),
        runtime=settings.check_runtime(runtime_version),
        function=function,
        function_arn=call.region.arn("lambda", f"function:{function}"),
        created_s=call.now_s,
        modified_s=call.now_s,
        success_days=success_retention_period_in_days,
        failure_days=failure_retention_period_in_days,
        cleanup=provisioned_resource_cleanup,
        tags=dict(tags or {}),
        reason="Creating the canary",
        reason_code="CREATE_IN_PROGRESS",
        **when,
        **limits,
    )
    await _make_function(call, canary, code)
    state.put(canary)
    return {"Canary": canary.shape()}


async def _make_function(call: Call[CanaryState], canary: Canary, code: Mapping[str, Any]) -> None:
    """Make the canary's function, as the caller; raises ValidationException."""
    params = {
        **settings.function_params(canary, call.state.arn(canary.name)),
        "Code": settings.code_params(code),
        "Runtime": settings.FUNCTION_RUNTIME,
        "Layers": [settings.LAYER.format(call.region.name)],
        "Description": f"The function of the canary {canary.name}",
    }
    await _lambda(call, "CreateFunction", params)


@synthetics.operation(resource=CANARY)
def get_canary(call: Call[CanaryState], *, name: str) -> Reply:
    """One canary."""
    return {"Canary": call.state.canary(name).shape()}


@synthetics.operation()
def describe_canaries(
    call: Call[CanaryState],
    *,
    next_token: str | None = None,
    max_results: int | None = None,
    names: Sequence[str] | None = None,
) -> Reply:
    """Canaries by name, perhaps only some."""
    found = [canary for name, canary in sorted(call.state.canaries.items()) if not names or name in names]
    some, token = _page(found, next_token, max_results)
    return _paged("Canaries", [canary.shape() for canary in some], token)


@synthetics.operation()
def describe_canaries_last_run(
    call: Call[CanaryState],
    *,
    next_token: str | None = None,
    max_results: int | None = None,
    names: Sequence[str] | None = None,
) -> Reply:
    """The newest run of each canary that has run."""
    wanted = [name for name in sorted(call.state.canaries) if not names or name in names]
    runs = [(name, call.state.last_run(name)) for name in wanted]
    found = [{"CanaryName": name, "LastRun": run.shape()} for name, run in runs if run is not None]
    some, token = _page(found, next_token, max_results)
    return _paged("CanariesLastRun", list(some), token)


@synthetics.operation(resource=CANARY)
def get_canary_runs(
    call: Call[CanaryState], *, name: str, next_token: str | None = None, max_results: int | None = None
) -> Reply:
    """A canary's runs, newest first."""
    call.state.canary(name)
    some, token = _page(call.state.runs(name), next_token, max_results)
    return _paged("CanaryRuns", [run.shape() for run in some], token)


@synthetics.operation(resource=CANARY, control_plane=True)
def start_canary(call: Call[CanaryState], *, name: str) -> Reply:
    """Run the canary by its schedule from now on."""
    canary = call.state.canary(name)
    if canary.state not in ("READY", "STOPPED", "ERROR"):
        raise ConflictException(f"Canary {name} is in state {canary.state} and cannot be started.")
    call.state.reschedule(name)
    call.state.put(replace(canary.in_state("RUNNING"), started_s=call.now_s))
    return {}


@synthetics.operation(resource=CANARY, control_plane=True)
def stop_canary(call: Call[CanaryState], *, name: str) -> Reply:
    """Let the canary run no more; a run under way ends first."""
    canary = call.state.canary(name)
    if canary.state != "RUNNING":
        raise ConflictException(f"Canary {name} is in state {canary.state} and cannot be stopped.")
    call.state.stop(canary)
    return {}


@synthetics.operation(resource=with_role("UpdateCanary"), control_plane=True)
async def update_canary(
    call: Call[CanaryState],
    *,
    name: str,
    code: Mapping[str, Any] | None = None,
    execution_role_arn: str | None = None,
    runtime_version: str | None = None,
    schedule: Mapping[str, Any] | None = None,
    run_config: Mapping[str, Any] | None = None,
    success_retention_period_in_days: int | None = None,
    failure_retention_period_in_days: int | None = None,
    artifact_s3_location: str | None = None,
    provisioned_resource_cleanup: str | None = None,
) -> Reply:
    """Change a canary; what is not given stays. A canary that runs goes on with the new settings."""
    state = call.state
    before = state.canary(name)
    if before.state in ("CREATING", "UPDATING", "STOPPING", "DELETING"):
        raise ConflictException(f"Canary {name} is in state {before.state} and cannot be updated.")
    changes: dict[str, Any] = {"modified_s": call.now_s}
    if schedule is not None:
        changes |= settings.schedule_fields(schedule, state.shortest_s)
    changes |= settings.run_fields(run_config or {})
    given = {
        "role": execution_role_arn,
        "runtime": None if runtime_version is None else settings.check_runtime(runtime_version),
        "success_days": success_retention_period_in_days,
        "failure_days": failure_retention_period_in_days,
        "artifacts": None if artifact_s3_location is None else settings.check_location(artifact_s3_location),
        "cleanup": provisioned_resource_cleanup,
        "handler": (code or {}).get("Handler"),
    }
    changes |= {field: value for field, value in given.items() if value is not None}
    canary = replace(before, **changes)
    old, new = (settings.function_params(each, state.arn(name)) for each in (before, canary))
    if old != new:
        await _lambda(call, "UpdateFunctionConfiguration", new)
        await _settled(call, canary.function)
    if code is not None and any(code.get(member) for member in ("ZipFile", "S3Bucket")):
        await _lambda(call, "UpdateFunctionCode", {"FunctionName": canary.function, **settings.code_params(code)})
        await _settled(call, canary.function)
    current = state.canary(name)
    state.put(replace(canary, state=current.state, started_s=current.started_s, stopped_s=current.stopped_s))
    if schedule is not None:
        state.reschedule(name)
    return {}


async def _settled(call: Call[CanaryState], function: str) -> None:
    """Wait until the function's update is over."""
    for _ in range(100):
        found = await _lambda(call, "GetFunctionConfiguration", {"FunctionName": function})
        if found.get("LastUpdateStatus") != "InProgress":
            return
        await call.region.clock.sleep(0.05)


@synthetics.operation(resource=CANARY, control_plane=True)
async def delete_canary(call: Call[CanaryState], *, name: str, delete_lambda: bool = False) -> Reply:
    """Remove a canary that does not run, and its function unless it is to be kept."""
    canary = call.state.canary(name)
    if canary.state in ("RUNNING", "STARTING", "STOPPING", "UPDATING"):
        raise ConflictException(f"Canary {name} is in state {canary.state} and cannot be deleted.")
    if delete_lambda or canary.cleanup == "AUTOMATIC":
        try:
            await call.aws("lambda", "DeleteFunction", {"FunctionName": canary.function})
        except Fault as fault:
            if fault.code != "ResourceNotFoundException":
                raise
    call.state.remove(name)
    return {}


@synthetics.operation()
def describe_runtime_versions(
    call: Call[CanaryState], *, next_token: str | None = None, max_results: int | None = None
) -> Reply:
    """The runtime versions that this cloud knows of; it accepts every syn-python-selenium version."""
    shapes = [{"VersionName": each, "Description": "Python, without a browser"} for each in RUNTIMES]
    some, token = _page(shapes, next_token, max_results)
    return _paged("RuntimeVersions", list(some), token)


def _tagged(call: Call[CanaryState], arn: str) -> Canary:
    head = call.state.arn("")
    if not arn.startswith(head):
        raise BadRequestException(f"{arn} is not the ARN of a canary of this Region.")
    try:
        return call.state.canary(arn.removeprefix(head))
    except ResourceNotFoundException as fault:
        raise NotFoundException(fault.message) from fault


def _arn(params: Mapping[str, Any], region: Region) -> str:
    return str(params["ResourceArn"])


@synthetics.operation(resource=_arn, control_plane=True)
def tag_resource(call: Call[CanaryState], *, resource_arn: str, tags: Mapping[str, str]) -> Reply:
    """Add or change tags."""
    canary = _tagged(call, resource_arn)
    merged = {**canary.tags, **tags}
    if len(merged) > MAX_TAGS:
        raise BadRequestException(f"A canary has at most {MAX_TAGS} tags.")
    call.state.put(replace(canary, tags=merged))
    return {}


@synthetics.operation(resource=_arn, control_plane=True)
def untag_resource(call: Call[CanaryState], *, resource_arn: str, tag_keys: Sequence[str]) -> Reply:
    """Remove tags."""
    canary = _tagged(call, resource_arn)
    call.state.put(replace(canary, tags={key: each for key, each in canary.tags.items() if key not in tag_keys}))
    return {}


@synthetics.operation(resource=_arn)
def list_tags_for_resource(call: Call[CanaryState], *, resource_arn: str) -> Reply:
    """A canary's tags."""
    return {"Tags": dict(_tagged(call, resource_arn).tags)}
