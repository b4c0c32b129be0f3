"""A TLS handshake in memory."""

from __future__ import annotations

import ssl

from cryptography import x509


def shown(server: ssl.SSLContext, name: str | None, authority_pem: str = "") -> x509.Certificate:
    """The certificate that a client which asks for `name` is shown; verified when the authority is given."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = bool(authority_pem and name)
    client.verify_mode = ssl.CERT_REQUIRED if authority_pem else ssl.CERT_NONE
    if authority_pem:
        client.load_verify_locations(cadata=authority_pem)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(10):
        done = 0
        for end in (ours, theirs):
            try:
                end.do_handshake()
                done += 1
            except ssl.SSLWantReadError:
                continue
        if done == 2:
            break
    der = ours.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


def names_of(certificate: x509.Certificate) -> set[str]:
    """The DNS names that it is for."""
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return set(extension.value.get_values_for_type(x509.DNSName))
