"""What users and roles have in common: making, tagging, inline and attached policies, boundaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outlast.cloud.contract import Call, Reply
from outlast.cloud.identity.credentials import UNIQUE_ID_ENTROPY_BYTES, unique_id
from outlast.cloud.services.iam import rules, shapes
from outlast.cloud.services.iam.errors import DeleteConflict, EntityAlreadyExists, LimitExceeded, NoSuchEntity
from outlast.cloud.services.iam.pages import page
from outlast.cloud.services.iam.state import Document, IamState, Kind

IamCall = Call[IamState]
Tags = Sequence[Mapping[str, str]]


def new_entity(call: IamCall, kind: Kind, name: str, path: str, boundary: str, tags: Tags, prefix: str) -> Document:
    """The document of a user or role that does not exist yet; nothing is written."""
    state = call.state
    if any(name.lower() == taken.lower() for taken in state.shelf(kind).keys()):  # noqa: SIM118  (a Shelf is no dict)
        raise EntityAlreadyExists(f"{kind.title} with name {name} already exists.")
    if boundary:
        check_attachable(state, boundary)
    return {
        "Name": name,
        "Id": unique_id(prefix, call.region.entropy.token(UNIQUE_ID_ENTROPY_BYTES)),
        "Path": path,
        "Arn": state.arn(kind.noun, name, path),
        "Created": int(call.now_s),
        "Tags": shapes.merged_tags({}, tags),
        "Boundary": boundary,
        "Inline": {},
        "Attached": [],
    }


def check_attachable(state: IamState, arn: str) -> None:
    """Raise NoSuchEntity unless the managed policy exists."""
    if state.policy_text(arn) is None:
        raise NoSuchEntity(f"Policy {arn} does not exist or is not attachable.")


def delete_entity(call: IamCall, kind: Kind, name: str) -> Reply:
    """Remove a user or role that holds nothing any more."""
    document = call.state.find(kind, name)
    if document["Attached"]:
        raise DeleteConflict("Cannot delete entity, must detach all policies first.")
    if document["Inline"]:
        raise DeleteConflict("Cannot delete entity, must delete policies first.")
    call.state.shelf(kind).delete(name)
    return {}


def list_entities(call: IamCall, kind: Kind, prefix: str, marker: str, max_items: int) -> Reply:
    """A page of users or roles whose path begins with `prefix`, without their tags."""
    rows = [
        (name, document) for name, document in call.state.shelf(kind).items() if document["Path"].startswith(prefix)
    ]
    make = shapes.user if kind.noun == "user" else shapes.role
    return page(f"{kind.title}s", rows, marker, max_items, lambda document: make(document, whole=False))


def put_inline(call: IamCall, kind: Kind, name: str, policy_name: str, text: str) -> Reply:
    """Add or replace an inline policy."""
    document = call.state.find(kind, name)
    inline = {**document["Inline"], policy_name: rules.checked_policy(text)}
    rules.check_size(kind.noun, name, inline.values())
    call.state.save(kind, {**document, "Inline": inline})
    return {}


def get_inline(call: IamCall, kind: Kind, name: str, policy_name: str) -> Reply:
    """An inline policy's document."""
    text = call.state.find(kind, name)["Inline"].get(policy_name)
    if text is None:
        raise NoSuchEntity(f"The {kind.noun} policy with name {policy_name} cannot be found.")
    return {f"{kind.title}Name": name, "PolicyName": policy_name, "PolicyDocument": shapes.encoded(text)}


def delete_inline(call: IamCall, kind: Kind, name: str, policy_name: str) -> Reply:
    """Remove an inline policy."""
    document = call.state.find(kind, name)
    if policy_name not in document["Inline"]:
        raise NoSuchEntity(f"The {kind.noun} policy with name {policy_name} cannot be found.")
    del document["Inline"][policy_name]
    call.state.save(kind, document)
    return {}


def list_inline(call: IamCall, kind: Kind, name: str, marker: str, max_items: int) -> Reply:
    """A page of the names of inline policies."""
    names = sorted(call.state.find(kind, name)["Inline"])
    return page("PolicyNames", [(each, each) for each in names], marker, max_items)


def attach(call: IamCall, kind: Kind, name: str, arn: str) -> Reply:
    """Attach a managed policy; again is no error."""
    document = call.state.find(kind, name)
    check_attachable(call.state, arn)
    if arn not in document["Attached"]:
        if len(document["Attached"]) >= rules.ATTACHED_LIMIT:
            raise LimitExceeded(f"Cannot exceed quota for PoliciesPer{kind.title}: {rules.ATTACHED_LIMIT}")
        call.state.save(kind, {**document, "Attached": [*document["Attached"], arn]})
    return {}


def detach(call: IamCall, kind: Kind, name: str, arn: str) -> Reply:
    """Detach a managed policy."""
    document = call.state.find(kind, name)
    if arn not in document["Attached"]:
        raise NoSuchEntity(f"Policy {arn} was not found.")
    call.state.save(kind, {**document, "Attached": [each for each in document["Attached"] if each != arn]})
    return {}


def list_attached(call: IamCall, kind: Kind, name: str, prefix: str, marker: str, max_items: int) -> Reply:
    """A page of the attached managed policies whose path begins with `prefix`."""
    arns = [arn for arn in sorted(call.state.find(kind, name)["Attached"]) if path_of(arn).startswith(prefix)]
    rows = [(arn, {"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn}) for arn in arns]
    return page("AttachedPolicies", rows, marker, max_items)


def path_of(arn: str) -> str:
    """The path within a policy's ARN."""
    return "/" + arn.partition(":policy/")[2].rpartition("/")[0] + ("/" if "/" in arn.partition(":policy/")[2] else "")


def set_boundary(call: IamCall, kind: Kind, name: str, arn: str) -> Reply:
    """Set the permissions boundary, or remove it when `arn` is empty."""
    document = call.state.find(kind, name)
    if arn:
        check_attachable(call.state, arn)
    elif not document["Boundary"]:
        raise NoSuchEntity(f"{kind.title} {name} does not have a permissions boundary.")
    call.state.save(kind, {**document, "Boundary": arn})
    return {}


def tag(call: IamCall, kind: Kind, name: str, tags: Tags) -> Reply:
    """Set tags."""
    document = call.state.find(kind, name)
    call.state.save(kind, {**document, "Tags": shapes.merged_tags(document["Tags"], tags)})
    return {}


def untag(call: IamCall, kind: Kind, name: str, keys: Sequence[str]) -> Reply:
    """Remove tags; those that are not there do not matter."""
    document = call.state.find(kind, name)
    gone = {key.lower() for key in keys}
    kept: dict[str, Any] = {key: value for key, value in document["Tags"].items() if key.lower() not in gone}
    call.state.save(kind, {**document, "Tags": kept})
    return {}


def list_tags(call: IamCall, kind: Kind, name: str, marker: str, max_items: int) -> Reply:
    """A page of tags."""
    tags = shapes.tag_list(call.state.find(kind, name)["Tags"])
    return page("Tags", [(each["Key"], each) for each in tags], marker, max_items)
