"""The resources of an API: its tree of paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.apigateway import patching
from outlast.cloud.services.apigateway.documents import check_part, resource_of
from outlast.cloud.services.apigateway.errors import BadRequestException, ConflictException
from outlast.cloud.services.apigateway.operations.common import Document, operation, page
from outlast.cloud.services.apigateway.operations.methods import method_shape
from outlast.cloud.services.apigateway.state import ApiState

RULES: Final = {"/pathPart": patching.replacing(patching.text, "pathPart")}


def shape(resource: Mapping[str, Any], embed: Sequence[str] | None = None) -> Document:
    """The Resource shape; methods in full when they are embedded, else by name."""
    shown = {name: resource[name] for name in ("id", "parentId", "pathPart", "path") if name in resource}
    if resource["methods"]:
        whole = "methods" in (embed or ())
        shown["resourceMethods"] = {
            name: method_shape(method) if whole else {} for name, method in resource["methods"].items()
        }
    return shown


def _check_free(api: Mapping[str, Any], parent: str, part: str, but: str = "") -> None:
    for each in api["resources"].values():
        if each.get("parentId") != parent or each["id"] == but:
            continue
        if each["pathPart"] == part:
            raise ConflictException(f"Another resource with the same parent already has this name: {part}")
        if part.startswith("{") and each["pathPart"].startswith("{"):
            raise BadRequestException(
                f"A sibling ({each['pathPart']}) of this resource already has a variable path part -- only one is "
                "allowed"
            )


def _move(api: Document, resource: Document, parent_path: str) -> None:
    """Give a resource and all below it their paths anew."""
    resource["path"] = f"{parent_path.rstrip('/')}/{resource['pathPart']}"
    for each in api["resources"].values():
        if each.get("parentId") == resource["id"]:
            _move(api, each, resource["path"])


@operation()
def create_resource(call: Call[ApiState], *, rest_api_id: str, parent_id: str, path_part: str) -> Reply:
    """Add a resource below another."""
    api = call.state.api(rest_api_id)
    parent = resource_of(api, parent_id)
    check_part(path_part)
    if parent.get("pathPart", "").endswith("+}"):
        raise BadRequestException(f"Cannot create a child of a resource with a greedy path variable: {parent['path']}")
    _check_free(api, parent_id, path_part)
    ident = call.state.identifier(6)
    path = f"{parent['path'].rstrip('/')}/{path_part}"
    resource: Document = {"id": ident, "parentId": parent_id, "pathPart": path_part, "path": path, "methods": {}}
    api["resources"][ident] = resource
    call.state.put_api(api)
    return shape(resource)


@operation()
def get_resource(
    call: Call[ApiState], *, rest_api_id: str, resource_id: str, embed: Sequence[str] | None = None
) -> Reply:
    """One resource."""
    return shape(resource_of(call.state.api(rest_api_id), resource_id), embed)


@operation()
def get_resources(
    call: Call[ApiState],
    *,
    rest_api_id: str,
    position: str | None = None,
    limit: int | None = None,
    embed: Sequence[str] | None = None,
) -> Reply:
    """All resources of an API, by id."""
    resources = sorted(call.state.api(rest_api_id)["resources"].values(), key=lambda each: str(each["id"]))
    return page([shape(resource, embed) for resource in resources], position, limit)


@operation()
def update_resource(
    call: Call[ApiState],
    *,
    rest_api_id: str,
    resource_id: str,
    patch_operations: Sequence[Mapping[str, Any]] | None = None,
) -> Reply:
    """Rename a resource."""
    api = call.state.api(rest_api_id)
    resource = resource_of(api, resource_id)
    if resource_id == api["rootResourceId"]:
        raise BadRequestException("Root resource cannot be updated")
    part = check_part(patching.apply({"pathPart": resource["pathPart"]}, patch_operations, RULES)["pathPart"])
    _check_free(api, resource["parentId"], part, but=resource_id)
    resource["pathPart"] = part
    _move(api, resource, resource_of(api, resource["parentId"])["path"])
    call.state.put_api(api)
    return shape(resource)


@operation()
def delete_resource(call: Call[ApiState], *, rest_api_id: str, resource_id: str) -> Reply:
    """Remove a resource with all below it."""
    api = call.state.api(rest_api_id)
    resource_of(api, resource_id)
    if resource_id == api["rootResourceId"]:
        raise BadRequestException("Cannot delete root resource")
    gone = {resource_id}
    while more := {each["id"] for each in api["resources"].values() if each.get("parentId") in gone} - gone:
        gone |= more
    api["resources"] = {ident: each for ident, each in api["resources"].items() if ident not in gone}
    call.state.put_api(api)
    return {}
