"""Seconds as an option takes them: a number that a clock can count. Text such as `nan` is a number to Python, and every
comparison with it is false: a wait for it would not end, and a watch of it would not begin."""

from __future__ import annotations

from typing import Any, Final

import typer

LONGEST_S: Final = 366 * 86_400.0


def seconds_option(told: str, *names: str, least_s: float = 0.0, **more: Any) -> Any:
    """A typer option of seconds from `least_s` to `LONGEST_S`; `more` as in typer.Option."""
    return typer.Option(*names, min=least_s, help=told, callback=countable, **more)


def countable(value: float | None) -> float | None:
    """The value itself. Raises typer.BadParameter for what no clock counts."""
    if value is not None and not value <= LONGEST_S:
        raise typer.BadParameter(f"{value:g} is not a number of seconds up to {LONGEST_S:.0f} (a year).")
    return value
