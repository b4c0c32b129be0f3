"""Versions: what they know, and what they say that they do not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from outlast.cloud.engine.version import MAX_GAPS, Gap, Version, bounded, decode, encode, following, value_of

number = st.integers(0, 254)
stamp = st.integers(1, 2**64 - 1)
gap = st.tuples(number, stamp, stamp).map(lambda each: (each[0], min(each[1:]), max(each[1:])))
entries = st.lists(st.tuples(number, stamp), max_size=15, unique_by=lambda entry: entry[0]).map(tuple)
versions = st.builds(
    Version,
    origin=number,
    stamp=stamp,
    seen=entries,
    context=st.binary(max_size=20),
    value=st.none() | st.binary(max_size=20),
    gaps=st.lists(gap, max_size=MAX_GAPS).map(tuple),
)


@given(versions)
def test_what_is_encoded_is_what_is_decoded(version: Version) -> None:
    stored = encode(version)
    assert decode(stored) == version
    assert value_of(stored) == version.value


@given(versions, stamp, number, st.binary(max_size=5))
def test_a_write_that_follows_keeps_what_is_not_known(before: Version, later: int, origin: int, value: bytes) -> None:
    after = decode(following(encode(before), origin, later, value, b"request"))
    assert (after.origin, after.stamp, after.value, after.context) == (origin, later, value, b"request")
    assert after.gaps == before.gaps


def test_the_next_write_does_not_pass_for_a_descendant_of_one_that_lost() -> None:
    lost, winner = Version(1, 5), Version(2, 7, seen=((1, 3),))
    kept = winner.after(lost, own=1)
    next_one = decode(following(encode(kept), 1, 9, b"x", b""))
    assert [next_one.covers(1, each) for each in (2, 3, 4, 5, 6, 9, 10)] == [
        True,
        True,
        False,
        False,
        True,
        True,
        False,
    ]
    assert next_one.covers(2, 7)
    assert winner.after(lost, own=2) is winner


def test_what_was_lost_is_remembered_while_others_write_the_item() -> None:
    kept = Version(2, 7).after(Version(1, 5), own=1)
    theirs = Version(2, 12, seen=((3, 8),))
    again = theirs.after(kept, own=1)
    ours = decode(following(encode(again), 1, 20, b"x", b""))
    assert not ours.covers(1, 5)
    assert ours.covers(2, 7)
    assert ours.covers(3, 8)


def test_two_losses_in_a_row_are_one_gap() -> None:
    first = Version(2, 7, seen=((1, 3),)).after(Version(1, 5), own=1)
    second = Version(3, 9).after(first, own=1)
    assert second.gaps == ((1, 0, 5),)


@given(st.lists(gap, max_size=40))
def test_gaps_are_bounded_and_none_is_forgotten(gaps: list[Gap]) -> None:
    few = bounded(tuple((origin % 4, low, high) for origin, low, high in gaps))
    assert len(few) <= MAX_GAPS
    for origin, low, high in gaps:
        assert any(region == origin % 4 and start <= low and high <= end for region, start, end in few)
