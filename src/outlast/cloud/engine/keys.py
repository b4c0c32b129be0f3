"""The data keys that encrypt a Region's files, kept on disk wrapped by the master key.

File `keys`: magic (15), nonce (12), then under AES-256-GCM with the master key the data keys, each as number (4) and
key (32); then a SHA-256 over all of it, so that damage to the file is told apart from a wrong master key. The key of
the greatest number is the one in use; an older one is there only while a rotation is under way.
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
NUMBER_BYTES = 4
NONCE_BYTES = 12
DIGEST_BYTES = 32

DataKeys = dict[int, bytes]


def load(folder: Path, master: bytes, disk: Disk, entropy: Entropy) -> DataKeys:
    """The folder's data keys, made on first use. Raises WrongKey or Damaged."""
    path = folder / "keys"
    if disk.exists(path):
        return unwrap(disk.read(path), master, path)
    if any(name not in ("lock", "keys.new") for name in disk.names(folder)):
        raise Damaged(f"the key file {path} is missing")
    fresh = {1: entropy.token(KEY_BYTES)}
    store(folder, fresh, master, disk, entropy)
    return fresh


def store(folder: Path, keys: DataKeys, master: bytes, disk: Disk, entropy: Entropy) -> None:
    """Replace the key file, all or nothing."""
    disk.write(folder / "keys", wrap(keys, master, entropy))


def wrap(keys: DataKeys, master: bytes, entropy: Entropy) -> bytes:
    """The contents of a key file that holds `keys` under `master`, with a fresh nonce."""
    nonce = entropy.token(NONCE_BYTES)
    plain = b"".join(number.to_bytes(NUMBER_BYTES, "big") + key for number, key in sorted(keys.items()))
    body = MAGIC + nonce + AESGCM(master).encrypt(nonce, plain, MAGIC)
    return body + hashlib.sha256(body).digest()


def unwrap(contents: bytes, master: bytes, path: Path) -> DataKeys:
    """The keys inside a key file. Raises Damaged (checksum) or WrongKey (another master key)."""
    body, digest = contents[:-DIGEST_BYTES], contents[-DIGEST_BYTES:]
    if not body.startswith(MAGIC) or hashlib.sha256(body).digest() != digest:
        raise Damaged(f"the key file {path} is damaged")
    nonce = body[len(MAGIC) : len(MAGIC) + NONCE_BYTES]
    try:
        plain = AESGCM(master).decrypt(nonce, body[len(MAGIC) + NONCE_BYTES :], MAGIC)
    except InvalidTag:
        raise WrongKey(f"the data in {path.parent} is encrypted with another master key") from None
    size = NUMBER_BYTES + KEY_BYTES
    entries = [plain[at : at + size] for at in range(0, len(plain), size)]
    return {int.from_bytes(entry[:NUMBER_BYTES], "big"): entry[NUMBER_BYTES:] for entry in entries}
