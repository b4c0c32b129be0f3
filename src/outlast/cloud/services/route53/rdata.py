"""Record values: Route 53's text to wire form, with Route 53's complaints.

Formats: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html
"""

from __future__ import annotations

import binascii
import ipaddress
import struct
from collections.abc import Callable
from typing import Final

from outlast.cloud.contract.names import RecordType
from outlast.cloud.services.route53.dnsnames import BadName, wire
from outlast.cloud.services.route53.svcb import encode_service


class BadValue(ValueError):
    """The value does not fit its type; the message is how Route 53 words it."""


def _bad(code: str, words: str, value: str) -> BadValue:
    return BadValue(f"Invalid Resource Record: 'FATAL problem: {code} ({words}) encountered with '{value}''")


def encode(kind: str, value: str) -> bytes:
    """The wire data of `value` for a record of type `kind` (`A`, `TXT`, …); raises BadValue."""
    return ENCODERS[kind](value)


def type_number(kind: str) -> int:
    """The type's number on the wire."""
    return RecordType[kind].value


def _a(value: str) -> bytes:
    try:
        return ipaddress.IPv4Address(value).packed
    except ValueError:
        raise _bad("ARRDATAIllegalIPv4Address", "Value is not a valid IPv4 address", value) from None


def _aaaa(value: str) -> bytes:
    try:
        return ipaddress.IPv6Address(value).packed
    except ValueError:
        raise _bad("AAAARRDATAIllegalIPv6Address", "Value is not a valid IPv6 address", value) from None


def _name(value: str) -> bytes:
    try:
        return wire(value)
    except BadName as bad:
        raise BadValue(f"Invalid Resource Record: '{bad}'") from None


def _number(text: str, bits: int, value: str) -> int:
    if text.isascii() and text.isdigit() and int(text) < 1 << bits:
        return int(text)
    raise _bad("InvalidNumber", f"Value is not a whole number of {bits} bits", value)


def _fields(value: str, count: int, shape: str) -> list[str]:
    found = value.split()
    if len(found) != count:
        raise _bad("RRDATANotEnoughTerms", f"Value must be of the form {shape}", value)
    return found


def _mx(value: str) -> bytes:
    preference, host = _fields(value, 2, "[priority] [mail server host name]")
    return struct.pack("!H", _number(preference, 16, value)) + _name(host)


def _srv(value: str) -> bytes:
    *numbers, host = _fields(value, 4, "[priority] [weight] [port] [server host name]")
    return struct.pack("!HHH", *(_number(number, 16, value) for number in numbers)) + _name(host)


def _soa(value: str) -> bytes:
    server, contact, *numbers = _fields(value, 7, "[server] [contact] [serial] [refresh] [retry] [expire] [minimum]")
    return _name(server) + _name(contact) + struct.pack("!IIIII", *(_number(number, 32, value) for number in numbers))


def strings(value: str) -> list[bytes]:
    """The quoted strings of a TXT or SPF value; escapes are \\" and \\\\ and three octal digits. Raises BadValue."""
    found: list[bytes] = []
    at, size = 0, len(value)
    while at < size:
        if value[at].isspace():
            at += 1
            continue
        if value[at] != '"':
            raise _bad("InvalidCharacterString", "Value should be enclosed in quotation marks", value)
        piece, at = _quoted(value, at + 1)
        if len(piece) > 255:
            raise _bad("CharacterStringTooLong", "Value is too long", value)
        found.append(piece)
    if not found:
        raise _bad("InvalidCharacterString", "Value should be enclosed in quotation marks", value)
    return found


def _quoted(value: str, at: int) -> tuple[bytes, int]:
    """One string from behind its opening quotation mark; returns it and the offset behind the closing one."""
    piece = bytearray()
    while at < len(value):
        char = value[at]
        if char == '"':
            return bytes(piece), at + 1
        if char == "\\":
            digits = value[at + 1 : at + 4]
            if len(digits) == 3 and all("0" <= digit <= "7" for digit in digits) and int(digits, 8) < 256:
                piece.append(int(digits, 8))
                at += 4
                continue
            char = value[at + 1 : at + 2]
            at += 1
        try:
            piece += char.encode("latin-1")
        except UnicodeEncodeError:
            raise _bad("InvalidCharacterString", "Value contains unsupported characters", value) from None
        at += 1
    raise _bad("InvalidCharacterString", "Value should be enclosed in quotation marks", value)


def _txt(value: str) -> bytes:
    return b"".join(bytes((len(piece),)) + piece for piece in strings(value))


def _caa(value: str) -> bytes:
    parts = value.split(None, 2)
    if len(parts) != 3:
        raise _bad("CAARRDATAInvalid", 'Value must be of the form [flags] [tag] "[value]"', value)
    tag = parts[1].encode("ascii", "replace").lower()
    if not 1 <= len(tag) <= 15 or not tag.isalnum():
        raise _bad("CAARRDATAInvalid", "Tag must be 1 to 15 letters and digits", value)
    found = strings(parts[2])
    if len(found) != 1:
        raise _bad("CAARRDATAInvalid", "Value must be one quoted string", value)
    return bytes((_number(parts[0], 8, value), len(tag))) + tag + found[0]


def _naptr(value: str) -> bytes:
    parts = value.split(None, 2)
    texts, _, replacement = (parts[2] if len(parts) == 3 else "").strip().rpartition(" ")
    if not texts:
        raise _bad("NAPTRRRDATAInvalid", "Value must have six terms", value)
    pieces = strings(texts)
    if len(pieces) != 3:
        raise _bad("NAPTRRRDATAInvalid", "Flags, service and regular expression must be quoted", value)
    head = struct.pack("!HH", _number(parts[0], 16, value), _number(parts[1], 16, value))
    return head + b"".join(bytes((len(piece),)) + piece for piece in pieces) + _name(replacement)


def _hexadecimal(text: str, value: str) -> bytes:
    try:
        found = binascii.unhexlify(text)
    except (binascii.Error, ValueError):
        raise _bad("InvalidHexadecimal", "Value is not hexadecimal", value) from None
    if not found:
        raise _bad("InvalidHexadecimal", "Value is not hexadecimal", value)
    return found


def _ds(value: str) -> bytes:
    tag, algorithm, digest_type, digest = _fields(value, 4, "[key tag] [algorithm] [digest type] [digest]")
    head = struct.pack("!HBB", _number(tag, 16, value), _number(algorithm, 8, value), _number(digest_type, 8, value))
    return head + _hexadecimal(digest, value)


def _tlsa(value: str) -> bytes:
    *numbers, data = _fields(value, 4, "[usage] [selector] [matching type] [data]")
    return bytes(_number(number, 8, value) for number in numbers) + _hexadecimal(data, value)


def _sshfp(value: str) -> bytes:
    *numbers, fingerprint = _fields(value, 3, "[algorithm] [type] [fingerprint]")
    return bytes(_number(number, 8, value) for number in numbers) + _hexadecimal(fingerprint, value)


def _svcb(value: str) -> bytes:
    try:
        return encode_service(value)
    except (ValueError, OverflowError) as bad:
        raise _bad("SVCBRRDATAInvalid", str(bad), value) from None


ENCODERS: Final[dict[str, Callable[[str], bytes]]] = {
    "A": _a,
    "AAAA": _aaaa,
    "CAA": _caa,
    "CNAME": _name,
    "DS": _ds,
    "HTTPS": _svcb,
    "MX": _mx,
    "NAPTR": _naptr,
    "NS": _name,
    "PTR": _name,
    "SOA": _soa,
    "SPF": _txt,
    "SRV": _srv,
    "SSHFP": _sshfp,
    "SVCB": _svcb,
    "TLSA": _tlsa,
    "TXT": _txt,
}
