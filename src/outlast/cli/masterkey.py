"""Where a world's master key comes from when the world does not keep it: a passphrase or a command, never an argument.

A passphrase is asked for on the terminal, or read from a descriptor or a variable; only the key that is made of it goes
on to the world's process, through a pipe. A command is run by a shell, at most a minute, and must print 32 bytes in
base64 or hexadecimal digits and nothing else.
"""

from __future__ import annotations

import base64
import contextlib
import getpass
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Final

import typer

from outlast.cloud.world.config import WorldError

if TYPE_CHECKING:
    from outlast.cloud.world.masterkey import Form, Master, Offer

PASSPHRASE_VARIABLE: Final = "OUTLAST_PASSPHRASE"  # noqa: S105  (a name, no secret)
COMMAND_VARIABLE: Final = "OUTLAST_MASTER_KEY_COMMAND"
NEW_PASSPHRASE_VARIABLE: Final = "OUTLAST_NEW_PASSPHRASE"  # noqa: S105
NEW_COMMAND_VARIABLE: Final = "OUTLAST_NEW_MASTER_KEY_COMMAND"
VARIABLES: Final = frozenset(
    {PASSPHRASE_VARIABLE, COMMAND_VARIABLE, NEW_PASSPHRASE_VARIABLE, NEW_COMMAND_VARIABLE}
)  # none of them reaches the world's processes
COMMAND_TIMEOUT_S = 60.0
MOST_BYTES: Final = 1024
HEXADECIMAL: Final = re.compile(rb"[0-9A-Fa-f]{64}")

PassphraseOption = Annotated[
    bool, typer.Option("--passphrase", help="Make the master key of a new world of a passphrase, asked for here.")
]
PassphraseFdOption = Annotated[
    int | None,
    typer.Option(
        "--passphrase-fd",
        min=0,
        help=f"Read the world's passphrase from this descriptor; else from ${PASSPHRASE_VARIABLE} or the terminal.",
        show_default=False,
    ),
]
CommandOption = Annotated[
    str | None,
    typer.Option(
        "--master-key-command",
        help="A shell command that prints the world's master key: 32 bytes in base64 or hexadecimal digits.",
        envvar=COMMAND_VARIABLE,
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the key is to come from, by the command line and the environment."""

    asked: bool = False
    """Is it to be a passphrase, wherever that comes from?"""
    passphrase_fd: int | None = None
    command: str | None = None
    variable: str = PASSPHRASE_VARIABLE
    prompt: str = "Passphrase of the world"
    option: str = "--passphrase-fd"

    def form(self) -> Form | None:
        """The form that is asked for, None for none. Raises WorldError for two."""
        by_passphrase = self.asked or self.passphrase_fd is not None or self.variable in os.environ
        if by_passphrase and self.command is not None:
            raise WorldError("A master key is made of a passphrase or comes from a command, not both.")
        return "passphrase" if by_passphrase else None if self.command is None else "command"

    def offer(self, form: Form, *, twice: bool = False) -> Offer:
        """What there is of that form; `twice` for a new passphrase. Raises WorldError."""
        from outlast.cloud.world.masterkey import Offer

        if form == "command":
            return Offer(form, key_of(self.command or ""))
        return Offer(form, self._passphrase(twice))

    def _passphrase(self, twice: bool) -> bytes:
        if self.passphrase_fd is not None:
            given = _line_of(self.passphrase_fd)
        elif self.variable in os.environ:
            given = os.environb[self.variable.encode()]
        else:
            given = self._asked(twice)
        try:
            text = given.decode()
        except UnicodeDecodeError:
            raise WorldError("The passphrase is not UTF-8.") from None
        if not text:
            raise WorldError("The passphrase is empty.")
        return given

    def _asked(self, twice: bool) -> bytes:
        try:
            os.close(os.open("/dev/tty", os.O_RDWR))
        except OSError:
            raise WorldError(
                f"A passphrase is needed and there is no terminal: give it by {self.option} or in {self.variable}."
            ) from None
        try:
            first = getpass.getpass(f"{self.prompt}: ")
            if twice and getpass.getpass("Once more: ") != first:
                raise WorldError("The two passphrases differ.")
        except EOFError:
            raise WorldError("No passphrase was given.") from None
        return first.encode()


def master_for(folder: Path, sources: Sources) -> Master | None:
    """The master key to start the world in `folder` with; None when its `keys.json` holds it, or will.

    Raises WorldError, in one line, for a wrong key, one that cannot be had, and one that the world has no use for.
    """
    form = sources.form()
    from outlast.cloud.world import home, masterkey

    keys = home.read_keys(folder)
    if keys is None:
        return None if form is None else masterkey.fresh(sources.offer(form, twice=True))
    with home.clear(folder):
        forms: list[Form] = [masterkey.form_of(keys[masterkey.CURRENT])]
        if masterkey.NEXT in keys:
            forms.append(masterkey.form_of(keys[masterkey.NEXT]["entry"]))
        if form is not None and form not in forms:
            raise masterkey.wanting(forms[0])
        if form is None:
            form = "passphrase" if forms[0] == "passphrase" and "file" not in forms else None
        offer = None if form is None else sources.offer(form)
        key = masterkey.unlock(keys, offer)
        return None if forms[0] == "file" else masterkey.Master(keys[masterkey.CURRENT], key)


def key_of(command: str) -> bytes:
    """The 32 bytes that a shell command prints. Raises WorldError; what it printed is not repeated."""
    printed = _run(command).strip()
    if not printed:
        raise WorldError("The master key command printed nothing.")
    if HEXADECIMAL.fullmatch(printed):
        return bytes.fromhex(printed.decode())
    with contextlib.suppress(ValueError):
        key = base64.b64decode(printed, validate=True)
        if len(key) == 32:
            return key
    raise WorldError("The master key command must print 32 bytes, in base64 or hexadecimal digits, and nothing else.")


def _run(command: str) -> bytes:
    """What a command prints, ended when it takes too long or prints too much."""
    alone = not sys.stdin.isatty()  # at a terminal it may ask for something, so it stays in the foreground
    environ = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    shell = subprocess.Popen(["/bin/sh", "-c", command], stdout=subprocess.PIPE, env=environ, start_new_session=alone)
    assert shell.stdout is not None
    try:
        with shell.stdout as output:
            printed = _read(output, time.monotonic() + COMMAND_TIMEOUT_S)
        status = shell.wait(COMMAND_TIMEOUT_S)
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL) if alone else shell.kill()
        shell.wait()
        if isinstance(error, (TimeoutError, subprocess.TimeoutExpired)):
            raise WorldError(f"The master key command did not end within {COMMAND_TIMEOUT_S:g} s.") from None
        raise
    if status:
        how = f"with status {status}" if status > 0 else f"by signal {-status}"
        raise WorldError(f"The master key command ended {how}.")
    return printed


def _read(output: IO[bytes], deadline_s: float) -> bytes:
    """Everything until the end, and no more than a key could be; raises TimeoutError, WorldError."""
    found = b""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, deadline_s - time.monotonic())):
                raise TimeoutError
            piece = os.read(output.fileno(), MOST_BYTES)
            found += piece
            if not piece:
                return found
            if len(found) > MOST_BYTES:
                raise WorldError("The master key command prints more than a key.")


def _line_of(descriptor: int) -> bytes:
    """The first line that a descriptor gives; raises WorldError."""
    found = b""
    try:
        while b"\n" not in found and len(found) <= MOST_BYTES:
            piece = os.read(descriptor, MOST_BYTES)
            if not piece:
                break
            found += piece
        if descriptor > 2:
            os.close(descriptor)
    except OSError as error:
        raise WorldError(f"The passphrase cannot be read from descriptor {descriptor}: {error.strerror}.") from error
    line = found.partition(b"\n")[0].removesuffix(b"\r")
    if len(line) > MOST_BYTES:
        raise WorldError(f"A passphrase has at most {MOST_BYTES} bytes.")
    return line
