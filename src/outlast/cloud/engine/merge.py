"""Merging of ordered pairs: lazily, and a page at a time."""

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


def merged_page(
    stored: list[tuple[bytes, bytes]],
    bound: bytes | None,
    layers: list[list[tuple[bytes, bytes | None]]],
    limit: int,
    reverse: bool,
) -> tuple[list[tuple[bytes, bytes]], bytes | None]:
    """What `layers`, the newest last, make of a page of `stored`, and the last key that the page speaks for.

    None: there is nothing behind the page. `bound` is that key for `stored` alone; no piece is longer than `limit`.
    """
    for layer in layers:
        if len(layer) == limit:
            last = layer[-1][0]
            bound = last if bound is None else max(bound, last) if reverse else min(bound, last)
    if not stored and len(layers) == 1:
        return [(key, value) for key, value in layers[0] if value is not None], bound
    found = dict[bytes, bytes | None](stored)
    for layer in layers:
        found.update(layer)
    pairs = [(key, value) for key, value in found.items() if value is not None]
    if bound is not None:
        pairs = [pair for pair in pairs if (pair[0] >= bound if reverse else pair[0] <= bound)]
    pairs.sort(reverse=reverse)
    return pairs, bound
