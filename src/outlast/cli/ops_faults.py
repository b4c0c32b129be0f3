"""`outlast fault`: begin, list and end faults of the local world."""

from __future__ import annotations

import json
import time
from difflib import get_close_matches
from typing import Annotated, Any

import typer

from outlast.cli.ops_output import OutputOption, print_table
from outlast.cli.ops_target import HomeOption, Target, one_line, open_target
from outlast.cloud.contract.faults import KINDS
from outlast.ops.clients import again
from outlast.ops.deployment import Deployment
from outlast.ops.drill.faults import ENDED, FisFaults, Running, ensure_role, words_of
from outlast.ops.drill.file import FaultPlan
from outlast.ops.outcome import UsageError

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
"""The sub-commands of `fault`."""

DEFAULT_FIS_REGION = "us-east-2"
SHOWN_ENDED = 10
IAM_REGION = "us-east-1"


def register(parent: typer.Typer) -> None:
    """Add `fault`."""
    parent.add_typer(app, name="fault", help="Faults of the local world: begin, list, end.")


def faults_of(target: Target, deployment: Deployment | None = None) -> FisFaults:
    """The faults of a target, asked for in the observer's Region, which no drill of the library takes down."""
    region = deployment.observer_region if deployment else fis_region(target)
    of = target.clients.of
    home = IAM_REGION if target.has(IAM_REGION) else target.regions[0]
    return FisFaults(of("fis", region), lambda: ensure_role(of("iam", home), of("sts", region)))


def fis_region(target: Target) -> str:
    """Where faults are asked for without a deployment: in a world that lacks the usual Region, in its last one."""
    return DEFAULT_FIS_REGION if target.has(DEFAULT_FIS_REGION) else target.regions[-1]


@app.command("begin", epilog="Example: outlast fault begin gray-failure us-east-1 --set error_share=0.3 --seconds 60")
def begin(
    kind: Annotated[str, typer.Argument(help=f"The kind of fault: {', '.join(sorted(KINDS))}.")],
    regions: Annotated[list[str], typer.Argument(help="Its Region; for links: from and to, that direction alone.")],
    seconds: Annotated[float, typer.Option(min=1.0, help="It ends by itself after this.")] = 600.0,
    given: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter.")] = None,
    service: Annotated[list[str] | None, typer.Option(help="Only this service; repeat for more.")] = None,
    operation: Annotated[list[str] | None, typer.Option(help="Only this operation; repeat for more.")] = None,
    home: HomeOption = None,
) -> None:
    """Begin a fault and return once it has taken hold."""
    with one_line():
        if kind not in KINDS:
            near = get_close_matches(kind, KINDS, 1)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(sorted(KINDS))}."
            raise UsageError(f"There is no kind of fault {kind}. {hint}")
        plan = FaultPlan(kind, tuple(regions), tuple(service or ()), tuple(operation or ()), _parameters(given or []))
        running = faults_of(open_target("local", home, None)).begin(plan, regions, seconds)
    typer.echo(f"{running.ident}  {running.what}")


@app.command("end", epilog="Example: outlast fault end EXPabc123")
def end(
    ident: Annotated[str, typer.Argument(help="The experiment's id, as `fault begin` and `fault list` say it.")],
    home: HomeOption = None,
) -> None:
    """End a fault and return once its effect is gone."""
    with one_line():
        faults_of(open_target("local", home, None)).end(Running(ident, ident))
    typer.echo(f"{ident} has ended.")


@app.command("list", epilog="Example: outlast fault list")
def show(home: HomeOption = None, output: OutputOption = "text") -> None:
    """The faults that are active, and those that ended of late."""
    with one_line():
        target = open_target("local", home, None)
        client = target.clients.of("fis", fis_region(target))
        found = again(client.list_experiments)["experiments"]
    if output == "json":
        typer.echo(json.dumps(found, default=str))
        return
    if output == "table":
        rows = [(each["id"], each["state"]["status"], each.get("creationTime")) for each in found]
        print_table(("id", "state", "begun"), rows)
        return
    under_way = [each for each in found if each["state"]["status"] not in ENDED]
    ended = [each for each in found if each["state"]["status"] in ENDED]
    now_s = time.time()
    if not under_way:
        typer.echo("No fault is active.")
    for experiment in [*under_way, *sorted(ended, key=lambda each: each["creationTime"], reverse=True)[:SHOWN_ENDED]]:
        typer.echo(words_of(experiment, now_s))


def _parameters(pairs: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise UsageError(f"--set takes NAME=VALUE, not {pair}.")
        found[name] = value
    return found
