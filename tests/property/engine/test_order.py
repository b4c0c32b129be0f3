"""Ranges over tables in memory and the base together equal a sorted dictionary, whatever is where."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from outlast.cloud.engine import Engine, store
from outlast.cloud.engine.layout import successor
from outlast.cloud.simulation import SimulatedEngines, simulate

keys = st.one_of(st.binary(max_size=3), st.integers(0, 60).map(lambda n: b"k%02d" % n))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), keys, st.binary(max_size=40)),
        st.tuples(st.just("put"), keys, st.binary(max_size=40)),
        st.tuples(st.just("delete"), keys, st.just(b"")),
        st.tuples(st.just("flush"), st.just(b""), st.just(b"")),
        st.tuples(st.just("restart"), st.just(b""), st.just(b"")),
    ),
    max_size=120,
)


def agree(engine: Engine, expected: dict[bytes, bytes], start: bytes, end: bytes | None) -> None:
    space = engine.space("t")
    wanted = sorted((k, v) for k, v in expected.items() if k >= start and (end is None or k < end))
    assert list(space.range(start, end)) == wanted
    assert list(space.range(start, end, reverse=True)) == wanted[::-1]


async def play(folder: Path, schedule: list[tuple[str, bytes, bytes]], start: bytes, end: bytes | None) -> None:
    world = SimulatedEngines(folder, ("us-east-1",), 1)
    engine = await world.start("us-east-1")
    engine.space("s")  # neighbours
    engine.space("t")
    with engine.begin() as tx:
        tx.put(engine.space("s"), b"\xff\xff", b"before")
        tx.put(engine.space("u"), b"", b"after")
    expected: dict[bytes, bytes] = {}
    for name, key, value in schedule:
        space = engine.space("t")
        if name == "flush":
            await engine.store.drain()
        elif name == "restart":
            await engine.settled()
            world.crash("us-east-1", power=True)
            engine = await world.start("us-east-1")
        else:
            with engine.begin() as tx:
                if name == "put":
                    tx.put(space, key, value)
                    expected[key] = value
                else:
                    tx.delete(space, key)
                    expected.pop(key, None)
                assert tx.get(space, key) == expected.get(key)
                assert list(tx.range(space, b"k")) == sorted((k, v) for k, v in expected.items() if k >= b"k")
    agree(engine, expected, b"", None)
    agree(engine, expected, start, end)
    await world.close()


@settings(max_examples=40, deadline=None)
@given(schedule=steps, start=keys, end=st.one_of(st.none(), keys), page=st.integers(1, 7))
def test_ranges_equal_a_sorted_dictionary(
    schedule: list[tuple[str, bytes, bytes]], start: bytes, end: bytes | None, page: int
) -> None:
    first, more = store.FIRST_ROWS, store.MORE_ROWS
    store.FIRST_ROWS, store.MORE_ROWS = page, page + 1
    try:
        with tempfile.TemporaryDirectory() as folder:
            simulate(play(Path(folder), schedule, start, end))
    finally:
        store.FIRST_ROWS, store.MORE_ROWS = first, more


@given(prefix=st.binary(min_size=1).filter(lambda prefix: prefix.rstrip(b"\xff")), rest=st.binary())
def test_a_successor_bounds_its_prefix(prefix: bytes, rest: bytes) -> None:
    assert prefix + rest < successor(prefix)
    assert not successor(prefix).startswith(prefix)
