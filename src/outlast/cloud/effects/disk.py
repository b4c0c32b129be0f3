"""The door to files."""

from __future__ import annotations

from typing import Protocol


class Disk(Protocol):
    """Files of one Region."""


class RealDisk:
    """The machine's file system."""
