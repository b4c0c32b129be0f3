"""The data key that encrypts a Region's files, kept on disk wrapped by the master key.

File `keys`: magic, nonce (12 bytes), wrapped data key (32 bytes and a 16-byte tag, AES-256-GCM), then a SHA-256 over
all of it, so that damage to the file is told apart from a wrong master key.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from outlast.cloud.effects import Disk, Entropy
from outlast.cloud.engine.errors import Damaged, WrongKey

MAGIC = b"OUTLAST KEYS 1\n"
KEY_BYTES = 32
NONCE_BYTES = 12


def data_key(folder: Path, master: bytes, disk: Disk, entropy: Entropy) -> bytes:
    """The folder's data key, made and wrapped on first use. Raises WrongKey or Damaged."""
    path = folder / "keys"
    if not disk.exists(path):
        fresh = entropy.token(KEY_BYTES)
        disk.write(path, wrap(fresh, master, entropy))
        return fresh
    return unwrap(disk.read(path), master, path)


def wrap(key: bytes, master: bytes, entropy: Entropy) -> bytes:
    """The contents of a key file that holds `key` under `master`, with a fresh nonce."""
    nonce = entropy.token(NONCE_BYTES)
    body = MAGIC + nonce + AESGCM(master).encrypt(nonce, key, MAGIC)
    return body + hashlib.sha256(body).digest()


def unwrap(contents: bytes, master: bytes, path: Path) -> bytes:
    """The key inside a key file. Raises Damaged (checksum) or WrongKey (another master key)."""
    body, digest = contents[:-32], contents[-32:]
    if not body.startswith(MAGIC) or hashlib.sha256(body).digest() != digest:
        raise Damaged(f"the key file {path} is damaged")
    nonce = body[len(MAGIC) : len(MAGIC) + NONCE_BYTES]
    try:
        return AESGCM(master).decrypt(nonce, body[len(MAGIC) + NONCE_BYTES :], MAGIC)
    except InvalidTag:
        raise WrongKey(f"the data in {path.parent} is encrypted with another master key") from None
