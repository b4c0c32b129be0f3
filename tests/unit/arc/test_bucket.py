"""Three changes a second, with a burst."""

from __future__ import annotations

from outlast.cloud.services.arc_cluster.bucket import BURST, Bucket


def test_a_burst_then_three_a_second() -> None:
    bucket = Bucket(100.0)

    assert [bucket.take(100.0) for _ in range(int(BURST) + 1)] == [True] * int(BURST) + [False]
    assert [bucket.take(101.0) for _ in range(4)] == [True, True, True, False]


def test_tokens_do_not_pile_up() -> None:
    bucket = Bucket(0.0)

    assert sum(bucket.take(1000.0) for _ in range(100)) == BURST
