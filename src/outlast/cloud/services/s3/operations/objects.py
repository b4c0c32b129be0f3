"""Objects: written, read, copied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, unquote

from outlast.cloud.contract import Region, Reply
from outlast.cloud.services.s3 import checksums
from outlast.cloud.services.s3.errors import (
    AccessControlListNotSupported,
    EntityTooLarge,
    InvalidArgument,
    InvalidRequest,
    InvalidStorageClass,
    InvalidTag,
    MethodNotAllowed,
    NoSuchKey,
    NoSuchVersion,
    NotImplementedByThisCloud,
)
from outlast.cloud.services.s3.model import MAX_KEY_BYTES, MAX_OBJECT_BYTES, NULL_VERSION, Version
from outlast.cloud.services.s3.operations.buckets import S3Call, check_owner
from outlast.cloud.services.s3.selection import Conditions, check, check_source, check_write, span
from outlast.cloud.services.s3.service import object_arn, reading, s3

MAX_METADATA_BYTES = 2048
_NO_ACL = ("private", "bucket-owner-full-control")


def _check_kind(key: str, acl: str, storage_class: str, encryption: str) -> None:
    if len(key.encode()) > MAX_KEY_BYTES or "\0" in key:
        raise InvalidArgument("Your key is too long, or has a character that keys cannot have", Key=key[:100])
    if acl not in _NO_ACL:
        raise AccessControlListNotSupported("The bucket does not allow ACLs")
    if storage_class != "STANDARD":
        raise InvalidStorageClass(f"The storage class {storage_class} is not supported by this cloud.")
    if encryption != "AES256":
        raise NotImplementedByThisCloud(f"Encryption by {encryption} is not supported by this cloud.")


def _headers(**given: Any) -> dict[str, Any]:
    """The headers to keep with an object; `aws-chunked` is how it came, not what it is."""
    encoding = ",".join(each for each in given["ContentEncoding"].split(",") if each.strip() != "aws-chunked")
    given["ContentEncoding"] = encoding.strip()
    return {name: value for name, value in given.items() if value}


def _check_metadata(metadata: Mapping[str, str]) -> None:
    if sum(len(name) + len(value.encode()) for name, value in metadata.items()) > MAX_METADATA_BYTES:
        raise InvalidArgument("Your metadata headers exceed the maximum allowed metadata size")


@s3.operation(
    resource="arn:aws:s3:::{Bucket}/{Key}",
    ignored=("ContentLength", "BucketKeyEnabled"),
)
def put_object(
    call: S3Call,
    *,
    bucket: str,
    key: str,
    body: bytes = b"",
    acl: str = "private",
    cache_control: str = "",
    content_disposition: str = "",
    content_encoding: str = "",
    content_language: str = "",
    content_type: str = "",
    content_md5: str = "",
    checksum_algorithm: str = "",
    checksum_crc32: str = "",
    checksum_crc32_c: str = "",
    checksum_crc64_nvme: str = "",
    checksum_md5: str = "",
    checksum_sha1: str = "",
    checksum_sha256: str = "",
    checksum_sha512: str = "",
    expires: Any = None,
    if_match: str = "",
    if_none_match: str = "",
    metadata: Mapping[str, str] | None = None,
    server_side_encryption: str = "AES256",
    storage_class: str = "STANDARD",
    tagging: str = "",
    expected_bucket_owner: str = "",
) -> Reply:
    """Write an object of up to 64 MiB."""
    check_owner(call, expected_bucket_owner)
    versioned = call.state.is_versioned(bucket)
    _check_kind(key, acl, storage_class, server_side_encryption)
    _check_metadata(metadata or {})
    if len(body) > MAX_OBJECT_BYTES:
        raise EntityTooLarge("Your proposed upload exceeds the maximum allowed size", MaxSizeAllowed=MAX_OBJECT_BYTES)
    checksums.check_md5(body, content_md5)
    claimed = {
        "CRC32": checksum_crc32,
        "CRC32C": checksum_crc32_c,
        "CRC64NVME": checksum_crc64_nvme,
        "MD5": checksum_md5,
        "SHA1": checksum_sha1,
        "SHA256": checksum_sha256,
        "SHA512": checksum_sha512,
    }
    kept = checksums.checked(body, checksum_algorithm, claimed)
    check_write(key, call.state.objects.current(bucket, key), if_match, if_none_match)
    headers = _headers(
        CacheControl=cache_control,
        ContentDisposition=content_disposition,
        ContentEncoding=content_encoding,
        ContentLanguage=content_language,
        Expires=expires,
    )
    version = _Described(key, content_type, headers, dict(metadata or {}), tagging).version(call.now_ms, body, kept)
    placed = call.state.objects.put(bucket, version, body, versioned=versioned)
    reply = {"ETag": placed.quoted_etag, "ServerSideEncryption": "AES256", "ChecksumType": "FULL_OBJECT"}
    return _with_version(reply | kept, placed)


@dataclass(frozen=True, slots=True)
class _Described:
    """What a PUT says of its object besides the bytes."""

    key: str
    content_type: str
    headers: dict[str, str]
    metadata: dict[str, str]
    tagging: str

    def version(self, now_ms: int, body: bytes, kept: dict[str, str]) -> Version:
        """The version that these bytes make, before it has a number; raises InvalidTag."""
        tags = dict(parse_qsl(self.tagging, keep_blank_values=True))
        if any(name.startswith("aws:") for name in tags):
            raise InvalidTag("Your TagKey cannot be prefixed with aws:")
        return Version(
            key=self.key,
            version_id="",
            sequence=0,
            modified_ms=now_ms,
            size=len(body),
            etag=checksums.etag_of(body),
            content_type=self.content_type or "binary/octet-stream",
            headers=self.headers,
            metadata=self.metadata,
            checksums=kept,
            tags=tags,
        )


def _with_version(reply: dict[str, Any], version: Version) -> dict[str, Any]:
    if version.version_id != NULL_VERSION:
        reply["VersionId"] = version.version_id
    return reply


def found(call: S3Call, bucket: str, key: str, version_id: str) -> Version:
    """The version that a read names; raises NoSuchKey, NoSuchVersion or MethodNotAllowed."""
    call.state.bucket(bucket)
    if not version_id:
        version = call.state.objects.current(bucket, key)
        if version is None:
            raise NoSuchKey(key)
        return version
    version = call.state.objects.version(bucket, key, version_id)
    if version is None:
        raise NoSuchVersion(key, version_id)
    if version.is_marker:
        raise MethodNotAllowed("The specified method is not allowed against this resource.")
    return version


def _description(version: Version, checksum_mode: str) -> dict[str, Any]:
    reply: dict[str, Any] = {
        "AcceptRanges": "bytes",
        "LastModified": version.modified_s,
        "ContentLength": version.size,
        "ETag": version.quoted_etag,
        "ContentType": version.content_type,
        "Metadata": version.metadata,
        "ServerSideEncryption": "AES256",
        **version.headers,
    }
    if version.tags:
        reply["TagCount"] = len(version.tags)
    if checksum_mode == "ENABLED":
        reply.update(version.checksums, ChecksumType="FULL_OBJECT")
    return _with_version(reply, version)


def _part(reply: dict[str, Any], version: Version, range_: str) -> tuple[int, int]:
    """First byte and the byte after the last that are wanted; the reply says so."""
    wanted = span(range_, version.size) if range_ else None
    if wanted is None:
        return 0, version.size
    start, end = wanted
    reply["ContentRange"] = f"bytes {start}-{end - 1}/{version.size}"
    reply["ContentLength"] = end - start
    for name in version.checksums:
        reply.pop(name, None)
    return start, end


@s3.operation(resource=reading)
def get_object(
    call: S3Call,
    *,
    bucket: str,
    key: str,
    version_id: str = "",
    range: str = "",
    if_match: str = "",
    if_none_match: str = "",
    if_modified_since: float | None = None,
    if_unmodified_since: float | None = None,
    response_cache_control: str = "",
    response_content_disposition: str = "",
    response_content_encoding: str = "",
    response_content_language: str = "",
    response_content_type: str = "",
    response_expires: Any = None,
    checksum_mode: str = "",
    expected_bucket_owner: str = "",
) -> Reply:
    """An object, or a range of it."""
    check_owner(call, expected_bucket_owner)
    version = found(call, bucket, key, version_id)
    check(version, Conditions(if_match, if_none_match, if_modified_since, if_unmodified_since))
    reply = _description(version, checksum_mode)
    overrides = {
        "CacheControl": response_cache_control,
        "ContentDisposition": response_content_disposition,
        "ContentEncoding": response_content_encoding,
        "ContentLanguage": response_content_language,
        "ContentType": response_content_type,
        "Expires": response_expires,
    }
    reply.update({name: value for name, value in overrides.items() if value})
    start, end = _part(reply, version, range)
    reply["Body"] = call.state.objects.read(version, start, end)
    return reply


@s3.operation(resource=reading, action="s3:GetObject")
def head_object(
    call: S3Call,
    *,
    bucket: str,
    key: str,
    version_id: str = "",
    range: str = "",
    if_match: str = "",
    if_none_match: str = "",
    if_modified_since: float | None = None,
    if_unmodified_since: float | None = None,
    checksum_mode: str = "",
    expected_bucket_owner: str = "",
) -> Reply:
    """What GetObject would say, without the bytes."""
    check_owner(call, expected_bucket_owner)
    version = found(call, bucket, key, version_id)
    check(version, Conditions(if_match, if_none_match, if_modified_since, if_unmodified_since))
    reply = _description(version, checksum_mode)
    _part(reply, version, range)
    return reply


def source_of(copy_source: str) -> tuple[str, str, str]:
    """Bucket, key and version id of a CopySource."""
    path, _, query = copy_source.partition("?versionId=")
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    if not bucket or not key:
        raise InvalidArgument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
    return bucket, key, query


def _copying(params: Mapping[str, Any], _region: Region) -> tuple[tuple[str, str], ...]:
    bucket, key, version_id = source_of(params["CopySource"])
    action = "s3:GetObjectVersion" if version_id else "s3:GetObject"
    return ((action, f"arn:aws:s3:::{bucket}/{key}"), ("s3:PutObject", object_arn(params)))


@s3.operation(resource=_copying, ignored=("BucketKeyEnabled",))
def copy_object(
    call: S3Call,
    *,
    bucket: str,
    key: str,
    copy_source: str,
    acl: str = "private",
    cache_control: str = "",
    checksum_algorithm: str = "",
    content_disposition: str = "",
    content_encoding: str = "",
    content_language: str = "",
    content_type: str = "",
    copy_source_if_match: str = "",
    copy_source_if_none_match: str = "",
    metadata: Mapping[str, str] | None = None,
    metadata_directive: str = "COPY",
    server_side_encryption: str = "",
    storage_class: str = "",
    expected_bucket_owner: str = "",
) -> Reply:
    """Copy an object within this Region, with its own metadata or with new."""
    check_owner(call, expected_bucket_owner)
    _check_kind(key, acl, storage_class or "STANDARD", server_side_encryption or "AES256")
    _check_metadata(metadata or {})
    versioned = call.state.is_versioned(bucket)
    from_bucket, from_key, from_version = source_of(copy_source)
    source = found(call, from_bucket, from_key, from_version)
    check_source(source, copy_source_if_match, copy_source_if_none_match)
    replaced = metadata_directive == "REPLACE"
    changes = replaced or storage_class or server_side_encryption
    if (from_bucket, from_key, from_version) == (bucket, key, "") and not changes:
        raise InvalidRequest(
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes."
        )
    body = call.state.objects.read(source, 0, source.size)
    copy = replace(source, key=key, modified_ms=call.now_ms)
    if checksum_algorithm:
        copy = replace(copy, checksums=checksums.checked(body, checksum_algorithm, {}))
    if replaced:
        headers = _headers(
            CacheControl=cache_control,
            ContentDisposition=content_disposition,
            ContentEncoding=content_encoding,
            ContentLanguage=content_language,
        )
        kind = content_type or "binary/octet-stream"
        copy = replace(copy, content_type=kind, headers=headers, metadata=dict(metadata or {}))
    placed = call.state.objects.put(bucket, copy, body, versioned=versioned)
    result = {"ETag": placed.quoted_etag, "LastModified": placed.modified_s, **placed.checksums}
    reply: dict[str, Any] = {"CopyObjectResult": result, "ServerSideEncryption": "AES256"}
    if source.version_id != NULL_VERSION:
        reply["CopySourceVersionId"] = source.version_id
    return _with_version(reply, placed)
