"""The checker itself tells good histories from bad ones."""

from __future__ import annotations

from tests.property.consensus.history import Operation, is_linearizable


def test_a_chain_in_order() -> None:
    assert is_linearizable(
        [Operation("swap", b"1", 0, 1), Operation("swap", b"2", 2, 3, b"1"), Operation("read", None, 4, 5, b"2")]
    )


def test_overlapping_operations_may_be_told_in_either_order() -> None:
    assert is_linearizable([Operation("swap", b"1", 0, 9, b"2"), Operation("swap", b"2", 1, 8)])


def test_a_stale_read_is_found() -> None:
    assert not is_linearizable([Operation("swap", b"1", 0, 1), Operation("read", None, 2, 3)])


def test_a_lost_write_is_found() -> None:
    assert not is_linearizable([Operation("swap", b"1", 0, 1), Operation("swap", b"2", 2, 3)])


def test_an_operation_without_an_end_may_or_may_not_have_happened() -> None:
    open_ended = Operation("swap", b"1", 0)
    assert is_linearizable([open_ended, Operation("read", None, 2, 3), Operation("read", None, 4, 5, b"1")])
    assert is_linearizable([open_ended, Operation("read", None, 2, 3)])
    assert not is_linearizable([open_ended, Operation("read", None, 2, 3, b"1"), Operation("read", None, 4, 5)])


def test_a_write_tells_nothing_but_is_seen() -> None:
    written = [Operation("write", b"a", 0, 1), Operation("write", b"b", 2, 3)]
    assert is_linearizable([*written, Operation("read", None, 4, 5, b"b")])
    assert not is_linearizable([*written, Operation("read", None, 4, 5, b"a")])
    assert not is_linearizable([*written, Operation("read", None, 4, 5, b"ab")])
