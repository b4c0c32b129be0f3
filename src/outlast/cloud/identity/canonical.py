"""The canonical request of Signature Version 4, built from the bytes as received.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from outlast.cloud.identity.faults import invalid

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"

_PLAIN_PATH = re.compile(r"/(?:[A-Za-z0-9_~-][A-Za-z0-9_.~-]*(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*/?)?")
_BLANKS = re.compile(r"[ \t]+")


@lru_cache(maxsize=4096)
def _uri(path: str, double_encoded: bool) -> str:
    if not double_encoded:
        return "/".join([quote(unquote_to_bytes(segment), safe="-_.~") for segment in path.split("/")]) or "/"
    return quote(_normalised(path), safe="/-_.~")


def _normalised(path: str) -> str:
    """RFC 3986 dot segments resolved and empty segments dropped; a trailing slash stays."""
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment and segment != ".":
            kept.append(segment)
    tail = "/" if kept and path.endswith("/") else ""
    return "/" + "/".join(kept) + tail


def canonical_uri(path: str, *, double_encoded: bool) -> str:
    """The path line. Every service but S3 encodes the received path once more and normalises it."""
    if path == "/" or _PLAIN_PATH.fullmatch(path):
        return path
    return _uri(path, double_encoded)


def canonical_query(query: str, *, without: str = "") -> str:
    """The query line: every pair decoded, encoded AWS's way and sorted; `without` names one to omit."""
    if not query:
        return ""
    pairs = []
    for part in query.split("&"):
        if not part:
            continue
        name, _, value = part.partition("=")
        if name != without:
            pairs.append((_recoded(name), _recoded(value)))
    pairs.sort()
    return "&".join([f"{name}={value}" for name, value in pairs])


def _recoded(text: str) -> str:
    if text.isascii() and text.isalnum():
        return text
    return quote(unquote_to_bytes(text.replace("+", " ")), safe="-_.~")


def canonical_headers(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    """The signed headers, one `name:value` a line, blanks folded. A signed header that is not there does not match."""
    try:
        lines = "\n".join([f"{name}:{headers[name]}" for name in names])
    except KeyError:
        raise invalid() from None
    if "  " in lines or ": " in lines or " \n" in lines or "\t" in lines or lines.endswith(" "):
        return "\n".join([f"{name}:{_folded(headers[name])}" for name in names])
    return lines


def _folded(value: str) -> str:
    return _BLANKS.sub(" ", value).strip(" ")
