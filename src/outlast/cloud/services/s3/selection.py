"""What part of an object a request wants, and whether it wants it at all. Pure.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, RFC 9110 sections 13 and 14.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from outlast.cloud.services.s3.errors import InvalidRange, NoSuchKey, NotModified, PreconditionFailed
from outlast.cloud.services.s3.model import Version

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class Conditions:
    """The If- headers of a request; times in epoch seconds."""

    match: str = ""
    none_match: str = ""
    modified_since_s: float | None = None
    unmodified_since_s: float | None = None


def check(version: Version, conditions: Conditions) -> None:
    """Raise PreconditionFailed or NotModified unless the version is wanted."""
    if conditions.match:
        if not _matches(conditions.match, version.etag):
            raise _failed("If-Match")
    elif conditions.unmodified_since_s is not None and version.modified_s > conditions.unmodified_since_s:
        raise _failed("If-Unmodified-Since")
    if conditions.none_match:
        if _matches(conditions.none_match, version.etag):
            raise NotModified("Not Modified")
    elif conditions.modified_since_s is not None and version.modified_s <= conditions.modified_since_s:
        raise NotModified("Not Modified")


def check_write(key: str, existing: Version | None, match: str, none_match: str) -> None:
    """Raise PreconditionFailed or NoSuchKey unless an object may be written over what is there."""
    if match and existing is None:
        raise NoSuchKey(key)
    if existing is not None:
        _check_both(existing, match, none_match, "")


def check_source(source: Version, match: str, none_match: str) -> None:
    """Raise PreconditionFailed unless the object may be copied."""
    _check_both(source, match, none_match, "x-amz-copy-source-")


def _check_both(existing: Version, match: str, none_match: str, prefix: str) -> None:
    if none_match and _matches(none_match, existing.etag):
        raise _failed(f"{prefix}If-None-Match")
    if match and not _matches(match, existing.etag):
        raise _failed(f"{prefix}If-Match")


def _matches(header: str, etag: str) -> bool:
    return any(each.strip().strip('"') in ("*", etag) for each in header.split(","))


def _failed(name: str) -> PreconditionFailed:
    return PreconditionFailed("At least one of the pre-conditions you specified did not hold", Condition=name)


def span(header: str, size: int) -> tuple[int, int] | None:
    """First byte and the byte after the last that a Range header asks for.

    None when there is no range, or one that S3 ignores (several, or malformed). Raises InvalidRange.
    """
    matched = _RANGE.fullmatch(header.strip())
    if matched is None or matched[0] == "bytes=-":
        return None
    first, last = matched[1], matched[2]
    if first and last and int(first) > int(last):
        return None
    if first:
        start, end = int(first), min(int(last) + 1, size) if last else size
    else:
        start, end = max(0, size - int(last)), size
    if start >= end:
        raise InvalidRange("The requested range is not satisfiable", RangeRequested=header, ActualObjectSize=size)
    return start, end
