"""How a command of the kit ends: its exit codes, and the failures that carry one."""

from __future__ import annotations

from enum import IntEnum
from signal import Signals


class Exit(IntEnum):
    """Exit codes; scripts rely on them."""

    GOOD = 0
    ERROR = 1
    USAGE = 2
    MISSED = 3
    """An objective was missed."""
    REFUSED = 4
    """A safety rule refused."""
    UNDECIDED = 5
    """What was seen does not allow a decision."""


class OpsError(Exception):
    """A command cannot go on; the text is one line for the operator."""

    exit = Exit.ERROR


class UsageError(OpsError):
    """The command was given something that it cannot use."""

    exit = Exit.USAGE


class UncertainError(OpsError):
    """Whether it was done is not known: it was asked for, and no answer came."""


class RefusedError(OpsError):
    """A safety rule stands against it."""

    exit = Exit.REFUSED


class OverruledError(OpsError):
    """Somebody else has acted meanwhile: what was agreed to rests on what is not so any more."""

    exit = Exit.REFUSED


class UnwrittenError(OpsError):
    """What is to be done cannot be written down first."""

    exit = Exit.REFUSED


class UndecidedError(OpsError):
    """The vantage points do not agree, or too few of them could look."""

    exit = Exit.UNDECIDED


class Stopped(KeyboardInterrupt):
    """Somebody ended the command by a signal; what it had begun is written down. Exit status 128 and the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {Signals(number).name}")
        self.number = number
