"""Buckets: made, found, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.s3.errors import (
    AccessControlListNotSupported,
    BucketAlreadyOwnedByYou,
    BucketNotEmpty,
    IllegalLocationConstraintException,
    InvalidArgument,
    NotImplementedByThisCloud,
)
from outlast.cloud.services.s3.service import BUCKET, s3
from outlast.cloud.services.s3.state import S3State, check_name

S3Call = Call[S3State]
FIRST_REGION = "us-east-1"


def check_owner(call: S3Call, expected: str) -> None:
    """Raise unless the bucket's owner is the one that the client expects (there is but one account)."""
    if expected and expected != call.region.account_id:
        raise InvalidArgument("The value specified in x-amz-expected-bucket-owner is not the bucket's owner.")


def owner(call: S3Call) -> dict[str, str]:
    """The account as the owner of everything."""
    return {"ID": (call.region.account_id * 6)[:64]}


@s3.operation(resource=BUCKET, control_plane=True)
def create_bucket(
    call: S3Call,
    *,
    bucket: str,
    create_bucket_configuration: Mapping[str, Any] | None = None,
    acl: str = "private",
    object_ownership: str = "BucketOwnerEnforced",
) -> Reply:
    """Make a bucket in this Region."""
    check_name(bucket)
    if acl != "private" or object_ownership != "BucketOwnerEnforced":
        raise AccessControlListNotSupported("The bucket does not allow ACLs")
    configuration = dict(create_bucket_configuration or {})
    tags = configuration.pop("Tags", [])
    wanted = configuration.pop("LocationConstraint", None)
    if configuration:
        raise NotImplementedByThisCloud(f"{', '.join(configuration)} of a bucket is not supported by this cloud.")
    here = call.region.name
    if (wanted or FIRST_REGION) != here or wanted == FIRST_REGION:
        raise IllegalLocationConstraintException(
            f"The {wanted or 'unspecified'} location constraint is incompatible for the region specific endpoint this "
            "request was sent to."
        )
    if bucket in call.state.names or bucket in call.state.buckets:
        if here == FIRST_REGION and bucket in call.state.buckets:
            return {"Location": f"/{bucket}"}
        raise BucketAlreadyOwnedByYou(
            "Your previous request to create the named bucket succeeded and you already own it.", BucketName=bucket
        )
    document: dict[str, Any] = {"Name": bucket, "Created": int(call.now_s)}
    if tags:
        document["Tags"] = {tag["Key"]: tag["Value"] for tag in tags}
    call.state.buckets.put(bucket, document)
    call.state.names.put(bucket, {"Region": here, "Created": document["Created"]})
    return {"Location": f"/{bucket}"}


@s3.operation(resource=BUCKET, control_plane=True)
def delete_bucket(call: S3Call, *, bucket: str, expected_bucket_owner: str = "") -> Reply:
    """Remove an empty bucket."""
    check_owner(call, expected_bucket_owner)
    call.state.bucket(bucket)
    if not call.state.objects.is_empty(bucket):
        raise BucketNotEmpty("The bucket you tried to delete is not empty", BucketName=bucket)
    call.state.buckets.delete(bucket)
    call.state.names.delete(bucket)
    return {}


@s3.operation(resource=BUCKET, action="s3:ListBucket")
def head_bucket(call: S3Call, *, bucket: str, expected_bucket_owner: str = "") -> Reply:
    """Whether the bucket is here."""
    check_owner(call, expected_bucket_owner)
    call.state.bucket(bucket)
    return {"BucketRegion": call.region.name, "AccessPointAlias": False}


@s3.operation(resource="*", action="s3:ListAllMyBuckets", control_plane=True)
def list_buckets(
    call: S3Call, *, prefix: str = "", max_buckets: int = 10_000, continuation_token: str = "", bucket_region: str = ""
) -> Reply:
    """The buckets of all Regions, by name."""
    rows = [
        (name, document)
        for name, document in call.state.names.items(prefix)
        if name > continuation_token and bucket_region in ("", document["Region"])
    ]
    chosen = rows[:max_buckets]
    reply: dict[str, Any] = {
        "Owner": owner(call),
        "Buckets": [
            {"Name": name, "CreationDate": document["Created"], "BucketRegion": document["Region"]}
            for name, document in chosen
        ],
    }
    if len(rows) > len(chosen):
        reply["ContinuationToken"] = chosen[-1][0]
    if prefix:
        reply["Prefix"] = prefix
    return reply


@s3.operation(resource=BUCKET)
def get_bucket_location(call: S3Call, *, bucket: str, expected_bucket_owner: str = "") -> Reply:
    """The bucket's Region; nothing for us-east-1."""
    check_owner(call, expected_bucket_owner)
    call.state.bucket(bucket)
    return {} if call.region.name == FIRST_REGION else {"LocationConstraint": call.region.name}
