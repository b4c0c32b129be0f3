"""Roles and their trust policies."""

from __future__ import annotations

from collections.abc import Sequence

from outlast.cloud.contract import Reply
from outlast.cloud.services.iam import rules, shapes
from outlast.cloud.services.iam.operations import entities
from outlast.cloud.services.iam.operations.entities import IamCall, Tags
from outlast.cloud.services.iam.pages import DEFAULT_ITEMS
from outlast.cloud.services.iam.service import iam, role_arn
from outlast.cloud.services.iam.state import DEFAULT_MAX_SESSION_S, ROLE


@iam.operation(resource=role_arn)
def create_role(
    call: IamCall,
    *,
    role_name: str,
    assume_role_policy_document: str,
    path: str = "/",
    description: str = "",
    max_session_duration: int = DEFAULT_MAX_SESSION_S,
    permissions_boundary: str = "",
    tags: Tags = (),
) -> Reply:
    """Make a role that those in its trust policy may assume."""
    trust = rules.checked_trust(call.state, assume_role_policy_document)
    entity = entities.new_entity(call, ROLE, role_name, path, permissions_boundary, tags, "AROA")
    document = {**entity, "Trust": trust, "Description": description, "MaxSession": max_session_duration}
    call.state.save(ROLE, document)
    return {"Role": shapes.role(document)}


@iam.operation(resource=role_arn)
def get_role(call: IamCall, *, role_name: str) -> Reply:
    """A role."""
    return {"Role": shapes.role(call.state.find(ROLE, role_name))}


@iam.operation(resource=role_arn)
def delete_role(call: IamCall, *, role_name: str) -> Reply:
    """Remove a role that has no policies any more."""
    return entities.delete_entity(call, ROLE, role_name)


@iam.operation(resource="arn:aws:iam::{account}:role/*")
def list_roles(call: IamCall, *, path_prefix: str = "/", marker: str = "", max_items: int = DEFAULT_ITEMS) -> Reply:
    """Roles, in pages."""
    return entities.list_entities(call, ROLE, path_prefix, marker, max_items)


@iam.operation(resource=role_arn)
def update_role(
    call: IamCall, *, role_name: str, description: str = "", max_session_duration: int = DEFAULT_MAX_SESSION_S
) -> Reply:
    """Set description and longest session; what is not given goes back to its default, as on AWS."""
    document = call.state.find(ROLE, role_name)
    call.state.save(ROLE, {**document, "Description": description, "MaxSession": max_session_duration})
    return {}


@iam.operation(resource=role_arn)
def update_role_description(call: IamCall, *, role_name: str, description: str) -> Reply:
    """Set the description."""
    document = {**call.state.find(ROLE, role_name), "Description": description}
    call.state.save(ROLE, document)
    return {"Role": shapes.role(document)}


@iam.operation(resource=role_arn)
def update_assume_role_policy(call: IamCall, *, role_name: str, policy_document: str) -> Reply:
    """Replace the trust policy."""
    document = call.state.find(ROLE, role_name)
    call.state.save(ROLE, {**document, "Trust": rules.checked_trust(call.state, policy_document)})
    return {}


@iam.operation(resource=role_arn)
def list_instance_profiles_for_role(
    call: IamCall, *, role_name: str, marker: str = "", max_items: int = DEFAULT_ITEMS
) -> Reply:
    """Always none: this cloud has no instances."""
    call.state.find(ROLE, role_name)
    return {"InstanceProfiles": [], "IsTruncated": False}


@iam.operation(resource=role_arn)
def put_role_policy(call: IamCall, *, role_name: str, policy_name: str, policy_document: str) -> Reply:
    """Add or replace an inline policy."""
    return entities.put_inline(call, ROLE, role_name, policy_name, policy_document)


@iam.operation(resource=role_arn)
def get_role_policy(call: IamCall, *, role_name: str, policy_name: str) -> Reply:
    """An inline policy's document."""
    return entities.get_inline(call, ROLE, role_name, policy_name)


@iam.operation(resource=role_arn)
def delete_role_policy(call: IamCall, *, role_name: str, policy_name: str) -> Reply:
    """Remove an inline policy."""
    return entities.delete_inline(call, ROLE, role_name, policy_name)


@iam.operation(resource=role_arn)
def list_role_policies(call: IamCall, *, role_name: str, marker: str = "", max_items: int = DEFAULT_ITEMS) -> Reply:
    """Names of inline policies, in pages."""
    return entities.list_inline(call, ROLE, role_name, marker, max_items)


@iam.operation(resource=role_arn)
def attach_role_policy(call: IamCall, *, role_name: str, policy_arn: str) -> Reply:
    """Attach a managed policy."""
    return entities.attach(call, ROLE, role_name, policy_arn)


@iam.operation(resource=role_arn)
def detach_role_policy(call: IamCall, *, role_name: str, policy_arn: str) -> Reply:
    """Detach a managed policy."""
    return entities.detach(call, ROLE, role_name, policy_arn)


@iam.operation(resource=role_arn)
def list_attached_role_policies(
    call: IamCall, *, role_name: str, path_prefix: str = "/", marker: str = "", max_items: int = DEFAULT_ITEMS
) -> Reply:
    """Attached managed policies, in pages."""
    return entities.list_attached(call, ROLE, role_name, path_prefix, marker, max_items)


@iam.operation(resource=role_arn)
def put_role_permissions_boundary(call: IamCall, *, role_name: str, permissions_boundary: str) -> Reply:
    """Set the permissions boundary."""
    return entities.set_boundary(call, ROLE, role_name, permissions_boundary)


@iam.operation(resource=role_arn)
def delete_role_permissions_boundary(call: IamCall, *, role_name: str) -> Reply:
    """Remove the permissions boundary."""
    return entities.set_boundary(call, ROLE, role_name, "")


@iam.operation(resource=role_arn)
def tag_role(call: IamCall, *, role_name: str, tags: Tags) -> Reply:
    """Set tags."""
    return entities.tag(call, ROLE, role_name, tags)


@iam.operation(resource=role_arn)
def untag_role(call: IamCall, *, role_name: str, tag_keys: Sequence[str]) -> Reply:
    """Remove tags."""
    return entities.untag(call, ROLE, role_name, tag_keys)


@iam.operation(resource=role_arn)
def list_role_tags(call: IamCall, *, role_name: str, marker: str = "", max_items: int = DEFAULT_ITEMS) -> Reply:
    """Tags, in pages."""
    return entities.list_tags(call, ROLE, role_name, marker, max_items)
