"""What can be set on a bucket: policy, versioning, encryption, public access, expiry, tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlast.cloud.contract import Reply
from outlast.cloud.identity import policy as evaluator
from outlast.cloud.services.s3.errors import (
    AccessDenied,
    IllegalVersioningConfigurationException,
    MalformedPolicy,
    MalformedXML,
    NotImplementedByThisCloud,
    NotThere,
)
from outlast.cloud.services.s3.operations.buckets import S3Call, check_owner
from outlast.cloud.services.s3.service import BUCKET, s3

_BODY_CHECKS = ("ContentMD5", "ChecksumAlgorithm")
"""Digests of the request body: the signature covers the body already."""
BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_DEFAULT_ENCRYPTION = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}


def _field(call: S3Call, bucket: str, expected: str, name: str) -> Any:
    check_owner(call, expected)
    return call.state.bucket(bucket).get(name)


def _set(call: S3Call, bucket: str, expected: str, **fields: Any) -> Reply:
    check_owner(call, expected)
    call.state.change(bucket, **fields)
    return {}


@s3.operation(resource=BUCKET, ignored=_BODY_CHECKS, control_plane=True)
def put_bucket_policy(
    call: S3Call,
    *,
    bucket: str,
    policy: str,
    confirm_remove_self_bucket_access: bool = False,
    expected_bucket_owner: str = "",
) -> Reply:
    """Set the bucket policy. One that opens the bucket to all is refused while public policies are blocked."""
    try:
        compiled = evaluator.compile_policy(policy, "resource")
    except evaluator.MalformedPolicy as bad:
        raise MalformedPolicy(bad.message) from None
    arn = f"arn:aws:s3:::{bucket}"
    blocked = (call.state.bucket(bucket).get("PublicAccessBlock") or dict.fromkeys(BLOCKS, True))["BlockPublicPolicy"]
    for statement in compiled.statements:
        who = statement.principals
        if blocked and statement.allow and who is not None and who.everyone and not statement.conditions:
            raise AccessDenied(
                f'User: {call.principal.arn} is not authorized to perform: s3:PutBucketPolicy on resource: "{arn}" '
                "because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access."
            )
    return _set(call, bucket, expected_bucket_owner, Policy=policy)


@s3.operation(resource=BUCKET, control_plane=True)
def get_bucket_policy(call: S3Call, *, bucket: str, expected_bucket_owner: str = "") -> Reply:
    """The bucket policy."""
    text = _field(call, bucket, expected_bucket_owner, "Policy")
    if text is None:
        raise NotThere("NoSuchBucketPolicy", "The bucket policy does not exist", bucket)
    return {"Policy": text}


@s3.operation(resource=BUCKET, control_plane=True)
def delete_bucket_policy(call: S3Call, *, bucket: str, expected_bucket_owner: str = "") -> Reply:
    """Remove the bucket policy."""
    return _set(call, bucket, expected_bucket_owner, Policy=None)


@s3.operation(resource=BUCKET, ignored=_BODY_CHECKS, control_plane=True)
def put_bucket_versioning(
    call: S3Call, *, bucket: str, versioning_configuration: Mapping[str, Any], expected_bucket_owner: str = ""
) -> Reply:
    """Switch versioning on, or suspend it."""
    if versioning_configuration.get("MFADelete", "Disabled") != "Disabled":
        raise NotImplementedByThisCloud("MFA delete is not supported by this cloud.")
    status = versioning_configuration.get("Status")
    if status not in ("Enabled", "Suspended"):
        raise IllegalVersioningConfigurationException("The Versioning element must be specified")
    return _set(call, bucket, expected_bucket_owner, Versioning=status)


@s3.operation(resource=BUCKET, control_plane=True)
def get_bucket_versioning(call: S3Call, *, bucket: str, expected_bucket_owner: str = "") -> Reply:
    """Whether versioning is on, suspended, or was never on (then nothing)."""
    status = _field(call, bucket, expected_bucket_owner, "Versioning")
    return {} if status is None else {"Status": status}


@s3.operation(resource=BUCKET, action="s3:PutEncryptionConfiguration", ignored=_BODY_CHECKS, control_plane=True)
def put_bucket_encryption(
    call: S3Call,
    *,
    bucket: str,
    server_side_encryption_configuration: Mapping[str, Any],
    expected_bucket_owner: str = "",
) -> Reply:
    """Set default encryption; everything is encrypted here anyway, and AES256 is the only kind."""
    for rule in server_side_encryption_configuration["Rules"]:
        algorithm = rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm", "AES256")
        if algorithm != "AES256":
            raise NotImplementedByThisCloud(f"Encryption by {algorithm} is not supported by this cloud.")
    return _set(call, bucket, expected_bucket_owner, Encryption=server_side_encryption_configuration)


@s3.operation(resource=BUCKET, action="s3:GetEncryptionConfiguration", control_plane=True)
def get_bucket_encryption(call: S3Call, *, bucket: str, expected_bucket_owner: str = "") -> Reply:
    """Default encryption."""
    found = _field(call, bucket, expected_bucket_owner, "Encryption")
    return {"ServerSideEncryptionConfiguration": found or _DEFAULT_ENCRYPTION}


@s3.operation(resource=BUCKET, action="s3:PutEncryptionConfiguration", control_plane=True)
def delete_bucket_encryption(call: S3Call, *, bucket: str, expected_bucket_owner: str = "") -> Reply:
    """Back to the default, which is AES256."""
    return _set(call, bucket, expected_bucket_owner, Encryption=None)


@s3.operation(resource=BUCKET, action="s3:PutBucketPublicAccessBlock", ignored=_BODY_CHECKS, control_plane=True)
def put_public_access_block(
    call: S3Call,
    *,
    bucket: str,
    public_access_block_configuration: Mapping[str, bool],
    expected_bucket_owner: str = "",
) -> Reply:
    """Say what of public access is blocked."""
    block = {name: bool(public_access_block_configuration.get(name, False)) for name in BLOCKS}
    return _set(call, bucket, expected_bucket_owner, PublicAccessBlock=block)


@s3.operation(resource=BUCKET, action="s3:GetBucketPublicAccessBlock", control_plane=True)
def get_public_access_block(call: S3Call, *, bucket: str, expected_bucket_owner: str = "") -> Reply:
    """What of public access is blocked: everything, unless set otherwise."""
    block = _field(call, bucket, expected_bucket_owner, "PublicAccessBlock")
    return {"PublicAccessBlockConfiguration": block or dict.fromkeys(BLOCKS, True)}


@s3.operation(resource=BUCKET, action="s3:PutBucketPublicAccessBlock", control_plane=True)
def delete_public_access_block(call: S3Call, *, bucket: str, expected_bucket_owner: str = "") -> Reply:
    """Block nothing; requests must still be signed."""
    return _set(call, bucket, expected_bucket_owner, PublicAccessBlock=dict.fromkeys(BLOCKS, False))


_RULE = frozenset({"ID", "Status", "Prefix", "Filter", "Expiration", "NoncurrentVersionExpiration"})


@s3.operation(
    resource=BUCKET, action="s3:PutLifecycleConfiguration", ignored=("ChecksumAlgorithm",), control_plane=True
)
def put_bucket_lifecycle_configuration(
    call: S3Call,
    *,
    bucket: str,
    lifecycle_configuration: Mapping[str, Any] | None = None,
    expected_bucket_owner: str = "",
) -> Reply:
    """Set rules that let objects expire by age."""
    rules = (lifecycle_configuration or {}).get("Rules")
    if not rules:
        raise MalformedXML("A lifecycle configuration has at least one rule")
    for rule in rules:
        _check_rule(rule)
    return _set(call, bucket, expected_bucket_owner, Lifecycle=rules)


def _check_rule(rule: Mapping[str, Any]) -> None:
    unknown = rule.keys() - _RULE
    unknown |= rule.get("Filter", {}).keys() - {"Prefix"}
    unknown |= rule.get("Expiration", {}).keys() - {"Days"}
    unknown |= rule.get("NoncurrentVersionExpiration", {}).keys() - {"NoncurrentDays"}
    if unknown:
        raise NotImplementedByThisCloud(f"{', '.join(sorted(unknown))} of a lifecycle rule is not supported here.")
    ages = [rule.get("Expiration", {}).get("Days"), rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays")]
    if all(age is None for age in ages) or any(age is not None and age < 1 for age in ages):
        raise MalformedXML("A lifecycle rule needs an age in days, which is a positive integer")


@s3.operation(resource=BUCKET, action="s3:GetLifecycleConfiguration", control_plane=True)
def get_bucket_lifecycle_configuration(call: S3Call, *, bucket: str, expected_bucket_owner: str = "") -> Reply:
    """The rules."""
    rules = _field(call, bucket, expected_bucket_owner, "Lifecycle")
    if rules is None:
        raise NotThere("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", bucket)
    return {"Rules": rules}


@s3.operation(resource=BUCKET, action="s3:PutLifecycleConfiguration", control_plane=True)
def delete_bucket_lifecycle(call: S3Call, *, bucket: str, expected_bucket_owner: str = "") -> Reply:
    """Remove the rules."""
    return _set(call, bucket, expected_bucket_owner, Lifecycle=None)


@s3.operation(resource=BUCKET, ignored=_BODY_CHECKS, control_plane=True)
def put_bucket_tagging(
    call: S3Call, *, bucket: str, tagging: Mapping[str, Any], expected_bucket_owner: str = ""
) -> Reply:
    """Replace the bucket's tags."""
    tags = {tag["Key"]: tag["Value"] for tag in tagging["TagSet"]}
    return _set(call, bucket, expected_bucket_owner, Tags=tags)


@s3.operation(resource=BUCKET, control_plane=True)
def get_bucket_tagging(call: S3Call, *, bucket: str, expected_bucket_owner: str = "") -> Reply:
    """The bucket's tags."""
    tags = _field(call, bucket, expected_bucket_owner, "Tags")
    if not tags:
        raise NotThere("NoSuchTagSet", "The TagSet does not exist", bucket)
    return {"TagSet": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}


@s3.operation(resource=BUCKET, action="s3:PutBucketTagging", control_plane=True)
def delete_bucket_tagging(call: S3Call, *, bucket: str, expected_bucket_owner: str = "") -> Reply:
    """Remove the bucket's tags."""
    return _set(call, bucket, expected_bucket_owner, Tags=None)
