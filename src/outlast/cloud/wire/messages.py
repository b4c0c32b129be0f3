"""What crosses the wire: a request as received, a response to send, and the error that a bad request gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class Request:
    """An HTTP request. `path` and `query` are raw, still percent-encoded; `query` has no question mark.

    Header names are lower case; repeated headers are joined by a comma. Never changed once made, but not frozen: that
    would take three times as long.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""
    tls: tuple[str, str] | None = None
    """Protocol and cipher suite of the connection that it came by, where that is known."""


@dataclass(slots=True)
class Response:
    """An HTTP response without the headers that belong to the connection (Content-Length, Date). Never changed."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


class WireError(Exception):
    """The request cannot be understood or breaks the model's constraints; `code` is AWS's error code."""

    def __init__(self, code: str, message: str = "", status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def unreadable(message: str = "") -> WireError:
    """The body is no valid document of its form, or a value has the wrong type."""
    return WireError("SerializationException", message)
