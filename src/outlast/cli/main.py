"""The `outlast` command."""

from __future__ import annotations

import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import typer

from outlast.cli import rotating, world

EXIT_USAGE = 2

app = typer.Typer(
    name="outlast",
    help="Applications that outlast a Region: a local multi-Region cloud, and the operator's kit for it and for AWS.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

OPERATOR_MODULES = ("outlast.cli.ops_main", "outlast.cli.ops_verbs")


def build(first_word: str = "") -> typer.Typer:
    """The whole command: the world's verbs and the operator's, which are left out when they are not asked for."""
    world.register(app)
    rotating.register(app)
    if first_word in world.VERBS:
        return app
    for name in OPERATOR_MODULES:
        try:
            module: Any = import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            continue
        module.register(app)
    return app


def main() -> None:
    """Run the command; an error is one line on standard error, never a traceback.

    A sign that the terminal's alphabet lacks is written as its number: no name in another script ends a verb.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        build(sys.argv[1] if len(sys.argv) > 1 else "")()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


if __name__ == "__main__":
    main()
