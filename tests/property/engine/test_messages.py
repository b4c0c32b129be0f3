"""What Regions say to each other is read as it was written, and nothing else is taken for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlast.cloud.engine.messages import Batch, Section, pack_batch, read_batch, unpack

items = st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=300)), max_size=20)


def section(space: str, pairs: list[tuple[bytes, bytes]]) -> Section:
    return Section(space, [key for key, _ in pairs], [stored for _, stored in pairs])


sections = st.builds(section, st.text(max_size=20), items)
name = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), min_size=1, max_size=12)
batches = st.builds(Batch, st.lists(name, min_size=1, max_size=4).map(tuple), st.lists(sections, max_size=4).map(tuple))


@given(st.binary(max_size=60), batches)
def test_a_batch_is_read_as_it_was_written(standing: bytes, batch: Batch) -> None:
    parts = unpack(pack_batch(standing, batch))
    assert parts[1] == standing
    assert read_batch(parts) == batch


@given(batches, st.data())
def test_a_batch_that_lost_something_is_refused(batch: Batch, data: st.DataObject) -> None:
    """But for whole sections at its end, of which nothing tells that they were there."""
    message = pack_batch(b"standing", batch)
    cut = data.draw(st.integers(1, len(message)))
    try:
        found = read_batch(unpack(message[:-cut]))
    except ValueError:
        return
    assert len(found.sections) < len(batch.sections)
    assert found.sections == batch.sections[: len(found.sections)]


@given(items.filter(bool), st.integers(0, 2**32 - 1))
def test_lengths_that_do_not_fit_the_items_are_refused(pairs: list[tuple[bytes, bytes]], length: int) -> None:
    parts = unpack(pack_batch(b"", Batch(("a",), (section("s", pairs),))))
    right = int.from_bytes(parts[4][:4], "big")
    for wrong in (length.to_bytes(4, "big") + parts[4][4:], parts[4][:-1], parts[4][:-4], parts[4] + b"\0" * 4):
        if wrong[:4] == right.to_bytes(4, "big") and len(wrong) == len(parts[4]):
            continue
        with pytest.raises(ValueError, match="lengths"):
            read_batch([*parts[:4], wrong, parts[5]])
