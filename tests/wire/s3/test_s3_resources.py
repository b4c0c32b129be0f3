"""CloudFormation's S3 types."""

from __future__ import annotations

from typing import Any

import pytest

from outlast.cloud.contract import Fault
from outlast.cloud.services.s3.resources import Bucket, BucketPolicy
from tests.wire.iam.inside import Inside
from tests.wire.iam.stacks import StackCalls, stack

FULL: dict[str, Any] = {
    "VersioningConfiguration": {"Status": "Enabled"},
    "BucketEncryption": {
        "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    },
    "PublicAccessBlockConfiguration": {"BlockPublicAcls": True, "BlockPublicPolicy": "true"},
    "LifecycleConfiguration": {"Rules": [{"Id": "expire", "Status": "Enabled", "ExpirationInDays": "7"}]},
    "Tags": [{"Key": "a", "Value": "b"}],
}


async def test_a_bucket(inside: Inside) -> None:
    aws, state = StackCalls(inside), inside.gate.hosted["s3"].state
    made = await Bucket().create(aws, FULL, stack("CodeBucket"))
    assert made.physical_id == "s-codebucket-abcdefghijkl"
    assert made.attributes["Arn"] == "arn:aws:s3:::s-codebucket-abcdefghijkl"
    assert await Bucket().create(aws, FULL, stack("CodeBucket")) == made
    kept = state.bucket(made.physical_id)
    assert kept["Versioning"] == "Enabled"
    assert kept["Lifecycle"][0]["Expiration"] == {"Days": 7}
    assert kept["PublicAccessBlock"]["BlockPublicPolicy"] is True
    assert await Bucket().update(aws, made.physical_id, FULL, {}, stack("CodeBucket")) == made
    changed = state.bucket(made.physical_id)
    assert (changed["Versioning"], "Lifecycle" in changed, "Tags" in changed) == ("Suspended", False, False)
    assert await Bucket().update(aws, made.physical_id, {}, {"BucketName": "new"}, stack("CodeBucket")) is None
    for _ in range(2):
        await Bucket().delete(aws, made.physical_id, {}, stack("CodeBucket"))


async def test_a_named_bucket_that_exists_already_is_not_taken_over(inside: Inside) -> None:
    aws = StackCalls(inside)
    await Bucket().create(aws, {"BucketName": "mine"}, stack("One"))
    with pytest.raises(Fault, match="already exists"):
        await Bucket().create(aws, {"BucketName": "mine"}, stack("Two"))


async def test_unknown_lifecycle_settings_fail_by_name(inside: Inside) -> None:
    rule = {"Status": "Enabled", "Transitions": []}
    with pytest.raises(Fault, match="Transitions"):
        await Bucket().create(StackCalls(inside), {"LifecycleConfiguration": {"Rules": [rule]}}, stack("B"))


async def test_a_bucket_with_objects_is_not_deleted(inside: Inside) -> None:
    aws = StackCalls(inside)
    made = await Bucket().create(aws, {}, stack("B"))
    await aws("s3", "PutObject", {"Bucket": made.physical_id, "Key": "k", "Body": b"1"})
    with pytest.raises(Fault) as caught:
        await Bucket().delete(aws, made.physical_id, {}, stack("B"))
    assert caught.value.code == "BucketNotEmpty"


async def test_a_bucket_policy(inside: Inside) -> None:
    aws, state = StackCalls(inside), inside.gate.hosted["s3"].state
    await Bucket().create(aws, {"BucketName": "box"}, stack("B"))
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::box", "arn:aws:s3:::box/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    properties = {"Bucket": "box", "PolicyDocument": {"Version": "2012-10-17", "Statement": [deny]}}
    made = await BucketPolicy().create(aws, properties, stack("P"))
    assert made.physical_id == "box"
    assert state.policy("arn:aws:s3:::box/k")["Statement"] == [deny]
    for _ in range(2):
        await BucketPolicy().delete(aws, "box", properties, stack("P"))
    assert state.policy("arn:aws:s3:::box") is None
