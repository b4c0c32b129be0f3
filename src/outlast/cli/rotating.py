"""`outlast rotate-keys`: new keys for a world that is down, and another form of its master key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from outlast.cli.masterkey import (
    NEW_COMMAND_VARIABLE,
    NEW_PASSPHRASE_VARIABLE,
    CommandOption,
    PassphraseFdOption,
    Sources,
    master_for,
)
from outlast.cli.world import HomeOption, fail, folder_of
from outlast.cloud.world.config import WorldError

if TYPE_CHECKING:
    from outlast.cloud.world.masterkey import Form, Master

OnlyOption = Annotated[
    Literal["master", "data"] | None,
    typer.Option(help="master: wrap the data keys anew; data: encrypt everything anew. Default: both."),
]
ToOption = Annotated[
    Literal["file", "passphrase", "command"] | None,
    typer.Option(
        "--to",
        help="The form of the new master key: kept in keys.json, made of a passphrase, or from a command. "
        "Default: the form that it has.",
        show_default=False,
    ),
]
NewFdOption = Annotated[
    int | None,
    typer.Option(
        "--new-passphrase-fd",
        min=0,
        help=f"Read the new passphrase from this descriptor; else from ${NEW_PASSPHRASE_VARIABLE} or the terminal.",
        show_default=False,
    ),
]
NewCommandOption = Annotated[
    str | None,
    typer.Option(
        "--new-master-key-command",
        help="A shell command that prints the new master key.",
        envvar=NEW_COMMAND_VARIABLE,
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command(
        "rotate-keys",
        epilog="Example: outlast rotate-keys --only master --to passphrase",
        help="Encrypt the data of a world that is down under new keys, or change where its master key comes from.",
    )(rotate_keys)


def rotate(folder: Path, only: str | None, to: Form | None, present: Sources, coming: Sources) -> None:
    """Change the keys; a rotation that is cut short is ended by the next `up`. Raises WorldError."""
    from outlast.cloud.world import home, rekey

    if home.read_keys(folder) is None:
        raise WorldError(f"There is no world with keys in {folder}.")
    home.hold(folder).release()  # before anybody is asked for a passphrase
    form = coming.form()
    if only == "data" and (to or form):
        raise WorldError("--only data leaves the master key as it is.")
    if to and form and to != form:
        raise WorldError(f"The new master key is to have the form {to}, and a new {form} is given.")
    master = master_for(folder, present)
    key = None if master is None else master.key
    fresh = None if only == "data" else fresh_for(folder, to or form, coming)
    rekey.rotate(folder, master=fresh, data=only != "master", tell=typer.echo, key=key)


def fresh_for(folder: Path, form: Form | None, coming: Sources) -> Master:
    """A new master key, of the form that the present one has when none is asked for. Raises WorldError."""
    from outlast.cloud.world import home, masterkey

    with home.clear(folder):
        wanted = form or masterkey.form_of((home.read_keys(folder) or {})[masterkey.CURRENT])
    if wanted == "file":
        return masterkey.fresh()
    if wanted == "command" and coming.command is None:
        raise WorldError(
            f"Name the command of the new master key by --new-master-key-command or {NEW_COMMAND_VARIABLE}."
        )
    return masterkey.fresh(coming.offer(wanted, twice=True))


def rotate_keys(
    home: HomeOption = None,
    only: OnlyOption = None,
    to: ToOption = None,
    passphrase_fd: PassphraseFdOption = None,
    master_key_command: CommandOption = None,
    new_passphrase_fd: NewFdOption = None,
    new_master_key_command: NewCommandOption = None,
) -> None:
    """Change the keys."""
    present = Sources(False, passphrase_fd, master_key_command)
    prompt = "New passphrase of the world"
    coming = Sources(
        False, new_passphrase_fd, new_master_key_command, NEW_PASSPHRASE_VARIABLE, prompt, "--new-passphrase-fd"
    )
    try:
        rotate(folder_of(home), only, to, present, coming)
    except (WorldError, OSError) as error:
        fail(str(error))
