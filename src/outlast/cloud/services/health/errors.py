"""The modelled errors of AWS Health."""

from __future__ import annotations

from outlast.cloud.contract import Fault


class InvalidPaginationToken(Fault):
    """A page token that this service did not give."""


class UnsupportedLocale(Fault):
    """Only English is spoken."""
