"""What the signature check needs to see of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class SignedRequest(Protocol):
    """A request as it came over the wire: nothing decoded, so that the signature can be checked over the same bytes.

    `path` and `query` are percent-encoded as received (`query` without its question mark). `headers` maps lower-case
    names to values; several lines of one header are joined by a comma, as the canonical request wants them.
    """

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def query(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...
