"""The verbs of the local world: up, down, env, exec, regions, restart."""

from __future__ import annotations

import base64
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from outlast.cli import masterkey
from outlast.cli.masterkey import CommandOption, PassphraseFdOption, PassphraseOption, Sources
from outlast.cli.preparing import FRONT, key_of, prepare, prepare_filed
from outlast.cli.seconds import seconds_option
from outlast.cloud.world import config as configuration
from outlast.cloud.world.config import WorldConfig, WorldError
from outlast.cloud.world.control import control

if TYPE_CHECKING:
    from outlast.cloud.world.masterkey import Master

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="The world's folder.", envvar="OUTLAST_HOME", show_default=False)
]
OutputOption = Annotated[Literal["text", "json"], typer.Option("--output", help="text or json.")]
PortOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65535,
        show_default=False,
        help="Port of the front door and of every Region; 0 takes a free one. Default: the one it had; of a new world "
        "4566.",
    ),
]
NetworkOption = Annotated[
    str | None,
    typer.Option(
        show_default=False,
        help="First three numbers of the Regions' loopback addresses. Default: as before, or 127.66.0 if it is new.",
    ),
]
HostOption = Annotated[
    str | None,
    typer.Option(show_default=False, help="Address of the front door. Default: as before, or 127.0.0.1 if it is new."),
]
FileOption = Annotated[
    Path | None,
    typer.Option(
        "--file",
        help="A world file: Regions with their addresses, on several hosts too, and delays of pairs.",
        show_default=False,
    ),
]
START_TIMEOUT_S = 60.0
EXIT_IMPAIRED = 3
"""The world is up, but for a Region that could not be started."""
VERBS = frozenset({"up", "down", "env", "exec", "regions", "restart", "rotate-keys"})
"""What works without the operator's kit, whose libraries take half a second to load."""
KEY_VARIABLE = "OUTLAST_ACCESS_KEY"


def fail(message: str, code: int = 1) -> NoReturn:
    """One clear line on standard error, and out."""
    typer.echo(f"outlast: {message}", err=True)
    raise typer.Exit(code)


def register(app: typer.Typer) -> None:
    """Add the world's verbs to the command."""
    app.command(
        "up", epilog="Example: outlast up --detach", help="Start the world in the foreground; Ctrl-C stops it."
    )(up)
    app.command("down", epilog="Example: outlast down", help="Stop the world.")(down)
    app.command(
        "env",
        epilog='Example: eval "$(outlast env)"',
        help="Print what a shell needs so that the AWS CLI and SDKs speak to the world.",
    )(env)
    app.command(
        "exec",
        epilog="Example: outlast exec -- aws dynamodb list-tables",
        help="Run a program, unmodified, at AWS's own names with the world behind them.",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(execute)
    app.command("regions", epilog="Example: outlast regions", help="Show the world's Regions and their state.")(regions)
    app.command(
        "restart",
        epilog="Example: outlast restart us-east-1",
        help="Start a Region again that crashed or was stopped, with its data.",
    )(restart)


def folder_of(home: Path | None) -> Path:
    """The world's folder, absolute; fails with one line when nothing says where it is."""
    try:
        return (home or configuration.default_folder()).absolute()
    except WorldError as error:
        fail(str(error))


def up(
    home: HomeOption = None,
    port: PortOption = None,
    network: NetworkOption = None,
    host: HostOption = None,
    region: Annotated[
        list[str] | None, typer.Option("--region", help="A Region of the world; repeat for more. Default: five.")
    ] = None,
    replication_delay_ms: Annotated[
        str, typer.Option(help="Delay of replication: LOW-HIGH milliseconds, or `none`.")
    ] = "600-1200",
    health_interval_s: Annotated[
        float, seconds_option("Interval of Route 53 health checkers; 0 keeps what each check says.")
    ] = 0.0,
    https_port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, help="Also listen here on every Region's address where that is allowed; 0 does not."
        ),
    ] = 443,
    data_events: Annotated[
        bool, typer.Option("--data-events", help="Let the audit trail record data events too: items, objects, calls.")
    ] = False,
    access_key: Annotated[
        str | None,
        typer.Option(
            help="ACCESS_KEY_ID:SECRET for a throwaway world; else generated. Better given by the variable.",
            envvar=KEY_VARIABLE,
            show_default=False,
        ),
    ] = None,
    passphrase: PassphraseOption = False,
    passphrase_fd: PassphraseFdOption = None,
    master_key_command: CommandOption = None,
    file: FileOption = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once every Region answers.")] = False,
    output: OutputOption = "text",
) -> None:
    """Make the world if there is none, and start it; exit status 3 when a Region could not be started."""
    started = time.monotonic()
    try:
        if file is not None and region:
            fail("The Regions come from the world file; leave --region out.", 2)
        given = (replication_delay_ms, health_interval_s)
        if file is not None:
            config = prepare_filed(file, folder_of(home), host or FRONT, *given, data_events)
        else:
            regions = tuple(region or ())
            config = prepare(folder_of(home), port, network, host, regions, *given, https_port, data_events)
        master = masterkey.master_for(config.path, Sources(passphrase, passphrase_fd, master_key_command))
        order = order_of(config, access_key, master, started)
        if detach:
            start_detached(config, order, output, started)
        else:
            become_world(config, order, output)
    except (WorldError, OSError) as error:
        fail(str(error))


def order_of(config: WorldConfig, access_key: str | None, master: Master | None, started: float) -> bytes:
    """What the world's own process is told on its standard input; keys stand on no command line."""
    order = {
        "config": configuration.write_config(config),
        "key": key_of(access_key),
        "master": master and {"entry": master.entry, "key": base64.b64encode(master.key).decode()},
        "elapsed_s": time.monotonic() - started,
    }
    return json.dumps(order).encode() + b"\n"


def command_of(config: WorldConfig, output: str) -> list[str]:
    """The world's own process."""
    return [sys.executable, "-P", "-m", "outlast.cloud.world", config.folder, output]


def world_environ() -> dict[str, str]:
    """The environment of the world's own process: without the keys, which come another way."""
    secret = {KEY_VARIABLE, *masterkey.VARIABLES}
    return {name: value for name, value in os.environ.items() if name not in secret}


def become_world(config: WorldConfig, order: bytes, output: str) -> NoReturn:
    """Be the world from now on, in the foreground."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    if os.write(write, order) != len(order):
        raise WorldError("The world's configuration is too long.")
    os.close(write)
    os.dup2(read, 0)
    os.close(read)
    sys.stdout.flush()
    sys.stderr.flush()
    command = command_of(config, output)
    os.execve(command[0], command, world_environ())  # noqa: S606  (exec is the purpose)


def start_detached(config: WorldConfig, order: bytes, output: str, started: float) -> None:
    """Start the world in a process of its own and return once it answers."""
    existed = config.path.exists()
    configuration.make_folder(config.path)
    log_path = config.path / "world.log"
    try:
        descriptor = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise configuration.unusable(config.path, error) from error
    with open(descriptor, "ab") as log:
        child = subprocess.Popen(
            command_of(config, "json"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=world_environ(),
            start_new_session=True,
        )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(order)
    child.stdin.close()
    try:
        ready = _answered(child.stdout, output)
        if ready is None:
            child.wait()
            lines = log_path.read_text(errors="replace").strip().splitlines()
            _forget(config.path, log_path, existed)
            raise WorldError(lines[-1].removeprefix("outlast: ") if lines else "The world did not start.")
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
        raise
    if output == "text":
        typer.echo(f"The world is up at {ready['url']} after {time.monotonic() - started:.2f} s.")
        warn_of_bare_functions()
    if ready["failed"]:
        for reason in ready["failed"].values():
            typer.echo(f"outlast: {reason}", err=True)
        raise typer.Exit(EXIT_IMPAIRED)


def _forget(folder: Path, log_path: Path, existed: bool) -> None:
    """Leave nothing of a world that was refused before it was made: its log holds the one line that is told."""
    if (folder / "world.json").exists():
        return
    with suppress(OSError):
        log_path.unlink()
        if not existed:
            folder.rmdir()


def _answered(lines: Iterable[bytes], output: str) -> dict[str, Any] | None:
    """Follow a world's events until it is ready; that event, or None when it ended. Raises WorldError."""
    for line in lines:
        event = json.loads(line) if line.startswith(b"{") else {"event": "text"}
        if event["event"] == "failed":
            raise WorldError(event["reason"])
        if event["event"] == "notice":
            typer.echo(f"outlast: {event['text']}", err=True)
        if event["event"] == "ready":
            if output == "json":
                typer.echo(line.decode().rstrip())
            return dict(event)
    return None


def warn_of_bare_functions() -> None:
    """Say so where functions run without an enclosure."""
    from outlast.cli.enclosed import bare_functions, lack

    why = bare_functions()
    if why:
        typer.echo(f"outlast: functions cannot be enclosed here ({why}): {lack()}.", err=True)


def down(home: HomeOption = None) -> None:
    """Stop the world and wait until it is gone."""
    folder = folder_of(home)
    try:
        pid = int(control(folder, "down")["pid"])
    except WorldError as error:
        fail(str(error))
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            typer.echo("The world is down.")
            return
        time.sleep(0.05)
    fail(f"The world (process {pid}) is still stopping after {START_TIMEOUT_S:.0f} s.")


def running(folder: Path) -> WorldConfig:
    """The configuration of the world in `folder`; fails with one line when there is none."""
    try:
        config = configuration.load_config(folder)
    except WorldError as error:
        fail(str(error))
    if config is None:
        fail(f"There is no world in {folder}; `outlast up` makes one.")
    return config


def region_of(config: WorldConfig, region: str | None) -> str:
    """The Region asked for, or the world's first; fails with one line for one that the world lacks."""
    if region is not None and region not in config.regions:
        fail(f"This world has no Region {region}; it has {', '.join(config.regions)}.", 2)
    return region or config.regions[0]


def env(
    home: HomeOption = None,
    region: Annotated[str | None, typer.Option(help="The default Region.", show_default=False)] = None,
    output: Annotated[Literal["shell", "json"], typer.Option(help="shell or json.")] = "shell",
) -> None:
    """Print the environment."""
    from outlast.cloud.world.environment import environment, is_foreign

    config = running(folder_of(home))
    try:
        values = environment(config, region_of(config, region))
    except WorldError as error:
        fail(str(error))
    if output == "json":
        typer.echo(json.dumps(values))
        return
    for name in sorted(filter(is_foreign, os.environ)):
        typer.echo(f"unset {name}")
    for name, value in values.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def execute(
    context: typer.Context,
    home: HomeOption = None,
    region: Annotated[str | None, typer.Option(help="The default Region.", show_default=False)] = None,
    isolated: Annotated[bool, typer.Option("--isolated", help="Leave the program no route but to the world.")] = False,
) -> None:
    """Run the program at AWS's own names, with the world behind them."""
    from outlast.cli import enclosed

    if not context.args:
        fail("exec needs a program to run.", 2)
    config = running(folder_of(home))
    chosen = region_of(config, region)
    try:
        control(config.path, "status")
        status = enclosed.run(config, chosen, context.args, isolated=isolated)
    except WorldError as error:
        fail(str(error))
    raise typer.Exit(status)


def regions(home: HomeOption = None, output: OutputOption = "text") -> None:
    """One line a Region."""
    try:
        status = control(folder_of(home), "status")
    except WorldError as error:
        fail(str(error))
    from outlast.cli.enclosed import bare_functions, lack

    why = bare_functions()
    if output == "json":
        typer.echo(json.dumps({**status, "functions": {"enclosed": not why, "why": why}}))
        return
    for each in status["regions"]:
        reason = f" ({each['reason']})" if each["reason"] and each["status"] != "ready" else ""
        typer.echo(f"{each['region']:<16} {each['status']}{reason:<12} {each['url']}")
    typer.echo(f"functions        {f'not enclosed ({why}): {lack()}' if why else 'enclosed'}")


def restart(region: Annotated[str, typer.Argument(help="The Region.")], home: HomeOption = None) -> None:
    """Start a Region that is down, and wait until it answers; one that runs is left alone."""
    try:
        before = control(folder_of(home), "status", {})["regions"]
        control(folder_of(home), "start-region", {"region": region})
    except WorldError as error:
        fail(str(error))
    if any(each["region"] == region and each["status"] == "ready" for each in before):
        typer.echo(f"The Region {region} was running and goes on: nothing was done.")
    else:
        typer.echo(f"The Region {region} answers.")
