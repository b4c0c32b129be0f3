"""Users."""

from __future__ import annotations

from collections.abc import Sequence

from outlast.cloud.contract import Reply
from outlast.cloud.services.iam import shapes
from outlast.cloud.services.iam.errors import DeleteConflict, ValidationError
from outlast.cloud.services.iam.operations import entities
from outlast.cloud.services.iam.operations.entities import IamCall, Tags
from outlast.cloud.services.iam.pages import DEFAULT_ITEMS
from outlast.cloud.services.iam.service import iam, user_arn
from outlast.cloud.services.iam.state import USER


@iam.operation(resource=user_arn)
def create_user(
    call: IamCall, *, user_name: str, path: str = "/", permissions_boundary: str = "", tags: Tags = ()
) -> Reply:
    """Make a user, without keys and without permissions."""
    document = entities.new_entity(call, USER, user_name, path, permissions_boundary, tags, "AIDA")
    call.state.save(USER, document)
    return {"User": shapes.user(document)}


@iam.operation(resource=user_arn)
def get_user(call: IamCall, *, user_name: str = "") -> Reply:
    """A user; the caller when none is named."""
    if not user_name and call.principal.kind == "root":
        root = {"Path": "/", "UserName": "root", "UserId": call.state.account_id, "Arn": call.principal.arn}
        return {"User": {**root, "CreateDate": 0}}
    return {"User": shapes.user(call.state.find(USER, user_name or caller_name(call)))}


def caller_name(call: IamCall) -> str:
    """The name of the user who calls; raises ValidationError for anyone else."""
    if call.principal.kind != "user":
        raise ValidationError("Must specify userName when calling with non-User credentials")
    return call.principal.arn.rpartition("/")[2]


@iam.operation(resource=user_arn)
def delete_user(call: IamCall, *, user_name: str) -> Reply:
    """Remove a user that has no keys and no policies any more."""
    if any(key["UserName"] == user_name for _, key in call.state.keys.items()):
        raise DeleteConflict("Cannot delete entity, must delete access keys first.")
    return entities.delete_entity(call, USER, user_name)


@iam.operation(resource="arn:aws:iam::{account}:user/*")
def list_users(call: IamCall, *, path_prefix: str = "/", marker: str = "", max_items: int = DEFAULT_ITEMS) -> Reply:
    """Users, in pages."""
    return entities.list_entities(call, USER, path_prefix, marker, max_items)


@iam.operation(resource=user_arn)
def put_user_policy(call: IamCall, *, user_name: str, policy_name: str, policy_document: str) -> Reply:
    """Add or replace an inline policy."""
    return entities.put_inline(call, USER, user_name, policy_name, policy_document)


@iam.operation(resource=user_arn)
def get_user_policy(call: IamCall, *, user_name: str, policy_name: str) -> Reply:
    """An inline policy's document."""
    return entities.get_inline(call, USER, user_name, policy_name)


@iam.operation(resource=user_arn)
def delete_user_policy(call: IamCall, *, user_name: str, policy_name: str) -> Reply:
    """Remove an inline policy."""
    return entities.delete_inline(call, USER, user_name, policy_name)


@iam.operation(resource=user_arn)
def list_user_policies(call: IamCall, *, user_name: str, marker: str = "", max_items: int = DEFAULT_ITEMS) -> Reply:
    """Names of inline policies, in pages."""
    return entities.list_inline(call, USER, user_name, marker, max_items)


@iam.operation(resource=user_arn)
def attach_user_policy(call: IamCall, *, user_name: str, policy_arn: str) -> Reply:
    """Attach a managed policy."""
    return entities.attach(call, USER, user_name, policy_arn)


@iam.operation(resource=user_arn)
def detach_user_policy(call: IamCall, *, user_name: str, policy_arn: str) -> Reply:
    """Detach a managed policy."""
    return entities.detach(call, USER, user_name, policy_arn)


@iam.operation(resource=user_arn)
def list_attached_user_policies(
    call: IamCall, *, user_name: str, path_prefix: str = "/", marker: str = "", max_items: int = DEFAULT_ITEMS
) -> Reply:
    """Attached managed policies, in pages."""
    return entities.list_attached(call, USER, user_name, path_prefix, marker, max_items)


@iam.operation(resource=user_arn)
def put_user_permissions_boundary(call: IamCall, *, user_name: str, permissions_boundary: str) -> Reply:
    """Set the permissions boundary."""
    return entities.set_boundary(call, USER, user_name, permissions_boundary)


@iam.operation(resource=user_arn)
def delete_user_permissions_boundary(call: IamCall, *, user_name: str) -> Reply:
    """Remove the permissions boundary."""
    return entities.set_boundary(call, USER, user_name, "")


@iam.operation(resource=user_arn)
def tag_user(call: IamCall, *, user_name: str, tags: Tags) -> Reply:
    """Set tags."""
    return entities.tag(call, USER, user_name, tags)


@iam.operation(resource=user_arn)
def untag_user(call: IamCall, *, user_name: str, tag_keys: Sequence[str]) -> Reply:
    """Remove tags."""
    return entities.untag(call, USER, user_name, tag_keys)


@iam.operation(resource=user_arn)
def list_user_tags(call: IamCall, *, user_name: str, marker: str = "", max_items: int = DEFAULT_ITEMS) -> Reply:
    """Tags, in pages."""
    return entities.list_tags(call, USER, user_name, marker, max_items)
