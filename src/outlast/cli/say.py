"""What is said while a verb works, on standard error. Nobody has to listen.

A pipe that nobody reads any more (Ctrl-C ends `tee` too), or a full disk behind it, must not end an evacuation between
its switch and its look, nor the way back of a drill. What must have been shown before anything is changed, a plan, is
printed otherwise, and its failure ends the verb.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import typer
from rich.console import Console
from rich.text import Text


def say(text: str = "") -> None:
    """One line on standard error, if it can be written."""
    try:
        typer.echo(text, err=True)
    except BrokenPipeError:
        _deaf()
    except OSError:
        return


class Teller(Console):
    """A console on standard error whose lines are said in the same way."""

    def __init__(self) -> None:
        super().__init__(stderr=True)

    def say(self, line: Text) -> None:
        """One line, wrapped by the terminal."""
        with suppress(OSError):
            self.print(line, soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """Go on in silence."""
        self.quiet = True
        _deaf()


def _deaf() -> None:
    """Have what is said from now on go nowhere: what the stream still holds would fail again at the very end, and
    take the exit status with it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stderr.fileno())
    os.close(nowhere)
