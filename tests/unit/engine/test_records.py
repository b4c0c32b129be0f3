"""The replication log's records, of now and of before."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from outlast.cloud.engine.records import Record, Write, n_writes, read_record

writes = st.tuples(st.integers(0, 0xFDFFFFFFFFFFFFFF), st.binary(max_size=70), st.binary(max_size=70))


@given(st.lists(writes, min_size=1, max_size=70))
def test_a_record_holds_its_writes_in_order(group: list[Write]) -> None:
    growing = Record()
    for stamp, key, context in group:
        growing.add(stamp, key, context)
    record = growing.pack()
    assert growing.n_writes == len(group)
    assert n_writes(record) == len(group)
    assert read_record(record, b"any") == group


@given(st.lists(writes, min_size=1, max_size=70))
def test_a_group_of_before_holds_its_writes_in_order(group: list[Write]) -> None:
    record = b"\xff" + len(group).to_bytes(4, "big")
    for stamp, key, context in group:
        record += struct.pack(">QIH", stamp, len(key), len(context)) + key + context
    assert n_writes(record) == len(group)
    assert read_record(record, b"p") == [(stamp, b"p" + key, context) for stamp, key, context in group]


@given(writes)
def test_a_record_of_before_is_one_write(write: Write) -> None:
    stamp, key, context = write
    record = struct.pack(">QI", stamp, len(key)) + key + context
    assert n_writes(record) == 1
    assert read_record(record, b"p") == [(stamp, b"p" + key, context)]
