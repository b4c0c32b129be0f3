"""Objects in the engine: current versions, all versions, and bytes in pieces of 256 KiB. Encrypted by the engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from outlast.cloud.contract import Region
from outlast.cloud.engine import Transaction
from outlast.cloud.services.s3.model import (
    CHUNK_BYTES,
    NULL_VERSION,
    Version,
    after,
    chunk_key,
    current_key,
    unpacked,
    version_key,
    version_prefix,
)

BLOB_ENTROPY_BYTES = 16
VERSION_ENTROPY_BYTES = 16


class ObjectStore:
    """Reads are plain; every write is one transaction."""

    def __init__(self, region: Region) -> None:
        self._engine = region.engine
        self._entropy = region.entropy
        self._current = region.engine.space("s3/current")
        self._versions = region.engine.space("s3/versions")
        self._chunks = region.engine.space("s3/chunks")

    # ---- reads

    def current(self, bucket: str, key: str) -> Version | None:
        """The object as a plain GET sees it; None when there is none or its newest version is a delete marker."""
        stored = self._current.get(current_key(bucket, key))
        return None if stored is None else unpacked(stored)

    def versions_of(self, bucket: str, key: str) -> list[Version]:
        """All versions of one object, newest first."""
        prefix = version_prefix(bucket, key)
        return [unpacked(stored) for _, stored in self._versions.range(prefix, after(prefix))]

    def version(self, bucket: str, key: str, version_id: str) -> Version | None:
        """One version, which may be a delete marker."""
        return next((each for each in self.versions_of(bucket, key) if each.version_id == version_id), None)

    def listed(self, bucket: str, prefix: str, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Current objects (key, stored version) whose key begins with `prefix`, from `start` on, in order."""
        lead = current_key(bucket, prefix)
        for key, stored in self._current.range(max(lead, current_key(bucket, "") + start), after(lead)):
            yield key[len(bucket) + 1 :], stored

    def all_versions(self, bucket: str, prefix: str) -> Iterator[Version]:
        """Versions whose key begins with `prefix`, by key, newest first."""
        lead = current_key(bucket, prefix)
        for _, stored in self._versions.range(lead, after(lead)):
            yield unpacked(stored)

    def is_empty(self, bucket: str) -> bool:
        """Whether no version of any object is left."""
        return next(self.all_versions(bucket, ""), None) is None

    def read(self, version: Version, start: int, end: int) -> bytes:
        """Bytes `start` to `end` (exclusive)."""
        pieces = []
        for index in range(start // CHUNK_BYTES, -(-end // CHUNK_BYTES)):
            piece = self._chunks.get(chunk_key(version.blob, index)) or b""
            base = index * CHUNK_BYTES
            pieces.append(piece[max(0, start - base) : end - base])
        return b"".join(pieces)

    # ---- writes

    def put(self, bucket: str, version: Version, body: bytes, *, versioned: bool) -> Version:
        """Make `version` the current one; it gets its id, its place in the sequence and its blob here."""
        blob = self._entropy.token(BLOB_ENTROPY_BYTES).hex() if body else ""
        with self._engine.begin() as tx:
            for index in range(-(-len(body) // CHUNK_BYTES)):
                piece = body[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]
                tx.put(self._chunks, chunk_key(blob, index), piece)
            placed = self._place(tx, bucket, replace(version, blob=blob), versioned)
            tx.put(self._current, current_key(bucket, version.key), placed.packed())
        return placed

    def mark(self, bucket: str, key: str, now_ms: int, *, versioned: bool) -> Version:
        """Put a delete marker on top."""
        with self._engine.begin() as tx:
            marker = self._place(tx, bucket, Version(key, "", 0, now_ms, is_marker=True), versioned)
            tx.delete(self._current, current_key(bucket, key))
        return marker

    def remove(self, bucket: str, version: Version) -> None:
        """Remove one version for good; what lay under it shows again."""
        with self._engine.begin() as tx:
            self._drop(tx, bucket, version)
            prefix = version_prefix(bucket, version.key)
            below = next(tx.range(self._versions, prefix, after(prefix)), None)
            top = None if below is None else unpacked(below[1])
            place = current_key(bucket, version.key)
            if top is None or top.is_marker:
                tx.delete(self._current, place)
            elif tx.get(self._current, place) != top.packed():
                tx.put(self._current, place, top.packed())

    def _place(self, tx: Transaction, bucket: str, version: Version, versioned: bool) -> Version:
        """Give the version its id and its sequence, above all others; without versioning it replaces `null`."""
        prefix = version_prefix(bucket, version.key)
        others = [unpacked(stored) for _, stored in tx.range(self._versions, prefix, after(prefix))]
        version_id = self._entropy.token(VERSION_ENTROPY_BYTES).hex() if versioned else NULL_VERSION
        if not versioned:
            for other in others:
                if other.version_id == NULL_VERSION:
                    self._drop(tx, bucket, other)
        newest = others[0].sequence if others else 0
        placed = replace(version, version_id=version_id, sequence=max(newest + 1, version.modified_ms))
        tx.put(self._versions, version_key(bucket, placed), placed.packed())
        return placed

    def _drop(self, tx: Transaction, bucket: str, version: Version) -> None:
        tx.delete(self._versions, version_key(bucket, version))
        for index in range(-(-version.size // CHUNK_BYTES)):
            tx.delete(self._chunks, chunk_key(version.blob, index))
