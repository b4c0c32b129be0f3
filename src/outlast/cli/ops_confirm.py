"""Typed agreement while the watch goes on: the loop is not held up by a person who reads the plan first."""

from __future__ import annotations

import asyncio
import os
import sys

import typer

from outlast.cli.say import say
from outlast.ops.act.audit import operator
from outlast.ops.outcome import RefusedError


async def confirm(words: str, yes: bool) -> None:
    """Have the operator type what will be done. Raises RefusedError when it is not typed."""
    if yes:
        return
    if (await asked(f"Type `{words}` to go on")).strip() != words:
        raise RefusedError("It was not confirmed; nothing was changed.")


async def second(words: str) -> str:
    """The name of a second person who agrees. Raises RefusedError when nobody else does."""
    name = (await asked("Second person, your name")).strip()
    typed = await asked(f"{name}, type `agree to {words}`") if name else ""
    if not name or name == operator() or typed.strip() != f"agree to {words}":
        raise RefusedError("No second person agreed; nothing was changed.")
    return name


async def asked(question: str) -> str:
    """The line that is typed, empty at the end of input. Ctrl-C ends it as it ends everything else."""
    typer.echo(f"{question}: ", err=True, nl=False)
    line = await _line()
    if not line.endswith("\n"):
        say()  # what is said next stands on a line of its own
    return line


async def _line() -> str:
    if sys.stdin is None:  # closed: nobody can type
        return ""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    try:
        descriptor = sys.stdin.fileno()
        loop.add_reader(descriptor, ready.set)
    except (OSError, ValueError):
        return sys.stdin.readline()  # a file: there is nobody to wait for
    line = b""
    try:
        while not line.endswith(b"\n"):
            await ready.wait()
            byte = os.read(descriptor, 1)
            ready.clear()
            if not byte:
                break
            line += byte
    finally:
        loop.remove_reader(descriptor)
    return line.decode(errors="replace")
