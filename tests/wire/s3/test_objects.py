"""Objects over the wire."""

from __future__ import annotations

import base64
import hashlib
import zlib
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from outlast.cloud.gateway import pipeline
from outlast.cloud.wire import Request, Response
from tests.wire.iam.inside import Inside
from tests.wire.iam.test_iam import code_of

BIG = bytes(range(256)) * 4000  # a little under 1 MB: several pieces


def bucket(inside: Inside, name: str = "box", **settings: Any) -> Any:
    s3 = inside.client("s3", **settings)
    s3.create_bucket(Bucket=name)
    return s3


async def test_an_object_comes_back_as_it_was_written(inside: Inside) -> None:
    def scene() -> None:
        s3 = bucket(inside)
        put = s3.put_object(
            Bucket="box",
            Key="a b/ü+c",
            Body=BIG,
            ContentType="image/png",
            Metadata={"who": "me"},
            CacheControl="no-store",
        )
        assert put["ETag"] == f'"{hashlib.md5(BIG).hexdigest()}"'
        crc = base64.b64encode(zlib.crc32(BIG).to_bytes(4, "big")).decode()
        assert put["ChecksumCRC32"] == crc
        got = s3.get_object(Bucket="box", Key="a b/ü+c", ChecksumMode="ENABLED")
        assert got["Body"].read() == BIG
        assert (got["ContentType"], got["Metadata"], got["CacheControl"]) == ("image/png", {"who": "me"}, "no-store")
        head = s3.head_object(Bucket="box", Key="a b/ü+c")
        assert (head["ContentLength"], head["ETag"]) == (len(BIG), put["ETag"])
        s3.delete_object(Bucket="box", Key="a b/ü+c")
        assert code_of(s3.get_object, Bucket="box", Key="a b/ü+c") == "NoSuchKey"
        assert code_of(s3.head_object, Bucket="box", Key="a b/ü+c") == "404"
        s3.delete_object(Bucket="box", Key="never")

    await inside.play(scene)


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=262143-262144", 262143, 262145),
        ("bytes=300000-", 300000, len(BIG)),
        ("bytes=-5", len(BIG) - 5, len(BIG)),
        (f"bytes=5-{len(BIG) * 2}", 5, len(BIG)),
    ],
)
async def test_ranges(inside: Inside, header: str, start: int, end: int) -> None:
    def scene() -> None:
        s3 = bucket(inside)
        s3.put_object(Bucket="box", Key="k", Body=BIG)
        got = s3.get_object(Bucket="box", Key="k", Range=header)
        assert got["Body"].read() == BIG[start:end]
        assert got["ContentRange"] == f"bytes {start}-{end - 1}/{len(BIG)}"
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert code_of(s3.get_object, Bucket="box", Key="k", Range=f"bytes={len(BIG)}-") == "InvalidRange"

    await inside.play(scene)


async def test_conditions_of_reads_and_writes(inside: Inside) -> None:
    def scene() -> None:
        s3 = bucket(inside)
        etag = s3.put_object(Bucket="box", Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
        assert code_of(s3.put_object, Bucket="box", Key="k", Body=b"2", IfNoneMatch="*") == "PreconditionFailed"
        assert code_of(s3.get_object, Bucket="box", Key="k", IfMatch='"other"') == "PreconditionFailed"
        assert code_of(s3.get_object, Bucket="box", Key="k", IfNoneMatch=etag) == "304"
        s3.put_object(Bucket="box", Key="k", Body=b"2", IfMatch=etag)
        assert code_of(s3.put_object, Bucket="box", Key="k", Body=b"3", IfMatch=etag) == "PreconditionFailed"
        assert code_of(s3.put_object, Bucket="box", Key="gone", Body=b"3", IfMatch=etag) == "NoSuchKey"
        assert code_of(s3.delete_object, Bucket="box", Key="gone", IfMatch=etag) == "NoSuchKey"
        with pytest.raises(ClientError) as refused:
            s3.copy_object(Bucket="box", Key="c", CopySource="box/k", CopySourceIfNoneMatch="*")
        assert refused.value.response["Error"]["Condition"] == "x-amz-copy-source-If-None-Match"
        assert code_of(s3.put_object, Bucket="box", Key="k", Body=b"3", Tagging="aws:a=b") == "InvalidTag"

    await inside.play(scene)


async def test_bad_checksums_are_refused(inside: Inside) -> None:
    def scene() -> None:
        s3 = bucket(inside)
        wrong = base64.b64encode(b"\0" * 4).decode()
        assert code_of(s3.put_object, Bucket="box", Key="k", Body=b"x", ChecksumCRC32=wrong) == "BadDigest"
        md5 = base64.b64encode(b"\0" * 16).decode()
        assert code_of(s3.put_object, Bucket="box", Key="k", Body=b"x", ContentMD5=md5) == "BadDigest"
        right = base64.b64encode(hashlib.sha256(b"x").digest()).decode()
        assert s3.put_object(Bucket="box", Key="k", Body=b"x", ChecksumSHA256=right)["ChecksumSHA256"] == right

    await inside.play(scene)


async def test_what_is_not_kept_is_refused_by_name(inside: Inside) -> None:
    def scene() -> None:
        s3 = bucket(inside)
        assert code_of(s3.put_object, Bucket="box", Key="k", StorageClass="GLACIER") == "InvalidStorageClass"
        assert code_of(s3.put_object, Bucket="box", Key="k", ServerSideEncryption="aws:kms") == "NotImplemented"
        assert code_of(s3.put_object, Bucket="box", Key="k", ACL="public-read") == "AccessControlListNotSupported"
        with pytest.raises(ClientError, match="CreateMultipartUpload"):
            s3.create_multipart_upload(Bucket="box", Key="k")

    await inside.play(scene)


async def test_versions_and_delete_markers(inside: Inside) -> None:
    def scene() -> None:
        s3 = bucket(inside)
        s3.put_object(Bucket="box", Key="k", Body=b"0")
        s3.put_bucket_versioning(Bucket="box", VersioningConfiguration={"Status": "Enabled"})
        first = s3.put_object(Bucket="box", Key="k", Body=b"1")["VersionId"]
        second = s3.put_object(Bucket="box", Key="k", Body=b"2")["VersionId"]
        assert s3.get_object(Bucket="box", Key="k")["Body"].read() == b"2"
        assert s3.get_object(Bucket="box", Key="k", VersionId=first)["Body"].read() == b"1"
        assert s3.get_object(Bucket="box", Key="k", VersionId="null")["Body"].read() == b"0"
        marker = s3.delete_object(Bucket="box", Key="k")
        assert marker["DeleteMarker"] is True
        assert code_of(s3.get_object, Bucket="box", Key="k") == "NoSuchKey"
        assert "Contents" not in s3.list_objects_v2(Bucket="box")
        listed = s3.list_object_versions(Bucket="box")
        assert [v["VersionId"] for v in listed["Versions"]] == [second, first, "null"]
        assert [(m["VersionId"], m["IsLatest"]) for m in listed["DeleteMarkers"]] == [(marker["VersionId"], True)]
        s3.delete_object(Bucket="box", Key="k", VersionId=marker["VersionId"])
        assert s3.get_object(Bucket="box", Key="k")["Body"].read() == b"2"
        s3.delete_object(Bucket="box", Key="k", VersionId=second)
        assert s3.get_object(Bucket="box", Key="k")["Body"].read() == b"1"
        assert code_of(s3.delete_bucket, Bucket="box") == "BucketNotEmpty"
        for version in (first, "null"):
            s3.delete_object(Bucket="box", Key="k", VersionId=version)
        s3.delete_bucket(Bucket="box")

    await inside.play(scene)


async def test_suspended_versioning_writes_over_null(inside: Inside) -> None:
    def scene() -> None:
        s3 = bucket(inside)
        s3.put_bucket_versioning(Bucket="box", VersioningConfiguration={"Status": "Enabled"})
        kept = s3.put_object(Bucket="box", Key="k", Body=b"1")["VersionId"]
        s3.put_bucket_versioning(Bucket="box", VersioningConfiguration={"Status": "Suspended"})
        for body in (b"2", b"3"):
            s3.put_object(Bucket="box", Key="k", Body=body)
        versions = s3.list_object_versions(Bucket="box")["Versions"]
        assert [v["VersionId"] for v in versions] == ["null", kept]
        assert s3.get_object(Bucket="box", Key="k")["Body"].read() == b"3"

    await inside.play(scene)


async def test_copies(inside: Inside) -> None:
    def scene() -> None:
        s3 = bucket(inside)
        s3.put_object(Bucket="box", Key="a b", Body=BIG, Metadata={"x": "y"})
        s3.copy_object(Bucket="box", Key="c", CopySource={"Bucket": "box", "Key": "a b"})
        got = s3.get_object(Bucket="box", Key="c")
        assert (got["Body"].read(), got["Metadata"]) == (BIG, {"x": "y"})
        s3.copy_object(Bucket="box", Key="c", CopySource="box/c", MetadataDirective="REPLACE", Metadata={"n": "1"})
        assert s3.head_object(Bucket="box", Key="c")["Metadata"] == {"n": "1"}
        assert code_of(s3.copy_object, Bucket="box", Key="c", CopySource="box/c") == "InvalidRequest"
        s3.copy_object(Bucket="box", Key="c", CopySource="box/c", StorageClass="STANDARD")
        assert code_of(s3.copy_object, Bucket="box", Key="c", CopySource="box/none") == "NoSuchKey"

    await inside.play(scene)


async def test_many_are_deleted_at_once(inside: Inside) -> None:
    def scene() -> None:
        s3 = bucket(inside)
        for key in ("a", "b"):
            s3.put_object(Bucket="box", Key=key)
        done = s3.delete_objects(Bucket="box", Delete={"Objects": [{"Key": "a"}, {"Key": "none"}]})
        assert [each["Key"] for each in done["Deleted"]] == ["a", "none"]
        assert [each["Key"] for each in s3.list_objects_v2(Bucket="box")["Contents"]] == ["b"]

    await inside.play(scene)


async def test_listings_roll_up_and_come_in_pages(inside: Inside) -> None:
    def scene() -> None:
        s3 = bucket(inside)
        keys = ["a", "b/1", "b/2", "b/c/3", "c", "d/1", "é"]
        for key in keys:
            s3.put_object(Bucket="box", Key=key)
        page = s3.list_objects_v2(Bucket="box", Delimiter="/")
        assert [each["Key"] for each in page["Contents"]] == ["a", "c", "é"]
        assert [each["Prefix"] for each in page["CommonPrefixes"]] == ["b/", "d/"]
        inner = s3.list_objects_v2(Bucket="box", Delimiter="/", Prefix="b/")
        assert [each["Key"] for each in inner["Contents"]] == ["b/1", "b/2"]
        for size in (1, 2, 3):
            for delimiter in ("", "/"):
                pages = s3.get_paginator("list_objects_v2").paginate(
                    Bucket="box", Delimiter=delimiter, PaginationConfig={"PageSize": size}
                )
                seen = []
                for each in pages:
                    assert each["KeyCount"] <= size
                    seen += [row["Key"] for row in each.get("Contents", ())]
                    seen += [row["Prefix"] for row in each.get("CommonPrefixes", ())]
                assert sorted(seen) == (["a", "b/", "c", "d/", "é"] if delimiter else keys)

    await inside.play(scene)


async def test_streamed_uploads_lose_their_framing(inside: Inside) -> None:
    """What SDKs send over TLS: an unsigned payload in chunks with a checksum in the trailer."""
    body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"

    def scene() -> None:
        s3 = bucket(inside)
        streamed = {
            "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "x-amz-trailer": "x-amz-checksum-crc32",
            "content-encoding": "aws-chunked",
            "x-amz-decoded-content-length": "5",
        }

        def chunked(request: Any, **_kwargs: Any) -> None:
            for name, value in streamed.items():
                request.headers[name] = value
            request.data = body

        s3.meta.events.register_first("before-sign.s3.PutObject", chunked)
        s3.put_object(Bucket="box", Key="k", Body=b"hello", ChecksumCRC32="NhCmhg==")
        got = s3.get_object(Bucket="box", Key="k")
        assert got["Body"].read() == b"hello"
        assert "ContentEncoding" not in got

    await inside.play(scene)


async def test_a_presigned_url_needs_no_other_credentials(inside: Inside) -> None:
    def scene() -> str:
        s3 = bucket(inside, signature_version="s3v4")
        s3.put_object(Bucket="box", Key="a/b c", Body=b"1")
        return str(s3.generate_presigned_url("get_object", Params={"Bucket": "box", "Key": "a/b c"}, ExpiresIn=60))

    parts = urlsplit(await inside.play(scene))

    async def fetch(query: str) -> Response:
        request = Request("GET", parts.path, query, {"host": parts.netloc}, b"")
        return await pipeline.respond(inside.gate, request, "127.0.0.1")

    assert (await fetch(parts.query)).body == b"1"
    assert (await fetch(parts.query.replace("Expires=60", "Expires=61"))).status == 403
    inside.clock.skew_ms = 61_000
    late = await fetch(parts.query)
    assert (late.status, b"Request has expired" in late.body) == (403, True)


@pytest.mark.parametrize("host", ["127.0.0.1:4566", "box.s3.amazonaws.com"])
async def test_a_url_presigned_in_the_older_way_is_refused_as_newer_regions_do(inside: Inside, host: str) -> None:
    path = "/a" if host.startswith("box") else "/box/a"
    for method in ("GET", "PUT", "HEAD"):
        query = "AWSAccessKeyId=AKIALOCALAAAAAAAAAAA&Signature=c2lnbmVk%3D&Expires=1900000000"
        got = await pipeline.respond(inside.gate, Request(method, path, query, {"host": host}, b""), "127.0.0.1")
        assert got.status == 400
        if method != "HEAD":
            assert b"<Code>InvalidRequest</Code>" in got.body
            assert b"not supported. Please use AWS4-HMAC-SHA256." in got.body
