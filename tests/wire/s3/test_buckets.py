"""Buckets, their configuration and their policies over the wire."""

from __future__ import annotations

import json

from outlast.cloud.services.s3.timers import DAY_MS, expire_by
from tests.wire.iam.inside import ACCOUNT, Inside
from tests.wire.iam.test_iam import allow, code_of, message_of, new_user


async def test_a_bucket_lives_from_creation_to_deletion(inside: Inside) -> None:
    def scene() -> None:
        s3 = inside.client("s3")
        s3.create_bucket(Bucket="first")
        s3.create_bucket(Bucket="first")
        s3.create_bucket(Bucket="second")
        assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == ["first", "second"]
        assert s3.head_bucket(Bucket="first")["BucketRegion"] == "us-east-1"
        assert s3.get_bucket_location(Bucket="first")["LocationConstraint"] is None
        s3.delete_bucket(Bucket="first")
        assert code_of(s3.head_bucket, Bucket="first") == "404"
        assert code_of(s3.delete_bucket, Bucket="first") == "NoSuchBucket"
        assert code_of(s3.list_objects_v2, Bucket="first") == "NoSuchBucket"
        west = {"LocationConstraint": "us-west-2"}
        assert code_of(s3.create_bucket, Bucket="third", CreateBucketConfiguration=west) == (
            "IllegalLocationConstraintException"
        )

    await inside.play(scene)


async def test_bad_names_are_refused(inside: Inside) -> None:
    def scene() -> None:
        s3 = inside.client("s3")
        for name in ("Upper", "a..b", "192.168.0.1", "xn--a", "-abc"):
            assert code_of(s3.create_bucket, Bucket=name) == "InvalidBucketName"

    await inside.play(scene)


async def test_configuration_is_kept(inside: Inside) -> None:
    def scene() -> None:
        s3 = inside.client("s3")
        s3.create_bucket(Bucket="box")
        named = {"Bucket": "box"}
        assert "Status" not in s3.get_bucket_versioning(**named)
        assert code_of(s3.get_bucket_tagging, **named) == "NoSuchTagSet"
        assert code_of(s3.get_bucket_policy, **named) == "NoSuchBucketPolicy"
        assert code_of(s3.get_bucket_lifecycle_configuration, **named) == "NoSuchLifecycleConfiguration"
        s3.put_bucket_tagging(**named, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
        assert s3.get_bucket_tagging(**named)["TagSet"] == [{"Key": "a", "Value": "b"}]
        rules = [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 3}}]
        s3.put_bucket_lifecycle_configuration(**named, LifecycleConfiguration={"Rules": rules})
        assert s3.get_bucket_lifecycle_configuration(**named)["Rules"] == rules
        encryption = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]}
        assert code_of(s3.put_bucket_encryption, **named, ServerSideEncryptionConfiguration=encryption) == (
            "NotImplemented"
        )
        block = {"BlockPublicAcls": True, "BlockPublicPolicy": False}
        s3.put_public_access_block(**named, PublicAccessBlockConfiguration=block)
        shown = s3.get_public_access_block(**named)["PublicAccessBlockConfiguration"]
        assert (shown["BlockPublicAcls"], shown["BlockPublicPolicy"]) == (True, False)

    await inside.play(scene)


async def test_a_bucket_policy_gives_and_takes(inside: Inside) -> None:
    def scene() -> None:
        iam, s3 = inside.client("iam"), inside.client("s3")
        s3.create_bucket(Bucket="box")
        s3.put_object(Bucket="box", Key="k", Body=b"1")
        ann = inside.client("s3", new_user(iam, "ann"))
        assert "no identity-based policy allows the s3:GetObject action" in message_of(
            ann.get_object, Bucket="box", Key="k"
        )
        who = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/ann"}
        give = {**allow("s3:GetObject", "arn:aws:s3:::box/*"), "Principal": who}
        s3.put_bucket_policy(Bucket="box", Policy=json.dumps({"Version": "2012-10-17", "Statement": [give]}))
        assert ann.get_object(Bucket="box", Key="k")["Body"].read() == b"1"
        assert code_of(ann.put_object, Bucket="box", Key="k", Body=b"2") == "AccessDenied"
        take = {**give, "Effect": "Deny"}
        s3.put_bucket_policy(Bucket="box", Policy=json.dumps({"Version": "2012-10-17", "Statement": [give, take]}))
        assert "explicit deny in a resource-based policy" in message_of(ann.get_object, Bucket="box", Key="k")
        s3.delete_bucket_policy(Bucket="box")
        assert code_of(ann.get_object, Bucket="box", Key="k") == "AccessDenied"

    await inside.play(scene)


async def test_public_policies_are_blocked_until_they_are_not(inside: Inside) -> None:
    def scene() -> None:
        s3 = inside.client("s3")
        s3.create_bucket(Bucket="box")
        public = json.dumps({"Statement": [{**allow("s3:GetObject", "arn:aws:s3:::box/*"), "Principal": "*"}]})
        assert code_of(s3.put_bucket_policy, Bucket="box", Policy=public) == "AccessDenied"
        s3.delete_public_access_block(Bucket="box")
        s3.put_bucket_policy(Bucket="box", Policy=public)
        assert code_of(s3.put_bucket_policy, Bucket="box", Policy="{}") == "MalformedPolicy"

    await inside.play(scene)


async def test_old_objects_expire(inside: Inside) -> None:
    def prepare() -> None:
        s3 = inside.client("s3")
        s3.create_bucket(Bucket="box")
        for key in ("x/old", "y/old"):
            s3.put_object(Bucket="box", Key=key)

    await inside.play(prepare)
    state = inside.gate.hosted["s3"].state
    rule = {"Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 3}}
    document = state.buckets.get("box")
    inside.clock.skew_ms = 3 * DAY_MS - 60_000
    assert expire_by(state, "box", document, rule) == 0
    inside.clock.skew_ms = 3 * DAY_MS + 60_000
    assert expire_by(state, "box", document, rule) == 1
    assert state.objects.current("box", "x/old") is None
    assert state.objects.current("box", "y/old") is not None


async def test_a_bucket_of_another_region_says_where_it_is(inside: Inside) -> None:
    inside.gate.hosted["s3"].state.names.put("far", {"Region": "us-west-2", "Created": 0})

    def scene() -> None:
        """boto3 follows the redirection: it signs for the other Region, which is not this one."""
        refused = message_of(inside.client("s3").list_objects, Bucket="far")
        assert refused == "Credential should be scoped to a valid region, not 'us-west-2'. "

    await inside.play(scene)
