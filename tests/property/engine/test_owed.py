"""What is owed is the same whether it is found in memory or in records, by columns or write by write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from outlast.cloud.engine import layout, version
from outlast.cloud.engine.ledger import lost_key
from outlast.cloud.engine.outbox import Outbox

OWN, OTHER = 1, 2
PREFIX = layout.item_prefix(1)
KEYS = [b"a", b"bb", b"ccc", b"dddd"]


class Held:
    """A store of one dictionary."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        return self.data.get(key)

    def get_all(self, keys: list[bytes]) -> list[bytes | None]:
        return [self.data.get(key) for key in keys]

    def range(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        keys = sorted((key for key in self.data if start <= key < end), reverse=reverse)
        return iter([(key, self.data[key]) for key in keys])


writes = st.lists(
    st.tuples(
        st.sampled_from(KEYS),
        st.sampled_from(["plain", "plain", "plain", "plain", "lost", "deleted", "gone", "theirs"]),
        st.integers(0, 60),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


def play(made: list[tuple[bytes, str, int, bool]]) -> tuple[Held, Outbox, list[tuple[int, bytes]]]:
    """A log of these writes, the last few of which may be without a record: the store, the log, stamps and keys."""
    store = Held()
    outbox = Outbox(cast(Any, store), "n", 1, ("p",))
    logged: list[tuple[int, bytes]] = []
    for number, (key, what, size, closes) in enumerate(made, 1):
        raw, stamp = PREFIX + key, number << 16
        value = None if what == "deleted" else bytes(size)
        stored = version.following(store.data.get(raw), OWN, stamp, value, b"request %d" % number)
        if what == "gone":
            store.data.pop(raw, None)
        elif what in ("lost", "theirs"):
            store.data[raw] = version.encode(version.Version(OTHER, stamp + 1, value=b"theirs"))
            if what == "lost":
                store.data[lost_key("n", key, stamp)] = stored
        else:
            store.data[raw] = stored
        outbox.append(stamp, raw, b"request %d" % number)
        logged.append((stamp, key))
        if closes:
            records: dict[bytes, bytes | None] = {}
            outbox.close(records)
            store.data.update(cast(dict[bytes, bytes], records))
    return store, outbox, logged


def expected(
    store: Held, logged: list[tuple[int, bytes]], after: int, n_items: int, n_bytes: int
) -> tuple[int, list[tuple[bytes, bytes]]]:
    """Write by write, as the words have it: the last write's number and the items."""
    items: list[tuple[bytes, bytes]] = []
    sent: set[bytes] = set()
    last = after
    for number, (stamp, key) in enumerate(logged[after : after + n_items], after + 1):
        last = number
        stored = store.data.get(PREFIX + key)
        if stored is not None:
            lost = store.data.get(lost_key("n", key, stamp))
            if lost is not None and (stored[1] != OWN or version.decode(stored).seen):
                items.append((key, lost))
            if key not in sent:
                sent.add(key)
                items.append((key, stored))
        if sum(len(each) + len(what) for each, what in items) >= n_bytes:
            break
    return last, items


@settings(max_examples=500)
@given(writes, st.integers(0, 40), st.integers(1, 45), st.one_of(st.integers(1, 300), st.just(4000)), st.booleans())
def test_a_piece_has_the_newest_of_what_follows(
    made: list[tuple[bytes, str, int, bool]], after: int, n_items: int, n_bytes: int, from_records: bool
) -> None:
    store, outbox, logged = play(made)
    if from_records:
        n_closed = outbox._closed
        outbox.load()
        logged = logged[:n_closed]
    after %= len(logged) + 1
    piece = outbox.owed(after, OWN, n_items, n_bytes)
    last, items = expected(store, logged, after, n_items, n_bytes)
    assert list(zip(piece.section.keys, piece.section.stored, strict=True)) == items
    assert piece.last == last
    assert list(piece.stamps) == [stamp for stamp, _ in logged[after:last]]
    assert piece.n_bytes == sum(len(key) + len(stored) for key, stored in items)
    assert piece.section.space == "n"


@given(writes, st.integers(0, 40))
def test_the_log_tells_every_write_and_the_first_of_them(made: list[tuple[bytes, str, int, bool]], after: int) -> None:
    _, outbox, logged = play(made)
    after %= len(logged) + 1
    found = list(outbox.records(after))
    assert [(each.number, each.stamp, each.key) for each in found] == [
        (number, *write) for number, write in enumerate(logged[after:], after + 1)
    ]
    assert [each.context for each in found] == [b"request %d" % each.number for each in found]
    assert outbox.first_stamp(after) == (found[0].stamp if found else None)
