"""The world's certificate authority: made with the world, trusted by nobody else, keys never readable by others."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from outlast.cloud.world.files import write_private

AUTHORITY_DAYS = 3650
LEAF_DAYS = 397
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, both PEM."""

    certificate_pem: str
    key_pem: str


class Authority:
    """Issues leaf certificates for names and loopback addresses; nothing it signs is valid outside this machine."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self._certificate = x509.load_pem_x509_certificate(pair.certificate_pem.encode())
        key = serialization.load_pem_private_key(pair.key_pem.encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key

    @classmethod
    def create(cls, name: str, now: dt.datetime) -> Authority:
        """A new authority for the world `name`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Outlast local world"),
                x509.NameAttribute(NameOID.COMMON_NAME, f"Outlast {name} authority"),
            ]
        )
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=AUTHORITY_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(Pair(_pem(certificate), _key_pem(key)))

    def outlives(self, now: dt.datetime) -> bool:
        """Whether it is valid at least as long as a leaf that is made `now`."""
        return self._certificate.not_valid_after_utc > now + dt.timedelta(days=LEAF_DAYS)

    def issue(self, names: Sequence[str], now: dt.datetime, *, days: float = LEAF_DAYS, common_name: str = "") -> Pair:
        """A leaf for DNS names, wildcards and IP addresses; `days` may be negative to make an expired one.

        It holds since a day ago: the clock of a Region may be skewed, those of its clients are not.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        start = now - dt.timedelta(days=1 - min(days, 0))
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, (common_name or names[0])[:64])]))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(now + dt.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return Pair(_pem(certificate), _key_pem(key))


def server_context(pair: Pair, folder: Path, *, clients_of: str = "") -> ssl.SSLContext:
    """A server context that presents `pair`; with `clients_of` (CA PEM) every client must show a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    load_pair(context, pair, folder)
    if clients_of:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=clients_of)
    return context


def client_context(pair: Pair, folder: Path, authority_pem: str) -> ssl.SSLContext:
    """A client context that shows `pair` and trusts only the world's authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=authority_pem)
    load_pair(context, pair, folder)
    return context


def load_pair(context: ssl.SSLContext, pair: Pair, folder: Path) -> None:
    """Load the pair into `context`.

    The ssl module takes keys from files only: on Linux from one in memory, elsewhere from a private one in `folder`
    that is there for a moment.
    """
    text = pair.certificate_pem + pair.key_pem
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("pair", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
        return
    path = folder / f"pair-{os.getpid()}-{id(pair)}.pem"
    write_private(path, text)
    try:
        context.load_cert_chain(path)
    finally:
        path.unlink()


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
