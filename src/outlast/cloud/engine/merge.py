"""Lazy merging of ordered pairs."""

from __future__ import annotations

from collections.abc import Iterator

Entries = Iterator[tuple[bytes, bytes | None]]
Pairs = Iterator[tuple[bytes, bytes]]


def merged(fresh: Entries, stored: Pairs, reverse: bool = False) -> Pairs:
    """Both sources in one order; `fresh` hides equal keys of `stored`, and a None in it hides the key altogether."""
    new = next(fresh, None)
    old = next(stored, None)
    while new is not None and old is not None:
        if new[0] == old[0]:
            old = next(stored, None)
            continue
        if (new[0] > old[0]) if reverse else (new[0] < old[0]):
            if new[1] is not None:
                yield new[0], new[1]
            new = next(fresh, None)
        else:
            yield old
            old = next(stored, None)
    while new is not None:
        if new[1] is not None:
            yield new[0], new[1]
        new = next(fresh, None)
    while old is not None:
        yield old
        old = next(stored, None)
