"""Greetings that make no sense are refused, and change nothing."""

from __future__ import annotations

import pytest

from outlast.cloud.engine import Engine, OlderCopy
from outlast.cloud.engine.lineage import LIFE, Standing

GOOD = [Standing(b"theirs", 1, b"token678", 5).pack(), LIFE.pack(1, b"token678", 0, 0), b"", bytes(8)]


@pytest.mark.parametrize(
    ("at", "word"),
    [
        (0, b""),
        (0, b"short"),
        (0, GOOD[0] + b"\0"),
        (0, b"\xff" * 40),
        (1, b""),
        (1, b"x"),
        (1, GOOD[1] * 257),
        (2, b"x"),
        (2, GOOD[0][:-1]),
        (3, b""),
        (3, b"\xff" * 9),
    ],
)
async def test_a_greeting_that_makes_no_sense_is_refused(engine: Engine, at: int, word: bytes) -> None:
    told: list[OlderCopy] = []
    engine.on_older_copy(told.append)
    greetings, before = engine.replication.greetings, engine.clock.last
    words = list(GOOD)
    words[at] = word
    with pytest.raises(ValueError):
        greetings.take("us-west-2", words)
    assert not greetings.knows("us-west-2", Standing.read(GOOD[0]))
    assert (told, engine.clock.last) == ([], before)
    assert greetings.take("us-west-2", GOOD)
    assert greetings.knows("us-west-2", Standing.read(GOOD[0]))


async def test_a_greeting_that_is_cut_short_agrees_to_nothing(engine: Engine) -> None:
    for n_words in range(4):
        assert not engine.replication.greetings.take("us-west-2", GOOD[:n_words])
    assert not engine.replication.greetings.knows("us-west-2", Standing.read(GOOD[0]))
