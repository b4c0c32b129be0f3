"""What the operations share: how they are authorised, pages, clean shapes."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from outlast.cloud.contract import Region
from outlast.cloud.services.apigateway.errors import BadRequestException
from outlast.cloud.services.apigateway.service import apigateway
from outlast.cloud.wire import snake

Function = TypeVar("Function", bound=Callable[..., Any])
Document = dict[str, Any]
MAX_PAGE: Final = 500
DEFAULT_PAGE: Final = 25
_LABEL: Final = re.compile(r"\{(\w+)\}")


def operation(*, ignored: Sequence[str] = (), role: str = "") -> Callable[[Function], Function]:
    """Declare an operation. Its IAM action is the HTTP verb and its resource the path, as API Gateway has them.

    `role` is the setting by which a role is handed over, in its member or in a patch of it; that needs iam:PassRole.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-iam-policy-examples.html
    """

    def declare(function: Function) -> Function:
        wire_name = _wire_names()[function.__name__]
        http = apigateway.model.operations[wire_name].http
        members = {name.replace("_", ""): member.wire_name for name, member in _members(wire_name).items()}
        path = http.uri.partition("?")[0]

        def target(params: Mapping[str, Any], region: Region) -> str:
            filled = _LABEL.sub(lambda match: str(params.get(members.get(_plain(match[1]), ""), "*")), path)
            return f"arn:aws:apigateway:{region.name}::{filled}"

        def with_role(params: Mapping[str, Any], region: Region) -> list[tuple[str, str]]:
            roles = [("iam:PassRole", arn) for arn in handed_over(params, role)]
            return [(f"apigateway:{http.method}", target(params, region)), *roles]

        return apigateway.operation(
            resource=with_role if role else target,
            action=f"apigateway:{http.method}",
            ignored=ignored,
            name=wire_name,
            control_plane=True,
        )(function)

    return declare


def handed_over(params: Mapping[str, Any], role: str) -> list[str]:
    """The ARNs of roles that a request hands to API Gateway; the caller's own credentials are no role."""
    patches = params.get("patchOperations") or ()
    given = [params.get(role), *(each.get("value") for each in patches if each.get("path") == f"/{role}")]
    return [arn for arn in given if isinstance(arn, str) and ":role/" in arn]


@functools.cache
def _wire_names() -> dict[str, str]:
    return {snake(name): name for name in apigateway.model.operations}


def _members(wire_name: str) -> Mapping[str, Any]:
    return apigateway.model.operations[wire_name].members


def _plain(label: str) -> str:
    return label.replace("_", "").lower()


def page(items: Sequence[Document], position: str | None, limit: int | None, key: str = "id") -> Document:
    """A page of a list, after `position`, with the position of the next."""
    size = min(limit or DEFAULT_PAGE, MAX_PAGE)
    rest = [item for item in items if position is None or str(item[key]) > position]
    reply: Document = {"items": rest[:size]}
    if len(rest) > size:
        reply["position"] = str(rest[size - 1][key])
    return reply


def present(document: Mapping[str, Any]) -> Document:
    """The members that have a value."""
    return {name: value for name, value in document.items() if value is not None}


def refuse(given: Mapping[str, Any]) -> None:
    """Raise BadRequestException for members that ask for what this cloud does not have."""
    for name, value in given.items():
        if value:
            raise BadRequestException(f"{name} is not supported by this cloud.")
