"""Published versions: snapshots of $LATEST that never change."""

from __future__ import annotations

from dataclasses import replace

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.lambda_.errors import InvalidParameterValueException
from outlast.cloud.services.lambda_.model import Function, Version
from outlast.cloud.services.lambda_.names import Reference
from outlast.cloud.services.lambda_.operations.common import (
    check_revision,
    check_settled,
    page,
    paged,
    plain_name,
    unqualified_arn,
)
from outlast.cloud.services.lambda_.service import lambda_
from outlast.cloud.services.lambda_.state import LambdaState


def published(call: Call[LambdaState], function: Function, description: str) -> tuple[Function, Version]:
    """The function with $LATEST published; the newest version again when nothing has changed since."""
    last = function.versions.get(str(function.next_version - 1))
    if last is not None and last.same_as(function.latest):
        return function, last
    version = replace(
        function.latest,
        number=str(function.next_version),
        description=description or function.latest.description,
        revision_id=call.region.entropy.uuid(),
    )
    versions = {**function.versions, version.number: version}
    return replace(function, versions=versions, next_version=function.next_version + 1), version


@lambda_.operation(resource=unqualified_arn, control_plane=True)
def publish_version(
    call: Call[LambdaState],
    *,
    function_name: str,
    code_sha256: str | None = None,
    description: str | None = None,
    revision_id: str | None = None,
) -> Reply:
    """Publish $LATEST."""
    state = call.state
    reference = Reference(plain_name(state.reference(function_name)))
    function = state.function(reference)
    check_settled(function.latest, state.arn(reference))
    check_revision(revision_id, function.latest.revision_id)
    if code_sha256 is not None and code_sha256 != function.latest.code_sha256:
        raise InvalidParameterValueException(
            f"CodeSHA256 ({code_sha256}) is different from current CodeSHA256 in $LATEST "
            f"({function.latest.code_sha256}). Please try again with the CodeSHA256 in $LATEST."
        )
    function, version = published(call, function, description or "")
    state.replace(function)
    return version.configuration(call.region.name, call.region.account_id, qualified=True)


@lambda_.operation(resource=unqualified_arn, control_plane=True)
def list_versions_by_function(
    call: Call[LambdaState], *, function_name: str, marker: str | None = None, max_items: int | None = None
) -> Reply:
    """$LATEST, then published versions by number."""
    state = call.state
    function = state.function(Reference(plain_name(state.reference(function_name))))
    versions = [function.latest, *sorted(function.versions.values(), key=lambda version: int(version.number))]
    some, following = page(versions, _order, marker, max_items)
    shapes = [version.configuration(call.region.name, call.region.account_id, qualified=True) for version in some]
    return paged("Versions", shapes, following)


def _order(version: Version) -> str:
    return version.number.zfill(12) if version.number.isdigit() else ""
