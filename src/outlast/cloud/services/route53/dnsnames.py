"""Domain names as Route 53 writes them, and their wire form.

Route 53 shows names in lower case with a trailing dot, and every byte other than a-z, 0-9, hyphen and underscore as a
backslash and three octal digits; an asterisk is \\052.
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
"""

from __future__ import annotations

from typing import Final

PLAIN: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_")
OCTAL: Final = frozenset("01234567")
WILDCARD: Final = b"\x01*"


class BadName(ValueError):
    """The text is no domain name; the message is how Route 53 words it."""


def wire(text: str) -> bytes:
    """The lower-case wire form of `text`, with or without its trailing dot; raises BadName."""
    if not text:
        raise BadName(f"FATAL problem: DomainNameEmpty (Domain name is empty) encountered with '{text}'")
    labels = _labels(text)
    for label in labels:
        if not label:
            raise BadName(f"FATAL problem: DomainLabelEmpty (Domain label is empty) encountered with '{text}'")
        if len(label) > 63:
            raise BadName(f"FATAL problem: DomainLabelTooLong (Domain label is too long) encountered with '{text}'")
    joined = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    if len(joined) > 255:
        raise BadName(f"FATAL problem: DomainNameTooLong (Domain name is too long) encountered with '{text}'")
    return joined.lower()


def _labels(text: str) -> list[bytes]:
    """The labels, escapes resolved; an empty last label (the trailing dot) is left out."""
    if text == ".":
        return []
    labels: list[bytes] = []
    label = bytearray()
    at = 0
    while at < len(text):
        char = text[at]
        if char == ".":
            labels.append(bytes(label))
            label.clear()
            at += 1
        elif char == "\\":
            digits = text[at + 1 : at + 4]
            if len(digits) != 3 or not OCTAL.issuperset(digits) or int(digits, 8) > 255:
                raise BadName(
                    f"FATAL problem: InvalidOctalEscape (Value contains an invalid escape) encountered with '{text}'"
                )
            label.append(int(digits, 8))
            at += 4
        elif "!" <= char <= "~":
            label.append(ord(char))
            at += 1
        else:
            raise BadName(
                f"FATAL problem: UnsupportedCharacter (Value contains unsupported characters) encountered with '{char}'"
            )
    if label:
        labels.append(bytes(label))
    return labels


def text(name: bytes) -> str:
    """The name in Route 53's own writing, with its trailing dot."""
    parts = [_escaped(label) for label in labels(name)]
    return ".".join(parts) + "." if parts else "."


def _escaped(label: bytes) -> str:
    return "".join(chr(byte) if byte in PLAIN else f"\\{byte:03o}" for byte in label)


def labels(name: bytes) -> list[bytes]:
    """The labels of a wire name, leftmost first, without the root."""
    found = []
    at = 0
    while name[at]:
        end = at + 1 + name[at]
        found.append(name[at + 1 : end])
        at = end
    return found


def parent(name: bytes) -> bytes:
    """The name without its leftmost label; the root is its own parent."""
    return name[1 + name[0] :] if name[0] else name


def within(name: bytes, zone: bytes) -> bool:
    """Whether `name` is `zone` or below it."""
    while len(name) > len(zone):
        name = parent(name)
    return name == zone


def sort_key(name: bytes) -> str:
    """What ListResourceRecordSets and ListHostedZonesByName order by: the labels reversed, `com.example.www.`."""
    return "".join(f"{_escaped(label)}." for label in reversed(labels(name)))


def canonical(name_text: str) -> str:
    """`text` as Route 53 would show it; raises BadName."""
    return text(wire(name_text))
