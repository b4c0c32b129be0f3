"""IAM's documents in the shapes of the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from outlast.cloud.services.iam import managed
from outlast.cloud.services.iam.errors import InvalidInput, LimitExceeded

Document = Mapping[str, Any]
MOST_TAGS = 50


def encoded(document: str) -> str:
    """Policy documents travel URL-encoded (RFC 3986) in replies."""
    return quote(document, safe="-_.~")


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as the API lists them."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def merged_tags(old: Mapping[str, str], given: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """`old` with the given ones set; raises InvalidInput or LimitExceeded."""
    keys = [tag["Key"] for tag in given]
    if len({key.lower() for key in keys}) != len(keys):
        raise InvalidInput("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.lower().startswith("aws:") for key in keys):
        raise InvalidInput("System tag keys cannot be set by a user: aws:")
    replaced = {key.lower() for key in keys}
    tags = {key: value for key, value in old.items() if key.lower() not in replaced}
    tags.update({tag["Key"]: tag["Value"] for tag in given})
    if len(tags) > MOST_TAGS:
        raise LimitExceeded("The number of tags has reached the maximum limit.")
    return tags


def _entity(document: Document, noun: str, whole: bool) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "Path": document["Path"],
        f"{noun}Name": document["Name"],
        f"{noun}Id": document["Id"],
        "Arn": document["Arn"],
        "CreateDate": document["Created"],
    }
    if whole and document.get("Boundary"):
        shape["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": document["Boundary"],
        }
    if whole and document["Tags"]:
        shape["Tags"] = tag_list(document["Tags"])
    return shape


def user(document: Document, *, whole: bool = True) -> dict[str, Any]:
    """A User; lists show neither boundary nor tags (the note on
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUsers.html)."""
    return _entity(document, "User", whole)


def role(document: Document, *, whole: bool = True) -> dict[str, Any]:
    """A Role; lists show neither boundary, tags nor last use."""
    shape = _entity(document, "Role", whole)
    shape["AssumeRolePolicyDocument"] = encoded(document["Trust"])
    shape["MaxSessionDuration"] = document["MaxSession"]
    if document.get("Description"):
        shape["Description"] = document["Description"]
    if whole:
        shape["RoleLastUsed"] = {}
    return shape


def policy(document: Document, attachments: int, boundaries: int, *, whole: bool = True) -> dict[str, Any]:
    """A Policy (its documents are in its versions); lists show neither description nor tags."""
    shape: dict[str, Any] = {
        "PolicyName": document["Name"],
        "PolicyId": document["Id"],
        "Arn": document["Arn"],
        "Path": document["Path"],
        "DefaultVersionId": document["Default"],
        "AttachmentCount": attachments,
        "PermissionsBoundaryUsageCount": boundaries,
        "IsAttachable": True,
        "CreateDate": document["Created"],
        "UpdateDate": document["Updated"],
    }
    if whole:
        if document.get("Description"):
            shape["Description"] = document["Description"]
        shape["Tags"] = tag_list(document["Tags"])
    return shape


def aws_policy(name: str) -> dict[str, Any]:
    """The document of an AWS managed policy, as if it were stored here; `name` includes its path."""
    path, _, plain = name.rpartition("/")
    text = managed.document(managed.ROOT + name)
    return {
        "Name": plain,
        "Id": "ANPA" + plain.upper().replace("_", "").ljust(17, "A")[:17],
        "Arn": managed.ROOT + name,
        "Path": f"/{path}/" if path else "/",
        "Default": "v1",
        "Versions": {"v1": {"Document": text, "Created": managed.CREATED_S}},
        "Created": managed.CREATED_S,
        "Updated": managed.CREATED_S,
        "Tags": {},
        "Description": "",
    }


def policy_version(version_id: str, version: Document, default: str, *, with_document: bool) -> dict[str, Any]:
    """A PolicyVersion."""
    shape: dict[str, Any] = {
        "VersionId": version_id,
        "IsDefaultVersion": version_id == default,
        "CreateDate": version["Created"],
    }
    if with_document:
        shape["Document"] = encoded(version["Document"])
    return shape
