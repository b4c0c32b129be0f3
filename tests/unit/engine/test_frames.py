"""The end of a segment: what was written, then room that was made ready."""

from __future__ import annotations

import pytest

from outlast.cloud.engine.frames import ZEROS, zeros_behind

LARGE = len(ZEROS)


@pytest.mark.parametrize("written", [0, 1, 100, LARGE - 1, LARGE, LARGE + 1])
@pytest.mark.parametrize("zeros", [0, 1, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE + 7])
@pytest.mark.parametrize("at", [0, 1, 50])
def test_zeros_at_the_end_are_counted(written: int, zeros: int, at: int) -> None:
    contents = bytes(at) + b"\0" * (written > 1) + b"\1" * (written - (written > 1)) + bytes(zeros)
    assert zeros_behind(contents, at) == len(contents) - at - len(contents[at:].rstrip(b"\0"))
