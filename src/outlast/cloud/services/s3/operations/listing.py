"""Objects listed, with prefixes rolled up at a delimiter.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-prefixes.html
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from outlast.cloud.contract import Reply
from outlast.cloud.services.s3.errors import InvalidArgument
from outlast.cloud.services.s3.model import Version, after, unpacked
from outlast.cloud.services.s3.operations.buckets import S3Call, check_owner, owner
from outlast.cloud.services.s3.service import BUCKET, s3

MOST_KEYS = 1000


@dataclass(slots=True)
class Found:
    """One page of a listing; `last` is the last key or common prefix in it."""

    rows: list[Version] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    truncated: bool = False
    last: str = ""


def _gather(call: S3Call, bucket: str, prefix: str, delimiter: str, start_after: str, limit: int) -> Found:
    """Up to `limit` keys and common prefixes after `start_after`."""
    found = Found()
    start = start_after.encode() + b"\0" if start_after else b""
    if delimiter and start_after.startswith(prefix) and delimiter in start_after[len(prefix) :]:
        rolled = _rolled(start_after, prefix, delimiter)
        start = max(start, after(rolled.encode())) if start_after == rolled else start
    while True:
        skip_to = b""
        for raw, stored in call.state.objects.listed(bucket, prefix, start):
            if len(found.rows) + len(found.prefixes) >= limit:
                found.truncated = limit > 0
                return found
            key = raw.decode()
            if delimiter and delimiter in key[len(prefix) :]:
                found.last = _rolled(key, prefix, delimiter)
                found.prefixes.append(found.last)
                skip_to = after(found.last.encode())
                break
            found.last = key
            found.rows.append(unpacked(stored))
        if not skip_to:
            return found
        start = skip_to


def _rolled(key: str, prefix: str, delimiter: str) -> str:
    return key[: key.index(delimiter, len(prefix)) + len(delimiter)]


def _texts(encoding_type: str) -> Callable[[str], str]:
    if encoding_type not in ("", "url"):
        raise InvalidArgument("Invalid Encoding Method specified in Request")
    return (lambda text: quote(text, safe="/-_.~*")) if encoding_type else (lambda text: text)


def _entry(version: Version, show: Callable[[str], str]) -> dict[str, Any]:
    return {
        "Key": show(version.key),
        "LastModified": version.modified_s,
        "ETag": version.quoted_etag,
        "Size": version.size,
        "StorageClass": "STANDARD",
        "ChecksumAlgorithm": [name.removeprefix("Checksum") for name in version.checksums],
        "ChecksumType": "FULL_OBJECT",
    }


def _rolled_up(prefixes: Iterable[str], show: Callable[[str], str]) -> list[dict[str, str]]:
    return [{"Prefix": show(each)} for each in prefixes]


@s3.operation(resource=BUCKET, action="s3:ListBucket")
def list_objects_v2(
    call: S3Call,
    *,
    bucket: str,
    prefix: str = "",
    delimiter: str = "",
    max_keys: int = MOST_KEYS,
    continuation_token: str = "",
    start_after: str = "",
    encoding_type: str = "",
    fetch_owner: bool = False,
    expected_bucket_owner: str = "",
) -> Reply:
    """Objects in pages of up to a thousand."""
    check_owner(call, expected_bucket_owner)
    call.state.bucket(bucket)
    show = _texts(encoding_type)
    begin = _from_token(continuation_token) if continuation_token else start_after
    found = _gather(call, bucket, prefix, delimiter, begin, min(max_keys, MOST_KEYS))
    reply: dict[str, Any] = {
        "Name": bucket,
        "Prefix": show(prefix),
        "MaxKeys": max_keys,
        "KeyCount": len(found.rows) + len(found.prefixes),
        "IsTruncated": found.truncated,
        "Contents": [_entry(row, show) for row in found.rows],
        "CommonPrefixes": _rolled_up(found.prefixes, show),
    }
    if fetch_owner:
        for entry in reply["Contents"]:
            entry["Owner"] = owner(call)
    optional = {
        "Delimiter": show(delimiter),
        "StartAfter": show(start_after),
        "ContinuationToken": continuation_token,
        "EncodingType": encoding_type,
        "NextContinuationToken": _token(found.last) if found.truncated else "",
    }
    return {**reply, **{name: value for name, value in optional.items() if value}}


def _token(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _from_token(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, ValueError):
        raise InvalidArgument("The continuation token provided is incorrect") from None


@s3.operation(resource=BUCKET, action="s3:ListBucket")
def list_objects(
    call: S3Call,
    *,
    bucket: str,
    prefix: str = "",
    delimiter: str = "",
    max_keys: int = MOST_KEYS,
    marker: str = "",
    encoding_type: str = "",
    expected_bucket_owner: str = "",
) -> Reply:
    """The first form of the listing, which continues after a marker."""
    check_owner(call, expected_bucket_owner)
    call.state.bucket(bucket)
    show = _texts(encoding_type)
    found = _gather(call, bucket, prefix, delimiter, marker, min(max_keys, MOST_KEYS))
    reply: dict[str, Any] = {
        "Name": bucket,
        "Prefix": show(prefix),
        "Marker": show(marker),
        "MaxKeys": max_keys,
        "IsTruncated": found.truncated,
        "Contents": [{**_entry(row, show), "Owner": owner(call)} for row in found.rows],
        "CommonPrefixes": _rolled_up(found.prefixes, show),
    }
    optional = {
        "Delimiter": show(delimiter),
        "EncodingType": encoding_type,
        "NextMarker": show(found.last) if found.truncated and delimiter else "",
    }
    return {**reply, **{name: value for name, value in optional.items() if value}}


@s3.operation(resource=BUCKET, action="s3:ListBucketVersions")
def list_object_versions(
    call: S3Call,
    *,
    bucket: str,
    prefix: str = "",
    max_keys: int = MOST_KEYS,
    key_marker: str = "",
    version_id_marker: str = "",
    encoding_type: str = "",
    expected_bucket_owner: str = "",
) -> Reply:
    """All versions and delete markers, newest first for each key."""
    check_owner(call, expected_bucket_owner)
    call.state.bucket(bucket)
    show = _texts(encoding_type)
    limit = min(max_keys, MOST_KEYS)
    versions: list[dict[str, Any]] = []
    markers: list[dict[str, Any]] = []
    last: Version | None = None
    truncated = False
    newest_of, passed = "", not key_marker
    for version in call.state.objects.all_versions(bucket, prefix):
        is_latest, newest_of = newest_of != version.key, version.key
        if not passed:
            passed = version.key > key_marker
            if not passed and version.key == key_marker and version_id_marker == version.version_id:
                passed = True
                continue
            if not passed:
                continue
        if len(versions) + len(markers) >= limit:
            truncated = True
            break
        entry = {**_entry(version, show), "VersionId": version.version_id, "IsLatest": is_latest, "Owner": owner(call)}
        if version.is_marker:
            kept = ("Key", "LastModified", "VersionId", "IsLatest", "Owner")
            markers.append({name: entry[name] for name in kept})
        else:
            versions.append(entry)
        last = version
    reply: dict[str, Any] = {
        "Name": bucket,
        "Prefix": show(prefix),
        "KeyMarker": show(key_marker),
        "VersionIdMarker": version_id_marker,
        "MaxKeys": max_keys,
        "IsTruncated": truncated,
        "Versions": versions,
        "DeleteMarkers": markers,
    }
    if truncated and last is not None:
        reply.update(NextKeyMarker=show(last.key), NextVersionIdMarker=last.version_id)
    if encoding_type:
        reply["EncodingType"] = encoding_type
    return reply
