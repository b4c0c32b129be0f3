"""Messages and registers survive their passage as bytes; no bytes break the reader."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from outlast.cloud.engine import consensus as c
from outlast.cloud.engine.consensus_codec import (
    Garbled,
    pack_message,
    pack_register,
    pack_reply,
    unpack_message,
    unpack_register,
    unpack_reply,
)

BALLOTS = st.builds(c.Ballot, st.integers(0, 2**64 - 1), st.text(max_size=20))
VALUES = st.none() | st.binary(max_size=50)
MESSAGES = st.one_of(
    st.builds(c.Prepare, BALLOTS),
    st.builds(c.Accept, BALLOTS, VALUES),
    st.builds(c.Ask, BALLOTS),
    st.builds(c.Learn, BALLOTS, VALUES),
)
REPLIES = st.one_of(
    st.builds(c.Promised, BALLOTS, BALLOTS, VALUES),
    st.builds(c.Accepted, BALLOTS),
    st.builds(c.Refused, BALLOTS, BALLOTS),
    st.builds(c.Report, BALLOTS, VALUES, BALLOTS, st.booleans()),
)


@given(st.binary(max_size=20), MESSAGES)
def test_messages(key: bytes, message: Any) -> None:
    assert unpack_message(pack_message(key, message)) == (key, message)


@given(REPLIES)
def test_replies(reply: Any) -> None:
    assert unpack_reply(pack_reply(reply)) == reply


@given(st.builds(c.Register, BALLOTS, BALLOTS, VALUES))
def test_registers(register: c.Register) -> None:
    assert unpack_register(pack_register(register)) == register


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    for unpack in (unpack_message, unpack_reply):
        try:
            unpack(data)
        except (Garbled, UnicodeDecodeError):
            continue
