"""SVCB and HTTPS values (RFC 9460): `[priority] [target] [key=value …]` to wire form."""

from __future__ import annotations

import base64
import ipaddress
import shlex
from typing import Final

from outlast.cloud.services.route53.dnsnames import wire

KEYS: Final = {
    "mandatory": 0,
    "alpn": 1,
    "no-default-alpn": 2,
    "port": 3,
    "ipv4hint": 4,
    "ech": 5,
    "ipv6hint": 6,
}


class BadService(ValueError):
    """The value does not follow RFC 9460."""


def encode_service(value: str) -> bytes:
    """The wire data of an SVCB or HTTPS value; raises ValueError that says what is wrong."""
    fields = shlex.split(value)
    if len(fields) < 2:
        raise BadService("Value must be of the form [priority] [target] [parameters]")
    priority, target, *parameters = fields
    if not priority.isdigit() or int(priority) > 65535:
        raise BadService("Priority must be 0 to 65535")
    if int(priority) == 0 and parameters:
        raise BadService("An alias form, priority 0, takes no parameters")
    found: dict[int, bytes] = {}
    for parameter in parameters:
        name, equals, text = parameter.partition("=")
        key = _key(name)
        if key in found:
            raise BadService(f"The parameter {name} comes twice")
        found[key] = _parameter(name, key, text, bool(equals))
    if 0 in found and not _mandatory_holds(found):
        raise BadService("A mandatory parameter is missing")
    body = b"".join(key.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data for key, data in sorted(found.items()))
    return int(priority).to_bytes(2, "big") + wire(target) + body


def _key(name: str) -> int:
    if name in KEYS:
        return KEYS[name]
    number = name.removeprefix("key")
    if name.startswith("key") and number.isdigit() and int(number) < 65535:
        return int(number)
    raise BadService(f"The parameter {name} is not known")


def _parameter(name: str, key: int, text: str, given: bool) -> bytes:
    if name == "no-default-alpn":
        if given:
            raise BadService("no-default-alpn takes no value")
        return b""
    if not text and key in KEYS.values():
        raise BadService(f"The parameter {name} needs a value")
    match name:
        case "mandatory":
            return b"".join(number.to_bytes(2, "big") for number in sorted(_key(each) for each in text.split(",")))
        case "alpn":
            return b"".join(bytes((len(each),)) + each.encode() for each in text.split(","))
        case "port":
            return int(text).to_bytes(2, "big")
        case "ipv4hint":
            return b"".join(ipaddress.IPv4Address(each).packed for each in text.split(","))
        case "ipv6hint":
            return b"".join(ipaddress.IPv6Address(each).packed for each in text.split(","))
        case "ech":
            return base64.b64decode(text, validate=True)
    return text.encode()


def _mandatory_holds(found: dict[int, bytes]) -> bool:
    listed = found[0]
    keys = [int.from_bytes(listed[at : at + 2], "big") for at in range(0, len(listed), 2)]
    return 0 not in keys and len(set(keys)) == len(keys) and all(key in found for key in keys)
