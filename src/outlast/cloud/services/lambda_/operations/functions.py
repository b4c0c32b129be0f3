"""Creating, changing, reading and deleting functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.lambda_ import packages, settings
from outlast.cloud.services.lambda_.errors import (
    InvalidParameterValueException,
    LambdaAccessDenied,
    ResourceConflictException,
)
from outlast.cloud.services.lambda_.model import CREATING, Function, Version, stamp
from outlast.cloud.services.lambda_.names import LATEST, Reference
from outlast.cloud.services.lambda_.operations.common import (
    check_revision,
    check_settled,
    function_arn,
    page,
    paged,
    plain_name,
    unqualified_arn,
    with_role,
)
from outlast.cloud.services.lambda_.operations.versions import published
from outlast.cloud.services.lambda_.packages import Package
from outlast.cloud.services.lambda_.service import lambda_
from outlast.cloud.services.lambda_.state import LambdaState

CODE_MEMBERS = ("ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion")


async def package_of(call: Call[LambdaState], code: Mapping[str, Any]) -> Package:
    """The package that the caller names; raises InvalidParameterValueException or RequestTooLargeException."""
    extra = [member for member, value in code.items() if value is not None and member not in CODE_MEMBERS]
    if extra:
        raise InvalidParameterValueException(f"Code.{extra[0]} is not supported by this cloud.")
    if code.get("ZipFile") is not None:
        return packages.read(code["ZipFile"], inline=True)
    if not code.get("S3Bucket") or not code.get("S3Key"):
        raise InvalidParameterValueException("Please provide a source for function code.")
    params = {"Bucket": code["S3Bucket"], "Key": code["S3Key"]}
    if code.get("S3ObjectVersion"):
        params["VersionId"] = code["S3ObjectVersion"]
    try:
        reply = await call.aws("s3", "GetObject", params)
    except Exception as error:
        text = getattr(error, "message", str(error))
        name = getattr(error, "code", type(error).__name__)
        raise InvalidParameterValueException(
            f"Error occurred while GetObject. S3 Error Code: {name}. S3 Error Message: {text}"
        ) from error
    body = reply["Body"]
    return packages.read(bytes(body), inline=False)


async def check_role(call: Call[LambdaState], role: str, name: str) -> None:
    """Raise InvalidParameterValueException when Lambda cannot assume the role."""
    try:
        await call.state.roles.session(role, name)
    except LambdaAccessDenied as error:
        raise InvalidParameterValueException(error.message) from error


def shape(call: Call[LambdaState], version: Version, *, qualified: bool) -> dict[str, Any]:
    """A FunctionConfiguration."""
    return version.configuration(call.region.name, call.region.account_id, qualified=qualified)


def _first(call: Call[LambdaState], name: str, package: Package, fields: Mapping[str, Any]) -> Version:
    """The $LATEST of a function that is being made."""
    return Version(
        name=name,
        number=LATEST,
        code_key=package.key,
        code_sha256=package.sha256,
        code_size=package.size_bytes,
        revision_id=call.region.entropy.uuid(),
        last_modified=stamp(call.now_ms),
        state="Pending",
        state_reason=CREATING,
        **fields,
    )


@lambda_.operation(resource=with_role("lambda:CreateFunction"), control_plane=True)
async def create_function(
    call: Call[LambdaState],
    *,
    function_name: str,
    role: str,
    code: Mapping[str, Any],
    runtime: str | None = None,
    handler: str | None = None,
    description: str | None = None,
    timeout: int | None = None,
    memory_size: int | None = None,
    publish: bool = False,
    package_type: str = "Zip",
    environment: Mapping[str, Any] | None = None,
    tracing_config: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    layers: list[str] | None = None,
    architectures: list[str] | None = None,
    ephemeral_storage: Mapping[str, Any] | None = None,
    logging_config: Mapping[str, Any] | None = None,
) -> Reply:
    """Make a function; it is Pending until its code is ready to run."""
    state = call.state
    name = plain_name(state.reference(function_name))
    if package_type != "Zip":
        raise InvalidParameterValueException("PackageType Image is not supported by this cloud; use Zip.")
    if not handler or not runtime:
        raise InvalidParameterValueException(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages."
        )
    given = {
        "Role": role, "Handler": handler, "Description": description, "Runtime": runtime, "Timeout": timeout,
        "MemorySize": memory_size, "EphemeralStorage": ephemeral_storage, "Environment": environment,
        "Layers": layers, "LoggingConfig": logging_config, "Architectures": architectures,
        "TracingConfig": tracing_config,
    }  # fmt: skip
    fields = settings.changes(given, call.region.name)
    if name in state.functions:
        raise ResourceConflictException(f"Function already exist: {name}", Type="User")
    package = await package_of(call, code)
    await check_role(call, role, name)
    if name in state.functions:
        raise ResourceConflictException(f"Function already exist: {name}", Type="User")
    latest = _first(call, name, package, fields)
    state.keep(package)
    function = Function(name=name, latest=latest, tags=dict(tags or {}))
    if publish:
        function, latest = published(call, function, description or "")
    state.replace(function)
    state.provisioner.wake()
    return shape(call, latest, qualified=False)


@lambda_.operation(resource=function_arn, control_plane=True)
def get_function(call: Call[LambdaState], *, function_name: str, qualifier: str | None = None) -> Reply:
    """A function's configuration, tags and reserved concurrency. Its code has no address here."""
    found = call.state.find(call.state.reference(function_name, qualifier))
    reply: dict[str, Any] = {
        "Configuration": shape(call, found.version, qualified=found.qualifier is not None),
        "Code": {"RepositoryType": "S3"},
    }
    if found.function.tags:
        reply["Tags"] = dict(found.function.tags)
    if found.function.reserved is not None:
        reply["Concurrency"] = {"ReservedConcurrentExecutions": found.function.reserved}
    return reply


@lambda_.operation(resource=function_arn, control_plane=True)
def get_function_configuration(call: Call[LambdaState], *, function_name: str, qualifier: str | None = None) -> Reply:
    """The configuration of a version."""
    found = call.state.find(call.state.reference(function_name, qualifier))
    return shape(call, found.version, qualified=found.qualifier is not None)


@lambda_.operation(control_plane=True)
def list_functions(
    call: Call[LambdaState],
    *,
    function_version: str | None = None,
    marker: str | None = None,
    max_items: int | None = None,
) -> Reply:
    """Functions by name; with FunctionVersion=ALL their versions too."""
    functions = [function for _, function in sorted(call.state.functions.items())]
    some, following = page(functions, lambda function: function.name, marker, max_items)
    shapes = []
    for function in some:
        shapes.append(shape(call, function.latest, qualified=function_version == "ALL"))
        if function_version == "ALL":
            shapes += [shape(call, version, qualified=True) for version in function.versions.values()]
    return paged("Functions", shapes, following)


@lambda_.operation(resource=unqualified_arn, control_plane=True)
async def update_function_code(
    call: Call[LambdaState],
    *,
    function_name: str,
    zip_file: bytes | None = None,
    s3_bucket: str | None = None,
    s3_key: str | None = None,
    s3_object_version: str | None = None,
    architectures: list[str] | None = None,
    publish: bool = False,
    dry_run: bool = False,
    revision_id: str | None = None,
) -> Reply:
    """Replace the code of $LATEST; running events end on the old code."""
    state = call.state
    reference = Reference(plain_name(state.reference(function_name)))
    state.function(reference)
    code = {"ZipFile": zip_file, "S3Bucket": s3_bucket, "S3Key": s3_key, "S3ObjectVersion": s3_object_version}
    package = await package_of(call, code)
    function = state.function(reference)
    check_revision(revision_id, function.latest.revision_id)
    check_settled(function.latest, state.arn(reference))
    latest = replace(
        function.latest,
        code_key=package.key,
        code_sha256=package.sha256,
        code_size=package.size_bytes,
        revision_id=call.region.entropy.uuid(),
        last_modified=stamp(call.now_ms),
        architectures=tuple(architectures or function.latest.architectures),
        update_status="InProgress",
    )
    if dry_run:
        return shape(call, replace(latest, update_status="Successful"), qualified=False)
    state.keep(package)
    function = replace(function, latest=latest)
    if publish:
        function, latest = published(call, function, "")
    state.replace(function)
    state.provisioner.wake()
    return shape(call, latest, qualified=publish)


@lambda_.operation(resource=with_role("lambda:UpdateFunctionConfiguration"), control_plane=True)
async def update_function_configuration(
    call: Call[LambdaState],
    *,
    function_name: str,
    role: str | None = None,
    handler: str | None = None,
    description: str | None = None,
    timeout: int | None = None,
    memory_size: int | None = None,
    environment: Mapping[str, Any] | None = None,
    runtime: str | None = None,
    tracing_config: Mapping[str, Any] | None = None,
    revision_id: str | None = None,
    layers: list[str] | None = None,
    ephemeral_storage: Mapping[str, Any] | None = None,
    logging_config: Mapping[str, Any] | None = None,
) -> Reply:
    """Change settings of $LATEST; what is not given stays."""
    state = call.state
    reference = Reference(plain_name(state.reference(function_name)))
    state.function(reference)
    given = {
        "Role": role, "Handler": handler, "Description": description, "Runtime": runtime, "Timeout": timeout,
        "MemorySize": memory_size, "EphemeralStorage": ephemeral_storage, "Environment": environment,
        "Layers": layers, "LoggingConfig": logging_config, "TracingConfig": tracing_config,
    }  # fmt: skip
    fields = settings.changes(given, call.region.name)
    if role is not None:
        await check_role(call, role, reference.name)
    function = state.function(reference)
    check_revision(revision_id, function.latest.revision_id)
    check_settled(function.latest, state.arn(reference))
    fields |= {
        "revision_id": call.region.entropy.uuid(),
        "last_modified": stamp(call.now_ms),
        "update_status": "InProgress",
    }
    latest = replace(function.latest, **fields)
    state.replace(replace(function, latest=latest))
    state.provisioner.wake()
    return shape(call, latest, qualified=False)


@lambda_.operation(resource=function_arn, control_plane=True)
def delete_function(call: Call[LambdaState], *, function_name: str, qualifier: str | None = None) -> Reply:
    """Delete a function with all it has, or one of its published versions."""
    state = call.state
    reference = state.reference(function_name, qualifier)
    function = state.function(reference)
    if reference.qualifier is None:
        state.remove(function)
        return {"StatusCode": 204}
    if reference.qualifier == LATEST:
        raise InvalidParameterValueException("$LATEST version cannot be deleted without deleting the function.")
    if reference.qualifier in function.aliases:
        raise InvalidParameterValueException("Qualifier names an alias: use DeleteAlias.")
    version = state.find(reference).version
    using = [alias.name for alias in function.aliases.values() if version.number in (alias.version, *alias.weights)]
    if using:
        raise ResourceConflictException(
            f"Unable to delete version because the following aliases reference it: {using}", Type="User"
        )
    kept = {number: each for number, each in function.versions.items() if number != version.number}
    state.replace(replace(function, versions=kept))
    return {"StatusCode": 204}
