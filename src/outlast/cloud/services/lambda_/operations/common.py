"""What the operations share: authorisation targets, pages, checks of revisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from outlast.cloud.contract import Fault, Region
from outlast.cloud.services.lambda_ import names
from outlast.cloud.services.lambda_.errors import (
    InvalidParameterValueException,
    PreconditionFailedException,
    ResourceConflictException,
)
from outlast.cloud.services.lambda_.model import Version
from outlast.cloud.services.lambda_.names import Reference

Item = TypeVar("Item")
MAX_PAGE = 50


def function_arn(params: Mapping[str, Any], region: Region) -> str:
    """The ARN that the caller must be allowed: the function's, qualified when the request is."""
    try:
        reference = names.parse(params["FunctionName"], params.get("Qualifier"), region.name, region.account_id)
    except Fault:
        return region.arn("lambda", f"function:{params['FunctionName']}")
    return names.arn(region.name, region.account_id, reference)


def unqualified_arn(params: Mapping[str, Any], region: Region) -> str:
    """The ARN of the function itself, whatever version the request names."""
    try:
        reference = names.parse(params["FunctionName"], None, region.name, region.account_id)
    except Fault:
        return region.arn("lambda", f"function:{params['FunctionName']}")
    return names.arn(region.name, region.account_id, Reference(reference.name))


def with_role(action: str) -> Callable[[Mapping[str, Any], Region], list[tuple[str, str]]]:
    """Targets of a call that gives a function its role: the function, and iam:PassRole on the role."""

    def targets(params: Mapping[str, Any], region: Region) -> list[tuple[str, str]]:
        found = [(action, unqualified_arn(params, region))]
        if params.get("Role"):
            found.append(("iam:PassRole", params["Role"]))
        return found

    return targets


def plain_name(reference: Reference) -> str:
    """The name of an unqualified reference; raises InvalidParameterValueException for a qualified one."""
    if reference.qualifier is not None:
        raise InvalidParameterValueException(
            "This operation works on a function, not on one of its versions or aliases."
        )
    return reference.name


def check_revision(given: str | None, known: str) -> None:
    """Raise PreconditionFailedException when the caller's revision is not the current one."""
    if given is not None and given != known:
        raise PreconditionFailedException(
            "The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias API to "
            "retrieve the latest RevisionId",
            Type="User",
        )


def check_settled(version: Version, arn: str) -> None:
    """Raise ResourceConflictException while a creation or an update is under way."""
    if version.state == "Pending":
        raise ResourceConflictException(
            "The operation cannot be performed at this time. The function is currently in the following state: Pending",
            Type="User",
        )
    if version.update_status == "InProgress":
        raise ResourceConflictException(
            f"The operation cannot be performed at this time. An update is in progress for resource: {arn}", Type="User"
        )


def page(
    items: Sequence[Item], key: Callable[[Item], str], marker: str | None, limit: int | None
) -> tuple[Sequence[Item], str | None]:
    """Items after the marker, at most `limit`, and the marker of the next page."""
    rest = [item for item in items if marker is None or key(item) > marker]
    size = min(limit or MAX_PAGE, MAX_PAGE)
    if len(rest) <= size:
        return rest, None
    return rest[:size], key(rest[size - 1])


def paged(member: str, shapes: list[dict[str, Any]], marker: str | None) -> dict[str, Any]:
    """A list reply with its NextMarker."""
    return {member: shapes} if marker is None else {member: shapes, "NextMarker": marker}
