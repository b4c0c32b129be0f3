"""Access keys and session tokens of this cloud.

Key ids have AWS's form and length, with a marker that AWS never issued to anyone: `AKIALOCAL…` for long-term keys
and `ASIALOCAL…` for sessions. They are worth nothing on AWS, and a key without the marker that has AWS's form is
taken for a real one: it is refused unread, never stored and never logged.

A session token is the whole session, sealed with AES-256-GCM under the world's key, so every Region can check it alone
(https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp.html).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections import OrderedDict
from dataclasses import asdict, dataclass

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from outlast.cloud.identity.faults import expired_token, unrecognized

LONG_TERM_PREFIX = "AKIALOCAL"
SESSION_PREFIX = "ASIALOCAL"
KEY_ID_ENTROPY_BYTES = 7
SECRET_ENTROPY_BYTES = 30
UNIQUE_ID_ENTROPY_BYTES = 11
NONCE_BYTES = 12

_AWS_FORM = re.compile(r"(?:AKIA|ASIA)[A-Z0-9]{12,124}")
_TOKEN_LEAD = "OLST"  # noqa: S105  (a marker, not a secret)


def key_id(entropy: bytes, *, session: bool = False) -> str:
    """A 20-character access key id from 7 random bytes."""
    letters = base64.b32encode(entropy[:KEY_ID_ENTROPY_BYTES]).decode()[:11]
    return (SESSION_PREFIX if session else LONG_TERM_PREFIX) + letters


def secret_key(entropy: bytes) -> str:
    """A 40-character secret access key from 30 random bytes."""
    return base64.b64encode(entropy[:SECRET_ENTROPY_BYTES]).decode()


def unique_id(prefix: str, entropy: bytes) -> str:
    """A 21-character unique id such as AIDA… (user), AROA… (role), ANPA… (managed policy) from 11 random bytes.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
    """
    return prefix + base64.b32encode(entropy[:UNIQUE_ID_ENTROPY_BYTES]).decode()[:17]


def looks_real(access_key_id: str) -> bool:
    """Whether this could be a key of AWS's own rather than one of this cloud or a made-up word such as `test`."""
    if access_key_id.startswith((LONG_TERM_PREFIX, SESSION_PREFIX)):
        return False
    return _AWS_FORM.fullmatch(access_key_id) is not None


@dataclass(frozen=True, slots=True)
class Session:
    """Temporary credentials and what they stand for. Times are epoch seconds."""

    access_key_id: str
    secret: str
    arn: str
    """What callers see: an assumed role's session, or the user that asked for the token."""
    account_id: str
    user_id: str
    role_arn: str
    """The role behind the session; empty for GetSessionToken."""
    issued_s: int
    expires_s: int
    policies: tuple[str, ...] = ()
    policy_arns: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()


class SessionTokens:
    """Seals and opens session tokens under the world's key. Opened ones are remembered; the longest unused goes."""

    __slots__ = ("_cipher", "_limit", "_opened")

    def __init__(self, world_key: bytes, *, limit: int = 4096) -> None:
        self._cipher = AESGCM(hmac.digest(world_key, b"outlast session tokens 1", "sha256"))
        self._limit = limit
        self._opened: OrderedDict[str, Session] = OrderedDict()

    def seal(self, session: Session, nonce: bytes) -> str:
        """The token. `nonce` is 12 random bytes that are never used twice."""
        if len(nonce) != NONCE_BYTES:
            raise ValueError("a nonce has 12 bytes")
        sealed = self._cipher.encrypt(nonce, orjson.dumps(asdict(session)), _TOKEN_LEAD.encode())
        return _TOKEN_LEAD + base64.b64encode(nonce + sealed).decode()

    def open(self, token: str, access_key_id: str, now_s: float) -> Session:
        """The session behind a token presented with this key id. Raises SignatureFault when forged, foreign or over."""
        session = self._opened.get(token)
        if session is None:
            session = self._unseal(token)
            self._opened[token] = session
            if len(self._opened) > self._limit:
                self._opened.popitem(last=False)
        else:
            self._opened.move_to_end(token)
        if not hmac.compare_digest(session.access_key_id.encode(), access_key_id.encode()):
            raise unrecognized()
        if now_s >= session.expires_s:
            raise expired_token()
        return session

    def _unseal(self, token: str) -> Session:
        try:
            if not token.startswith(_TOKEN_LEAD):
                raise ValueError("not a token of this cloud")
            sealed = base64.b64decode(token[len(_TOKEN_LEAD) :], validate=True)
            plain = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _TOKEN_LEAD.encode())
        except (InvalidTag, ValueError, binascii.Error):
            raise unrecognized() from None
        fields = orjson.loads(plain)
        for name in ("policies", "policy_arns"):
            fields[name] = tuple(fields[name])
        fields["tags"] = tuple((key, value) for key, value in fields["tags"])
        return Session(**fields)
