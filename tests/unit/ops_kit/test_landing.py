"""Where requests land after a switch: by whole periods that began after it, and what is not counted is not said."""

from __future__ import annotations

from outlast.ops.act.landing import landing
from outlast.ops.observe.metrics import Counted, newest_count
from tests.unit.ops.test_plan import A, B

POINTS = {"count": [(100.0, 50.0), (110.0, 80.0), (120.0, 7.0)]}


def test_a_period_counts_once_it_is_over_and_by_this_machines_clock() -> None:
    assert newest_count(POINTS, 10, 119.9) == Counted(100.0, 5.0)
    assert newest_count(POINTS, 10, 121.0) == Counted(110.0, 8.0)
    assert newest_count(POINTS, 10, 151.0, ahead_s=30.0) == Counted(140.0, 8.0)
    assert newest_count(POINTS, 10, 105.0) is None
    assert newest_count({}, 10, 121.0) is None


def test_what_was_counted_before_the_switch_tells_nothing_of_after() -> None:
    counted = {A: Counted(109.0, 9.0), B: Counted(112.0, 14.0)}
    found = landing(A, {A: 9.0, B: 5.0}, counted, 110.0)
    assert found.document == {B: {"before": 5.0, "after": 14.0}}
    assert found.text == "requests a second, as each Region counts them: us-west-2 14.0 (5.0 before)"
    later = landing(A, {A: 9.0}, {A: Counted(110.0, 4.0), B: Counted(112.0, 14.0)}, 110.0)
    assert later.text == (
        "requests a second, as each Region counts them: us-east-1 4.0 (9.0 before), us-west-2 14.0; canaries and "
        "probes go on in us-east-1"
    )
    assert "no whole period was counted" in landing(A, {}, {}, 110.0).text
    assert landing(A, {}, {}, 110.0).document == {}
