"""The heads of HTTP/1.1 replies."""

from __future__ import annotations

import re
from typing import Final

from outlast.cloud.wire import Response

REASONS: Final = {
    200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 206: "Partial Content", 301: "Moved Permanently",
    304: "Not Modified", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 408: "Request Timeout", 409: "Conflict", 411: "Length Required",
    412: "Precondition Failed", 413: "Content Too Large", 416: "Range Not Satisfiable", 429: "Too Many Requests",
    431: "Request Header Fields Too Large", 500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported",
}  # fmt: skip
STATUS_LINES: Final = {status: f"HTTP/1.1 {status} {reason}\r\n" for status, reason in REASONS.items()}
BODILESS: Final = (204, 304)
"""Replies of these statuses have no body and no length (RFC 9110, sections 15.3.5 and 15.4.5)."""
BREAKS: Final = re.compile(r"[\r\n]+")


def head(response: Response, keep: bool) -> bytes:
    """All of the head but its last lines, which the listener's date makes; no value can begin a line of its own."""
    status = response.status
    lines = [STATUS_LINES.get(status) or f"HTTP/1.1 {status} Status\r\n"]
    explicit_length = status in BODILESS
    for name, value in response.headers:
        if len(name) == 14 and name.lower() == "content-length":
            explicit_length = True
        lines.append(f"{name}: {value}\r\n")
    if not explicit_length:
        lines.append(f"Content-Length: {len(response.body)}\r\n")
    if not keep:
        lines.append("Connection: close\r\n")
    text = "".join(lines)
    if text.count("\n") != len(lines) or text.count("\r") != len(lines):
        text = "".join([BREAKS.sub(" ", line[:-2]) + "\r\n" for line in lines])
    return text.encode("latin-1", "replace")


def refusal(status: int) -> bytes:
    """A bare reply of a status, after which the connection closes."""
    line = STATUS_LINES.get(status, f"HTTP/1.1 {status} Bad Request\r\n")
    return f"{line}Content-Length: 0\r\nConnection: close\r\n\r\n".encode("latin-1")
