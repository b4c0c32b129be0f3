"""Where a template's text comes from: the request itself, or an object in S3 that the caller may read.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html (forms of S3 URLs)
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from outlast.cloud.contract import Call, Fault, ValidationException
from outlast.cloud.services.cloudformation.state import Stacks
from outlast.cloud.services.cloudformation.template.text import MAX_BODY_BYTES, MAX_OBJECT_BYTES

_VIRTUAL: Final = re.compile(r"(?P<bucket>.+)\.s3[.-](?:dualstack\.)?(?:(?P<region>[a-z0-9-]+)\.)?amazonaws\.com\Z")
_PATH: Final = re.compile(r"s3[.-](?:dualstack\.)?(?:(?P<region>[a-z0-9-]+)\.)?amazonaws\.com\Z")


async def template_text(call: Call[Stacks], body: str | None, url: str | None) -> str | None:
    """The text that a request gives or points to; None when it does neither. Raises ValidationException."""
    if body is not None and url is not None:
        raise ValidationException("You cannot specify both Template URL and Template Body.")
    if url is not None:
        return await _fetched(call, url)
    if body is not None and len(body.encode("utf-8", "surrogatepass")) > MAX_BODY_BYTES:
        raise ValidationException(
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_BODY_BYTES}"
        )
    return body


async def _fetched(call: Call[Stacks], url: str) -> str:
    bucket, key, region, version = _place(call, url)
    params = {"Bucket": bucket, "Key": key, **({"VersionId": version} if version else {})}
    try:
        reply = await call.aws("s3", "GetObject", params, region=region)
    except Fault as fault:
        raise ValidationException(f"S3 error: {fault.message} ({fault.code})") from fault
    content = reply.get("Body", b"")
    if len(content) > MAX_OBJECT_BYTES:
        raise ValidationException(f"Template size is limited to {MAX_OBJECT_BYTES} bytes.")
    try:
        return bytes(content).decode()
    except UnicodeDecodeError:
        raise ValidationException("Template format error: the template is not text in UTF-8.") from None


def _place(call: Call[Stacks], url: str) -> tuple[str, str, str | None, str]:
    """Bucket, key, Region (None: this one) and version that a URL names; raises ValidationException."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    path = unquote(parts.path.lstrip("/"))
    version = parse_qs(parts.query).get("versionId", [""])[0]
    virtual = _VIRTUAL.match(host)
    if virtual is not None:
        bucket, key, region = virtual["bucket"], path, virtual["region"]
    else:
        named = _PATH.match(host)
        bucket, _, key = path.partition("/")
        region = named["region"] if named is not None else _own_region(call, host)
        if named is None and region is None and host != urlsplit(call.region.addresses.front_url).hostname:
            bucket = ""
    if parts.scheme not in ("http", "https") or not bucket or not key:
        raise ValidationException("TemplateURL must be a supported URL.")
    return bucket, key, region if region in call.region.names else None, version


def _own_region(call: Call[Stacks], host: str) -> str | None:
    """The Region of this world that listens at the address."""
    for name, address in call.region.addresses.hosts.items():
        if address == host:
            return name
    return None
