"""`outlast deploy`: the order service, through CloudFormation."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

import outlast
from outlast.cli.ops_interrupt import stops
from outlast.cli.ops_output import OutputOption, print_table
from outlast.cli.ops_target import HomeOption, ProfileOption, Target, TargetOption, one_line, open_target
from outlast.cli.say import say
from outlast.ops import deployment as deployments
from outlast.ops.act.audit import AuditLog, operator
from outlast.ops.deploy.parameters import LOCAL_RHYTHM, Rhythm, Wish
from outlast.ops.deploy.run import Deployer
from outlast.ops.deploy.stacks import StackEvent
from outlast.ops.deployment import Deployed
from outlast.ops.drill.journal import NAME as CHANGES_FILE
from outlast.ops.outcome import OpsError, Stopped, UsageError

AGAIN = {
    "deploy": "`outlast deploy` waits for them and goes on from there; `outlast deploy --remove` takes all of it away.",
    "remove": "`outlast deploy --remove` waits for them and goes on from there.",
}
QUIET = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")


def register(app: typer.Typer) -> None:
    """Add `deploy`."""
    app.command(
        "deploy",
        epilog="Example: outlast deploy",
        help="Deploy the order service to two Regions and an observer, and write the deployment file.",
    )(deploy)


def source_of(given: Path | None) -> Path:
    """The folder with templates/ and examples/: the one given, this checkout, or the current folder."""
    package = Path(outlast.__file__).parent
    for folder in [given] if given else [package.parents[1], Path.cwd()]:
        with suppress(OSError):  # a name too long for the file system, a folder that may not be looked into
            if (folder / "templates" / "zone.yaml").exists():
                return folder
    raise UsageError("There are no templates here: name the project's folder with --source.")


def wish_of(target: Target, source: Path, zone: str, regions: tuple[str, str, str], fast: bool,
            switch: Deployed | None = None) -> Wish:  # fmt: skip
    """What to deploy at a target."""
    return Wish(
        source=source,
        zone_name=zone,
        first_region=regions[0],
        second_region=regions[1],
        observer_region=regions[2],
        deletion_protection=not fast,
        switch=switch,
        rhythm=LOCAL_RHYTHM if fast else Rhythm(),
        name_servers=target.name_servers,
        https_port=target.https_port,
        ca_path=target.ca_path,
    )


@contextmanager
def _written_down(audit: AuditLog, what: str, wish: Wish) -> Iterator[None]:
    """What is begun and how it ended, in the audit log."""
    audit.add(what, application=wish.application, regions=list(wish.all_regions), switch=wish.switch)
    try:
        yield
    except Stopped:
        audit.add("interrupted", what=what, application=wish.application)
        say(f"interrupted; CloudFormation goes on with the stacks that it had begun. {AGAIN[what]}")
        raise
    except (OpsError, ClientError, BotoCoreError) as error:
        audit.add(f"not done: {what}", application=wish.application, error=str(error))
        raise
    audit.add(f"done: {what}", application=wish.application)


class Told:
    """Progress on standard error: a line for every resource that is done, and for what went wrong."""

    def __init__(self) -> None:
        self._begun_s = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, event: StackEvent) -> None:
        if event.status in QUIET:
            return
        elapsed_s = time.monotonic() - self._begun_s
        reason = f"  {event.reason}" if event.reason else ""
        with self._lock:
            say(f"{elapsed_s:6.1f} s  {event.region:<14} {event.resource:<28} {event.status}{reason}")


def deploy(
    target: TargetOption = "local",
    home: HomeOption = None,
    profile: ProfileOption = None,
    zone: Annotated[str, typer.Option(help="Domain name of the hosted zone.")] = "outlast.example",
    source: Annotated[
        Path | None, typer.Option(help="Folder with templates/ and examples/.", show_default=False)
    ] = None,
    first: Annotated[str, typer.Option(help="First application Region.")] = "us-east-1",
    second: Annotated[str, typer.Option(help="Second application Region.")] = "us-west-2",
    observer: Annotated[str, typer.Option(help="Region of the observer.")] = "us-east-2",
    switch: Annotated[
        Deployed | None,
        typer.Option(
            show_default=False,
            help="What an evacuation is switched by: by default what was deployed before, else routing-controls; "
            "standby-takes-over costs no cluster, and up to two minutes more.",
        ),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Delete all stacks instead.")] = False,
    output: OutputOption = "text",
) -> None:
    """Make or update every stack, in order."""
    with one_line():
        where = open_target(target, home, profile)
        wish = wish_of(where, source_of(source), zone, (first, second, observer), where.kind == "local", switch)
        deployer = Deployer(where.clients, wish, Told())
        audit = AuditLog(where.home / "audit.jsonl", operator())
        with stops(), _written_down(audit, "remove" if remove else "deploy", wish):
            if remove:
                deployer.remove()
                where.deployment_path.unlink(missing_ok=True)
                (where.home / CHANGES_FILE).unlink(missing_ok=True)
                return
            made = deployer.run()
            deployments.save(made, where.deployment_path)
    if output == "json":
        typer.echo(json.dumps(asdict(made)))
    elif output == "table":
        print_table(("Region", "API", "switch"), [(part.name, part.api_url, part.routing_control_arn or made.switch)
                                                  for part in made.regions])  # fmt: skip
    else:
        typer.echo(f"{made.base_url} is served from {' and '.join(made.region_names)}.")
        typer.echo(f"What an evacuation needs is in {where.deployment_path}.")
