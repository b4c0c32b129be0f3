"""Names and record values against dnspython."""

from __future__ import annotations

import dns.name
import dns.rdata
import dns.rdataclass
import pytest

from outlast.cloud.services.route53 import dnsnames
from outlast.cloud.services.route53.dnsnames import BadName
from outlast.cloud.services.route53.rdata import ENCODERS, BadValue, encode, type_number

GOOD = [
    ("A", "192.0.2.1"),
    ("AAAA", "2001:db8::1"),
    ("AAAA", "2001:0db8:85a3:0:0:8a2e:0370:7334"),
    ("CAA", '0 issue "ca.example.com; account=1"'),
    ("CAA", '128 iodef "mailto:security@example.com"'),
    ("CNAME", "www.example.com."),
    ("DS", "123 4 2 " + "1f" * 32),
    ("HTTPS", "1 . alpn=h3,h2 port=8443 ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1"),
    ("HTTPS", "0 svc.example.com."),
    ("MX", "10 mail.example.com."),
    ("NAPTR", '100 50 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .'),
    ("NS", "ns-1.awsdns-00.com."),
    ("PTR", "host.example.com."),
    ("SOA", "ns-1.awsdns-00.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"),
    ("SPF", '"v=spf1 -all"'),
    ("SRV", "10 5 80 host.example.com."),
    ("SSHFP", "1 1 " + "0a" * 20),
    ("SVCB", "16 foo.example.com. mandatory=alpn,port alpn=h2 no-default-alpn port=53 key667=hello"),
    ("TLSA", "3 1 1 " + "ab" * 32),
    ("TXT", '"one" "two with spaces"'),
    ("TXT", '"quote \\" and backslash \\\\"'),
]


@pytest.mark.parametrize(("kind", "value"), GOOD)
def test_values_are_encoded_as_dnspython_encodes_them(kind: str, value: str) -> None:
    expected = dns.rdata.from_text(dns.rdataclass.IN, kind, value).to_wire()
    assert encode(kind, value) == expected
    assert type_number(kind) == dns.rdata.from_text(dns.rdataclass.IN, kind, value).rdtype


def test_every_type_has_an_example() -> None:
    assert {kind for kind, _ in GOOD} == set(ENCODERS)


def test_octal_escapes_in_strings() -> None:
    assert encode("TXT", '"\\303\\244\\"x\\""') == b'\x06\xc3\xa4"x"'[:1].replace(b"\x06", b"\x05") + b'\xc3\xa4"x"'


BAD = [
    ("A", "192.0.2"),
    ("A", "2001:db8::1"),
    ("AAAA", "192.0.2.1"),
    ("CAA", "0 issue ca.example.com"),
    ("CAA", '256 issue "x"'),
    ("CAA", '0 issue "x" "y"'),
    ("CNAME", ""),
    ("CNAME", "a..b"),
    ("DS", "123 4 2 xyz"),
    ("HTTPS", "1"),
    ("HTTPS", "0 . alpn=h2"),
    ("HTTPS", "1 . port=70000"),
    ("HTTPS", "1 . alpn=h2 alpn=h3"),
    ("HTTPS", "1 . mandatory=port alpn=h2"),
    ("HTTPS", "1 . unheard=of"),
    ("HTTPS", "1 . ipv4hint=2001:db8::1"),
    ("HTTPS", "x ."),
    ("MX", "mail.example.com"),
    ("MX", "70000 mail.example.com"),
    ("NAPTR", "100 50 u E2U+sip x ."),
    ("NS", "a" * 64 + ".com"),
    ("SOA", "ns. host. 1 2 3"),
    ("SRV", "1 2 3"),
    ("SRV", "1 2 -3 host"),
    ("SSHFP", "1 1"),
    ("TLSA", "3 1 1 abc"),
    ("TXT", "bare"),
    ("TXT", ""),
    ("TXT", '"open'),
    ("TXT", '"' + "x" * 256 + '"'),
    ("TXT", '"€"'),
]


@pytest.mark.parametrize(("kind", "value"), BAD)
def test_values_that_do_not_fit_are_refused(kind: str, value: str) -> None:
    with pytest.raises(BadValue, match=r"^Invalid Resource Record: 'FATAL problem: \w+ \(.*\) encountered with '"):
        encode(kind, value)


@pytest.mark.parametrize(
    "text", ["example.com", "WWW.Example.com.", "*.example.com", "_sip._tcp.example.com", ".", "a"]
)
def test_names_are_read_as_dnspython_reads_them(text: str) -> None:
    expected = dns.name.from_text(text).canonicalize()
    assert dnsnames.wire(text) == expected.to_wire()
    assert dnsnames.labels(dnsnames.wire(text)) == list(expected.labels[:-1])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Example.COM", "example.com."),
        ("*.example.com", "\\052.example.com."),
        ("\\052.example.com.", "\\052.example.com."),
        ("a\\040b.example.com", "a\\040b.example.com."),
        ("a!b.example.com", "a\\041b.example.com."),
        ("a\\056b.example.com", "a\\056b.example.com."),
        (".", "."),
    ],
)
def test_names_are_shown_with_octal_escapes(text: str, shown: str) -> None:
    assert dnsnames.canonical(text) == shown
    assert dnsnames.canonical(shown) == shown


@pytest.mark.parametrize(
    "text", ["", "..", "a..b", ".a", "a" * 64, ".".join(["a" * 60] * 5), "a\\9.b", "a\\400.b", "a b", "ä.com"]
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(BadName, match="FATAL problem"):
        dnsnames.wire(text)


def test_a_character_that_no_name_has_is_told() -> None:
    with pytest.raises(BadName, match=r"encountered with '\t'$"):
        dnsnames.wire("a\tb.example")


def test_within_and_parent() -> None:
    zone = dnsnames.wire("example.com")
    assert dnsnames.within(zone, zone)
    assert dnsnames.within(dnsnames.wire("a.b.example.com"), zone)
    assert not dnsnames.within(dnsnames.wire("notexample.com"), zone)
    assert not dnsnames.within(dnsnames.wire("com"), zone)
    assert dnsnames.parent(dnsnames.wire("a.example.com")) == zone
    assert dnsnames.parent(b"\0") == b"\0"
