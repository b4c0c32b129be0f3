"""`outlast prepare`: the deployment file written anew, and a try whether its endpoints reach the switch."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from outlast.cli.ops_deploy import Told, source_of, wish_of
from outlast.cli.ops_output import OutputOption, print_table
from outlast.cli.ops_target import HomeOption, ProfileOption, TargetOption, one_line, open_target
from outlast.cli.say import say
from outlast.ops import deployment as deployments
from outlast.ops.act.arc import Try
from outlast.ops.act.boards import board_of
from outlast.ops.deploy.run import Deployer
from outlast.ops.outcome import Exit, OpsError


def register(app: typer.Typer) -> None:
    """Add `prepare`."""
    app.command(
        "prepare",
        epilog="Example: outlast prepare",
        help="Write the deployment file anew from the stacks: endpoints, ARNs and limits for `evacuate --offline`. "
        "Changes nothing else. Exit: 0 ready, 1 the switch cannot be reached.",
    )(prepare)


def prepare(
    target: TargetOption = "local",
    home: HomeOption = None,
    profile: ProfileOption = None,
    zone: Annotated[str, typer.Option(help="Domain name of the hosted zone.")] = "outlast.example",
    first: Annotated[str, typer.Option(help="First application Region.")] = "us-east-1",
    second: Annotated[str, typer.Option(help="Second application Region.")] = "us-west-2",
    observer: Annotated[str, typer.Option(help="Region of the observer.")] = "us-east-2",
    output: OutputOption = "text",
) -> None:
    """Read, write, try."""
    with one_line():
        where = open_target(target, home, profile)
        wish = wish_of(where, source_of(None), zone, (first, second, observer), fast=where.kind == "local")
        made = Deployer(where.clients, wish, Told()).prepare()
        deployments.save(made, where.deployment_path)
        failed: list[Try] = []
        try:
            states = board_of(None, where.clients, made, failed.append).states()
        except OpsError as error:
            raise OpsError(f"The file is written, but {error}") from error
    told = {name: "on" if on else "OFF" for name, on in states.items()}
    if output == "json":
        typer.echo(json.dumps({"file": str(where.deployment_path), "routing_controls": told}))
    elif output == "table":
        print_table(("Region", "switch"), list(told.items()))
    else:
        typer.echo(f"What an evacuation needs is in {where.deployment_path}; keep a copy where you can reach it.")
        typer.echo(f"{made.switch}: {', '.join(f'{name} {on}' for name, on in told.items())}.")
    for tried in (each for each in failed if each.error):
        say(f"{tried.endpoint} in {tried.region} did not answer: {tried.error}")
    raise typer.Exit(int(Exit.GOOD))
