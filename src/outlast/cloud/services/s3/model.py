"""What S3 keeps of an object, and under which keys."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

CHUNK_BYTES = 256 * 1024
MAX_OBJECT_BYTES = 64 * 1024 * 1024
MAX_KEY_BYTES = 1024
NULL_VERSION = "null"
_INVERSE = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object, or a delete marker. `sequence` orders the versions of a key, later is larger."""

    key: str
    version_id: str
    sequence: int
    modified_ms: int
    blob: str = ""
    size: int = 0
    etag: str = ""
    content_type: str = "binary/octet-stream"
    headers: dict[str, Any] = field(default_factory=dict)
    """Cache-Control and its like, by the API's member names."""
    metadata: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    """Base64 by the API's member names (ChecksumCRC32 …)."""
    tags: dict[str, str] = field(default_factory=dict)
    is_marker: bool = False

    def packed(self) -> bytes:
        """As it is stored."""
        return orjson.dumps(asdict(self))

    @property
    def modified_s(self) -> int:
        """When it was written, in whole seconds as HTTP has them."""
        return self.modified_ms // 1000

    @property
    def quoted_etag(self) -> str:
        """The ETag as it goes over the wire."""
        return f'"{self.etag}"'


def unpacked(stored: bytes) -> Version:
    """The other end of `packed`."""
    return Version(**orjson.loads(stored))


def current_key(bucket: str, key: str) -> bytes:
    """Where the current version of an object is; in the order in which S3 lists keys (UTF-8 bytes)."""
    return f"{bucket}\0{key}".encode()


def version_prefix(bucket: str, key: str) -> bytes:
    """What the keys of all versions of one object begin with."""
    return f"{bucket}\0{key}\0".encode()


def version_key(bucket: str, version: Version) -> bytes:
    """Where a version is: the newest of a key comes first."""
    return version_prefix(bucket, version.key) + (_INVERSE - version.sequence).to_bytes(8, "big")


def after(prefix: bytes) -> bytes:
    """The first key that is beyond all that begin with `prefix` (which must not be all 0xff)."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1])


def chunk_key(blob: str, index: int) -> bytes:
    """Where a piece of an object's bytes is."""
    return bytes.fromhex(blob) + index.to_bytes(4, "big")
