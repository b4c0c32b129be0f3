"""Randomness: in its range, spread, and different in forked processes."""

from __future__ import annotations

import os

from outlast.cloud.effects import RealEntropy


def test_a_uniform_number_lies_in_its_range_and_spreads() -> None:
    drawn = [RealEntropy().uniform() for _ in range(4_000)]
    assert all(0 <= each < 1 for each in drawn)
    assert all(800 < sum(low <= each < low + 0.25 for each in drawn) < 1_200 for low in (0, 0.25, 0.5, 0.75))


def test_forked_processes_do_not_draw_the_same() -> None:
    """Regions are forked from one process; their delays and choices must not march in step."""
    RealEntropy().uniform()
    seen = set()
    for _ in range(3):
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.write(writing, repr(RealEntropy().uniform()).encode())
            os._exit(0)
        os.waitpid(child, 0)
        seen.add(os.read(reading, 100))
        os.close(reading)
        os.close(writing)
    assert len(seen) == 3
