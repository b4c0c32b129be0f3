"""Checksums of objects. https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping

from outlast.cloud.services.s3.crc import CRC32C, CRC64NVME
from outlast.cloud.services.s3.errors import BadDigest, InvalidDigest, NotImplementedByThisCloud

_ALGORITHMS: Mapping[str, Callable[[bytes], bytes]] = {
    "CRC32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "SHA1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "SHA256": lambda body: hashlib.sha256(body).digest(),
    "SHA512": lambda body: hashlib.sha512(body).digest(),
    "MD5": lambda body: hashlib.md5(body, usedforsecurity=False).digest(),
    "CRC32C": CRC32C.digest,
    "CRC64NVME": CRC64NVME.digest,
}


def etag_of(body: bytes) -> str:
    """MD5 in hexadecimal."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def checked(body: bytes, algorithm: str, claimed: Mapping[str, str]) -> dict[str, str]:
    """The checksums to keep, by member name. Those that the client claims must fit; raises BadDigest."""
    wanted = {name: value for name, value in claimed.items() if value}
    if algorithm:
        wanted.setdefault(algorithm, "")
    if not wanted:
        wanted["CRC32"] = ""
    kept = {}
    for name, value in wanted.items():
        if name not in _ALGORITHMS:
            raise NotImplementedByThisCloud(f"The checksum algorithm {name} is not supported by this cloud.")
        actual = base64.b64encode(_ALGORITHMS[name](body)).decode()
        if value and value != actual:
            raise BadDigest(f"The {name} you specified did not match the calculated checksum.")
        kept[f"Checksum{name}"] = actual
    return kept


def check_md5(body: bytes, claimed: str) -> None:
    """Raise unless Content-MD5, where given, fits the body."""
    if not claimed:
        return
    try:
        digest = base64.b64decode(claimed, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != 16:
        raise InvalidDigest("The Content-MD5 you specified was invalid.")
    if digest != hashlib.md5(body, usedforsecurity=False).digest():
        raise BadDigest("The Content-MD5 you specified did not match what we received.")
