"""`outlast fault`: begin, list and end faults of the local world."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError

from outlast.cli.ops_output import OutputOption, print_table
from outlast.cli.ops_target import HomeOption, Target, one_line, open_target
from outlast.cli.say import say
from outlast.cli.seconds import seconds_option
from outlast.cloud.contract.faults import KINDS
from outlast.ops.clients import Clients, again, error_code
from outlast.ops.drill.faults import ENDED, FisFaults, Running, ensure_role, words_of
from outlast.ops.drill.file import FaultPlan
from outlast.ops.outcome import OpsError, UsageError

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
"""The sub-commands of `fault`."""

DEFAULT_FIS_REGION = "us-east-2"
SHOWN_ENDED = 10
IAM_REGION = "us-east-1"


def register(parent: typer.Typer) -> None:
    """Add `fault`."""
    parent.add_typer(app, name="fault", help="Faults of the local world: begin, list, end.")


def faults_of(target: Target, region: str) -> FisFaults:
    """The faults of a target, asked for in `region`."""
    iam = IAM_REGION if target.has(IAM_REGION) else target.regions[0]
    of = target.clients.of
    return FisFaults(of("fis", region), lambda: ensure_role(of("iam", iam), of("sts", region)))


def place(regions: Sequence[str], hit: Collection[str]) -> str:
    """Where a fault is asked for: not in a Region of `hit`, if another is there; us-east-2 when it can be."""
    free = [region for region in regions if region not in hit] or list(regions)
    return DEFAULT_FIS_REGION if DEFAULT_FIS_REGION in free or not free else free[-1]


def experiments(clients: Clients, regions: Sequence[str]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The experiments of all Regions, and why a Region could not be asked. Raises OpsError when none could."""

    def ask(region: str) -> list[dict[str, Any]] | str:
        client = clients.of("fis", region)
        found: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        try:
            while True:
                page = again(functools.partial(client.list_experiments, **token), tries=2)
                found += page["experiments"]
                if "nextToken" not in page:
                    return found
                token = {"nextToken": page["nextToken"]}
        except (ClientError, BotoCoreError) as error:
            return error_code(error)

    with ThreadPoolExecutor(max_workers=len(regions)) as pool:
        answers = dict(zip(regions, pool.map(ask, regions), strict=True))
    silent = {region: answer for region, answer in answers.items() if isinstance(answer, str)}
    if len(silent) == len(regions):
        raise OpsError(f"No Region could be asked for its faults ({'; '.join(map(': '.join, silent.items()))}).")
    return [each for answer in answers.values() if not isinstance(answer, str) for each in answer], silent


def check_regions(named: Sequence[str], there: Sequence[str]) -> None:
    """Raise UsageError for a Region that the world does not have, and for one that is named twice."""
    strange = [region for region in named if region not in there]
    if strange:
        raise UsageError(f"This world has no Region {strange[0]!r}; it has {', '.join(there)}.")
    twice = [region for number, region in enumerate(named) if region in named[:number]]
    if twice:
        raise UsageError(f"{twice[0]} is named twice.")


def whereabouts(clients: Clients, regions: Sequence[str], ident: str) -> str:
    """The Region in which an experiment was begun; raises UsageError when no Region that answers knows it."""
    silent = []
    for region in regions if ident else ():
        try:
            again(functools.partial(clients.of("fis", region).get_experiment, id=ident), tries=2)
        except (ClientError, BotoCoreError) as error:
            if error_code(error) not in ("ResourceNotFoundException", "ValidationException"):
                silent.append(region)
        else:
            return region
    rest = f"; {', '.join(silent)} could not be asked" if silent else ""
    raise UsageError(f"There is no fault {ident or 'without an id'}{rest}.")


@app.command("begin", epilog="Example: outlast fault begin gray-failure us-east-1 --set error_share=0.3 --seconds 60")
def begin(
    kind: Annotated[str, typer.Argument(help=f"The kind of fault: {', '.join(sorted(KINDS))}.")],
    regions: Annotated[list[str], typer.Argument(help="Its Region; for links: from and to, that direction alone.")],
    seconds: Annotated[float, seconds_option("It ends by itself after this.", least_s=1.0)] = 600.0,
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
        target = open_target("local", home, None)
        check_regions(regions, target.regions)
        _, silent = experiments(target.clients, target.regions)
        faults = faults_of(target, place(target.regions, [*regions, *silent]))
        faults.check(plan)
        running = faults.begin(plan, regions, seconds)
    typer.echo(f"{running.ident}  {running.what}")


@app.command("end", epilog="Example: outlast fault end EXPabc123")
def end(
    ident: Annotated[str, typer.Argument(help="The experiment's id, as `fault begin` and `fault list` say it.")],
    home: HomeOption = None,
) -> None:
    """End a fault and return once its effect is gone."""
    with one_line():
        target = open_target("local", home, None)
        faults_of(target, whereabouts(target.clients, target.regions, ident)).end(Running(ident, ident))
    typer.echo(f"{ident} has ended.")


@app.command("list", epilog="Example: outlast fault list")
def show(home: HomeOption = None, output: OutputOption = "text") -> None:
    """The faults that are active, and those that ended of late."""
    with one_line():
        target = open_target("local", home, None)
        found, silent = experiments(target.clients, target.regions)
    for region, why in silent.items():
        say(f"{region} could not be asked: {why}")
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
