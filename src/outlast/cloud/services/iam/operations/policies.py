"""Managed policies and their versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outlast.cloud.contract import Reply
from outlast.cloud.identity.credentials import UNIQUE_ID_ENTROPY_BYTES, unique_id
from outlast.cloud.services.iam import managed, rules, shapes
from outlast.cloud.services.iam.errors import (
    DeleteConflict,
    EntityAlreadyExists,
    LimitExceeded,
    NoSuchEntity,
    UnmodifiableEntity,
)
from outlast.cloud.services.iam.operations.entities import IamCall, Tags
from outlast.cloud.services.iam.pages import DEFAULT_ITEMS, page
from outlast.cloud.services.iam.service import iam, new_policy_arn
from outlast.cloud.services.iam.state import ROLE, USER, Document, Kind

_POLICY = "{PolicyArn}"


def _found(call: IamCall, arn: str) -> Document:
    """The policy, AWS's or the account's own."""
    document = call.state.policies.get(arn)
    if document is not None:
        return document
    if managed.document(arn) is not None:
        return shapes.aws_policy(arn.removeprefix(managed.ROOT))
    raise NoSuchEntity(f"Policy {arn} was not found.")


def _own(call: IamCall, arn: str) -> Document:
    """The policy, which must be the account's own."""
    document = _found(call, arn)
    if arn.startswith(managed.ROOT):
        raise UnmodifiableEntity(f"Policy {arn} is owned by AWS and cannot be changed.")
    return document


def _users_of(call: IamCall, kind: Kind, arn: str) -> tuple[list[Document], list[Document]]:
    """The users or roles that have the policy attached, and those that have it as their boundary."""
    entities = [document for _, document in call.state.shelf(kind).items()]
    return [e for e in entities if arn in e["Attached"]], [e for e in entities if e.get("Boundary") == arn]


def _shape(call: IamCall, document: Document, *, whole: bool = True) -> dict[str, Any]:
    counts = [_users_of(call, kind, document["Arn"]) for kind in (USER, ROLE)]
    attached = sum(len(each) for each, _ in counts)
    return shapes.policy(document, attached, sum(len(each) for _, each in counts), whole=whole)


@iam.operation(resource=new_policy_arn)
def create_policy(
    call: IamCall, *, policy_name: str, policy_document: str, path: str = "/", description: str = "", tags: Tags = ()
) -> Reply:
    """Make a customer managed policy with one version, v1."""
    arn = call.state.arn("policy", policy_name, path)
    if any(document["Name"].lower() == policy_name.lower() for _, document in call.state.policies.items()):
        raise EntityAlreadyExists(f"A policy called {policy_name} already exists. Duplicate names are not allowed.")
    rules.checked_policy(policy_document)
    rules.check_managed_size(policy_document)
    now_s = int(call.now_s)
    document: Document = {
        "Name": policy_name,
        "Id": unique_id("ANPA", call.region.entropy.token(UNIQUE_ID_ENTROPY_BYTES)),
        "Path": path,
        "Arn": arn,
        "Description": description,
        "Created": now_s,
        "Updated": now_s,
        "Tags": shapes.merged_tags({}, tags),
        "Default": "v1",
        "Last": 1,
        "Versions": {"v1": {"Document": policy_document, "Created": now_s}},
    }
    call.state.policies.put(arn, document)
    shown = _shape(call, document, whole=False)
    return {"Policy": {**shown, "Tags": shapes.tag_list(document["Tags"])} if tags else shown}


@iam.operation(resource=_POLICY)
def get_policy(call: IamCall, *, policy_arn: str) -> Reply:
    """A managed policy without its document."""
    return {"Policy": _shape(call, _found(call, policy_arn))}


@iam.operation(resource=_POLICY)
def delete_policy(call: IamCall, *, policy_arn: str) -> Reply:
    """Remove a policy that is attached to nobody and has only its default version."""
    document = _own(call, policy_arn)
    if any(attached or bounded for attached, bounded in (_users_of(call, kind, policy_arn) for kind in (USER, ROLE))):
        raise DeleteConflict("Cannot delete a policy attached to entities.")
    if len(document["Versions"]) > 1:
        raise DeleteConflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
            "The default version is deleted with the policy."
        )
    call.state.policies.delete(policy_arn)
    return {}


@iam.operation(resource="arn:aws:iam::{account}:policy/*")
def list_policies(
    call: IamCall,
    *,
    scope: str = "All",
    only_attached: bool = False,
    path_prefix: str = "/",
    policy_usage_filter: str = "",
    marker: str = "",
    max_items: int = DEFAULT_ITEMS,
) -> Reply:
    """Managed policies, in pages."""
    documents = [document for _, document in call.state.policies.items()] if scope != "AWS" else []
    if scope != "Local":
        documents += [shapes.aws_policy(name) for name in managed.names()]
    rows = []
    for document in documents:
        shape = _shape(call, document, whole=False)
        used = {
            "": shape["AttachmentCount"] + shape["PermissionsBoundaryUsageCount"],
            "PermissionsPolicy": shape["AttachmentCount"],
            "PermissionsBoundary": shape["PermissionsBoundaryUsageCount"],
        }[policy_usage_filter]
        wanted = used or not (only_attached or policy_usage_filter)
        if wanted and document["Path"].startswith(path_prefix):
            rows.append((document["Arn"], shape))
    return page("Policies", sorted(rows, key=lambda row: row[0]), marker, max_items)


@iam.operation(resource=_POLICY)
def create_policy_version(
    call: IamCall, *, policy_arn: str, policy_document: str, set_as_default: bool = False
) -> Reply:
    """Add a version; up to five are kept."""
    document = _own(call, policy_arn)
    rules.checked_policy(policy_document)
    rules.check_managed_size(policy_document)
    if len(document["Versions"]) >= rules.VERSIONS_LIMIT:
        raise LimitExceeded(
            "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing "
            "version."
        )
    number = document["Last"] + 1
    version_id = f"v{number}"
    version = {"Document": policy_document, "Created": int(call.now_s)}
    document["Versions"][version_id] = version
    document.update(Last=number, Updated=int(call.now_s))
    if set_as_default:
        document["Default"] = version_id
    call.state.policies.put(policy_arn, document)
    return {"PolicyVersion": shapes.policy_version(version_id, version, document["Default"], with_document=False)}


def _version(document: Document, version_id: str) -> dict[str, Any]:
    version: dict[str, Any] | None = document["Versions"].get(version_id)
    if version is None:
        raise NoSuchEntity(f"Policy {document['Arn']} version {version_id} does not exist or is not attachable.")
    return version


@iam.operation(resource=_POLICY)
def get_policy_version(call: IamCall, *, policy_arn: str, version_id: str) -> Reply:
    """A version with its document."""
    document = _found(call, policy_arn)
    version = _version(document, version_id)
    return {"PolicyVersion": shapes.policy_version(version_id, version, document["Default"], with_document=True)}


@iam.operation(resource=_POLICY)
def list_policy_versions(call: IamCall, *, policy_arn: str, marker: str = "", max_items: int = DEFAULT_ITEMS) -> Reply:
    """Versions without their documents, newest first, in pages."""
    document = _found(call, policy_arn)
    newest_first = sorted(document["Versions"], key=lambda version_id: -int(version_id[1:]))
    rows = [
        (
            f"{index:04d}",
            shapes.policy_version(each, document["Versions"][each], document["Default"], with_document=False),
        )
        for index, each in enumerate(newest_first)
    ]
    return page("Versions", rows, marker, max_items)


@iam.operation(resource=_POLICY)
def delete_policy_version(call: IamCall, *, policy_arn: str, version_id: str) -> Reply:
    """Remove a version that is not the default."""
    document = _own(call, policy_arn)
    _version(document, version_id)
    if document["Default"] == version_id:
        raise DeleteConflict("Cannot delete the default version of a policy.")
    del document["Versions"][version_id]
    call.state.policies.put(policy_arn, document)
    return {}


@iam.operation(resource=_POLICY)
def set_default_policy_version(call: IamCall, *, policy_arn: str, version_id: str) -> Reply:
    """Choose the version that holds."""
    document = _own(call, policy_arn)
    _version(document, version_id)
    call.state.policies.put(policy_arn, {**document, "Default": version_id, "Updated": int(call.now_s)})
    return {}


@iam.operation(resource=_POLICY)
def list_entities_for_policy(
    call: IamCall,
    *,
    policy_arn: str,
    entity_filter: str = "",
    path_prefix: str = "/",
    policy_usage_filter: str = "",
    marker: str = "",
    max_items: int = DEFAULT_ITEMS,
) -> Reply:
    """The users and roles that have the policy, in pages (there are no groups)."""
    _found(call, policy_arn)
    rows = []
    for kind in (USER, ROLE):
        if entity_filter and entity_filter not in (kind.title, "LocalManagedPolicy", "AWSManagedPolicy"):
            continue
        attached, bounded = _users_of(call, kind, policy_arn)
        chosen = {"": attached + bounded, "PermissionsPolicy": attached, "PermissionsBoundary": bounded}
        for document in chosen[policy_usage_filter]:
            if document["Path"].startswith(path_prefix):
                rows.append((f"{kind.noun}/{document['Name']}", (kind, document)))
    listed = page("Rows", sorted(dict(rows).items()), marker, max_items)
    reply: dict[str, Any] = {"PolicyGroups": [], "PolicyUsers": [], "PolicyRoles": []}
    for kind, document in listed.pop("Rows"):
        reply[f"Policy{kind.title}s"].append({f"{kind.title}Name": document["Name"], f"{kind.title}Id": document["Id"]})
    return {**reply, **listed}


@iam.operation(resource=_POLICY)
def tag_policy(call: IamCall, *, policy_arn: str, tags: Tags) -> Reply:
    """Set tags."""
    document = _own(call, policy_arn)
    call.state.policies.put(policy_arn, {**document, "Tags": shapes.merged_tags(document["Tags"], tags)})
    return {}


@iam.operation(resource=_POLICY)
def untag_policy(call: IamCall, *, policy_arn: str, tag_keys: Sequence[str]) -> Reply:
    """Remove tags."""
    document = _own(call, policy_arn)
    gone = {key.lower() for key in tag_keys}
    kept = {key: value for key, value in document["Tags"].items() if key.lower() not in gone}
    call.state.policies.put(policy_arn, {**document, "Tags": kept})
    return {}


@iam.operation(resource=_POLICY)
def list_policy_tags(call: IamCall, *, policy_arn: str, marker: str = "", max_items: int = DEFAULT_ITEMS) -> Reply:
    """Tags, in pages."""
    tags = shapes.tag_list(_found(call, policy_arn)["Tags"])
    return page("Tags", [(each["Key"], each) for each in tags], marker, max_items)
