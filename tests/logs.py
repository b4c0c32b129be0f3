"""The commit log as it lies on disk, for tests that harm it."""

from __future__ import annotations

from pathlib import Path

from outlast.cloud.engine.frames import FRAME, HEADER_BYTES


def used(log: Path) -> int:
    """How many bytes of a segment were written; behind them are zeros that were made ready.

    Found by the frames' own lengths: a frame is encrypted, so one in 256 ends in a zero itself.
    """
    contents = log.read_bytes()
    at = HEADER_BYTES
    while at + FRAME.size <= len(contents) and any(contents[at : at + FRAME.size]):
        at += FRAME.size + FRAME.unpack_from(contents, at)[1]
    return min(at, len(contents))
