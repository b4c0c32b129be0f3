"""Names, validation records and certificates. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

from cryptography import x509

DAYS = 395
RENEW_BEFORE_S = 60 * 86_400
VALIDATION_TIMEOUT_S = 72 * 3600
MOST_NAMES = 10
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:\*\.)?(?:{_LABEL}\.)+{_LABEL}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ValidationRecord:
    """The CNAME that shows who controls a domain; absolute names with their last dot."""

    name: str
    value: str


def is_domain(name: str) -> bool:
    """Whether a certificate can have this name."""
    return len(name) <= 253 and _DOMAIN.fullmatch(name) is not None


def validation_record(domain: str, account_id: str, world_key: bytes) -> ValidationRecord:
    """The record of a domain: the same for every certificate of the account, in every Region, as on AWS.

    A wildcard is validated by the domain below it.
    """
    base = domain.lower().removeprefix("*.")
    label, value = (
        hmac.digest(world_key, f"acm {part} {account_id} {base}".encode(), hashlib.sha256).hex()[:32]
        for part in ("name", "value")
    )
    return ValidationRecord(f"_{label}.{base}.", f"_{value}.{label[:10]}.acm-validations.aws.")


def wire_name(name: str) -> bytes:
    """A domain name in uncompressed wire form, lower case (RFC 1035, section 3.1)."""
    labels = name.lower().rstrip(".").split(".")
    return b"".join(len(label).to_bytes(1, "big") + label.encode() for label in labels) + b"\0"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a certificate says of itself; times in epoch seconds."""

    serial: str
    subject: str
    issuer: str
    not_before_s: int
    not_after_s: int


def facts_of(certificate_pem: str) -> Facts:
    """Read a certificate."""
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    number = f"{certificate.serial_number:x}"
    number = number.zfill(len(number) + len(number) % 2)
    return Facts(
        serial=":".join(number[at : at + 2] for at in range(0, len(number), 2)),
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        not_before_s=int(certificate.not_valid_before_utc.timestamp()),
        not_after_s=int(certificate.not_valid_after_utc.timestamp()),
    )
