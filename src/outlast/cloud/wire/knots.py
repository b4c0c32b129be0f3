"""A function that may be called by what it is made of: recursive shapes need it while they are being compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Knot:
    """Stands for a function until `tie` names it; calls go to that function."""

    __slots__ = ("_function",)

    def __init__(self) -> None:
        self._function: Callable[..., Any] = _untied

    def tie(self, function: Callable[..., Any]) -> None:
        """Name the function."""
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)


def _untied(*arguments: Any) -> Any:
    raise RuntimeError("called before the shape was compiled")
