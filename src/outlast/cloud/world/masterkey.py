"""The master key of a world, in three forms: in `keys.json` itself, of a passphrase, or from a command of the user's.

`keys.json` holds under `master_key` either the key (base64) or what it takes to know it again:
`{"form": "passphrase", "salt", "n", "r", "p", "check"}` (scrypt, RFC 7914) or `{"form": "command", "check"}`. The check
is an HMAC of the key, so that a wrong one is told before anything starts. The passphrase, the command and what it
prints stand nowhere on disk.

While a rotation is under way `next_master_key` holds the next one in the same way, the next key under the old one and
the old one under the next: whoever brings either can end it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets as random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from outlast.cloud.world.config import WorldError

Form = Literal["file", "passphrase", "command"]
Entry = str | dict[str, Any]
"""What `keys.json` holds of a master key."""

KEY_BYTES: Final = 32
CURRENT: Final = "master_key"
NEXT: Final = "next_master_key"
COST: Final = {"n": 1 << 17, "r": 8, "p": 1}
"""scrypt's cost as OWASP's Password Storage Cheat Sheet asks for: 128 MB and some 0.3 s for each guess."""
MOST_COST: Final = {"n": 1 << 20, "r": 32, "p": 16}
LEAST_PASSPHRASE: Final = 8
NONCE_BYTES: Final = 12
CHECKED: Final = b"outlast: the master key of a world"
UNDER: Final = b"outlast: a master key under another"
ELSEWHERE: Final[dict[str, Form]] = {"passphrase": "passphrase", "command": "command"}
SAID: Final[dict[Form, str]] = {
    "file": "stands in its keys.json",
    "passphrase": "is made of a passphrase",
    "command": "comes from a command",
}
ASKED: Final[dict[Form, str]] = {
    "file": "",
    "passphrase": "give it at a terminal, by --passphrase-fd or in OUTLAST_PASSPHRASE",
    "command": "name it by --master-key-command or in OUTLAST_MASTER_KEY_COMMAND",
}


@dataclass(frozen=True, slots=True)
class Master:
    """A master key, and what `keys.json` holds of it."""

    entry: Entry
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Offer:
    """What the user brought: a passphrase, or the 32 bytes that a command printed."""

    form: Form
    secret: bytes = field(repr=False)


def fresh(offer: Offer | None = None) -> Master:
    """A new master key: random, in the file; or of what is offered. Raises WorldError for a short passphrase."""
    if offer is None or offer.form == "file":
        key = random.token_bytes(KEY_BYTES)
        return Master(_text(key), key)
    if offer.form == "command":
        return Master({"form": "command", "check": _check(offer.secret)}, offer.secret)
    if len(offer.secret.decode()) < LEAST_PASSPHRASE:
        raise WorldError(f"A passphrase needs {LEAST_PASSPHRASE} characters or more.")
    salt = random.token_bytes(16)
    key = Scrypt(salt, KEY_BYTES, **COST).derive(offer.secret)
    return Master({"form": "passphrase", "salt": _text(salt), **COST, "check": _check(key)}, key)


def form_of(entry: Entry) -> Form:
    """The form of a master key in `keys.json`; raises ValueError."""
    if isinstance(entry, str):
        return "file"
    form = ELSEWHERE.get(entry["form"])
    if form is None:
        raise ValueError(f"a master key has no form {entry['form']!r}")
    return form


def key_of(entry: Entry, key: bytes | None) -> bytes:
    """The master key of an entry: the one in it, else `key` when it is the right one. Raises WorldError, ValueError."""
    form = form_of(entry)
    if isinstance(entry, str):
        return key_bytes(entry, CURRENT)
    if key is None:
        raise wanting(form)
    if not hmac.compare_digest(str(entry["check"]), _check(key)):
        raise WorldError(_wrong(form))
    return key


def unlock(keys: Mapping[str, Any], offer: Offer | None) -> bytes:
    """The current master key of a `keys.json`, from what is offered; in the midst of a rotation the next one does too.

    Raises WorldError with one clear line; KeyError, TypeError or ValueError for what is no such file.
    """
    following = keys.get(NEXT)
    try:
        return _opened(keys[CURRENT], offer)
    except WorldError:
        if following is None:
            raise
        try:
            key = _opened(following["entry"], offer)
        except WorldError:
            key = None
        if key is None:
            raise
        return _unwrapped(following["old"], key)


def following(keys: Mapping[str, Any], key: bytes) -> bytes | None:
    """The master key that a rotation was on its way to, known by the current one; None when there is no rotation."""
    return _unwrapped(keys[NEXT]["next"], key) if NEXT in keys else None


def under_way(old: bytes, new: Master) -> dict[str, Any]:
    """What `next_master_key` holds during a rotation."""
    return {"entry": new.entry, "next": _wrapped(new.key, old), "old": _wrapped(old, new.key)}


def _opened(entry: Entry, offer: Offer | None) -> bytes:
    form = form_of(entry)
    if isinstance(entry, str):
        if offer is not None and offer.form != "file":
            raise wanting(form)
        return key_bytes(entry, CURRENT)
    if offer is None:
        return key_of(entry, None)
    if offer.form != form:
        raise wanting(form)
    if form == "command":
        return key_of(entry, offer.secret)
    cost = {name: int(entry[name]) for name in COST}
    if any(not 1 <= cost[name] <= most for name, most in MOST_COST.items()):
        raise ValueError("the cost of the passphrase is out of range")
    return key_of(entry, Scrypt(base64.b64decode(entry["salt"]), KEY_BYTES, **cost).derive(offer.secret))


def wanting(form: Form) -> WorldError:
    """What to tell who brings nothing, or something else, to a world whose master key has that form."""
    how = "; `outlast rotate-keys` changes that" if form == "file" else f": {ASKED[form]}"
    return WorldError(f"The world's master key {SAID[form]}{how}.")


def _wrong(form: Form) -> str:
    return "That is not the world's passphrase." if form == "passphrase" else "The command gave another master key."


def _wrapped(key: bytes, under: bytes) -> str:
    nonce = random.token_bytes(NONCE_BYTES)
    return _text(nonce + AESGCM(under).encrypt(nonce, key, UNDER))


def _unwrapped(text: str, under: bytes) -> bytes:
    sealed = base64.b64decode(text, validate=True)
    try:
        return AESGCM(under).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], UNDER)
    except InvalidTag:
        raise ValueError("a master key in it is damaged") from None


def _check(key: bytes) -> str:
    return hmac.new(key, CHECKED, hashlib.sha256).hexdigest()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def key_bytes(text: str, name: str) -> bytes:
    """A key of `KEY_BYTES` bytes out of `keys.json`, which calls it `name`; raises ValueError."""
    key = base64.b64decode(text, validate=True)
    if len(key) != KEY_BYTES:
        raise ValueError(f"{name} has {len(key)} bytes instead of {KEY_BYTES}")
    return key
