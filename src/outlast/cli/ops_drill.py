"""`outlast drill`: practise it, measure it, report it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from outlast.cli.ops_faults import faults_of
from outlast.cli.ops_interrupt import run
from outlast.cli.ops_output import OutputOption, print_table
from outlast.cli.ops_report import objectives
from outlast.cli.ops_target import HomeOption, Target, one_line, open_target
from outlast.cli.say import Teller, say
from outlast.ops.act.audit import AuditLog, operator
from outlast.ops.deployment import Deployment
from outlast.ops.drill.changes import CHANGES, WithChanges
from outlast.ops.drill.customers import Crowd
from outlast.ops.drill.faults import FisFaults
from outlast.ops.drill.file import DrillFile, find, library
from outlast.ops.drill.folder import set_aside
from outlast.ops.drill.guardian import guarded
from outlast.ops.drill.hold import NAME as LOCK
from outlast.ops.drill.hold import hold
from outlast.ops.drill.journal import NAME as CHANGES_FILE
from outlast.ops.drill.journal import Journal
from outlast.ops.drill.play import Drill
from outlast.ops.drill.stage import Stage
from outlast.ops.drill.story import Event, StepSeen, Story
from outlast.ops.observe.recording import save
from outlast.ops.observe.survey import COASTS
from outlast.ops.outcome import OpsError, Stopped, UsageError
from outlast.ops.report import terminal
from outlast.ops.report.build import build
from outlast.ops.report.junit import write_junit
from outlast.ops.report.terminal import STEP_STYLES
from outlast.ops.report.write import write

CLEANER_LOG = "drill-clean-up.log"
PLACES = ("first", "second")


def register(app: typer.Typer) -> None:
    """Add `drill`."""
    app.command(
        "drill",
        epilog="Example: outlast drill gray-failure",
        help="Play a drill on the local world and report what was measured. Exit: 0 met, 3 missed, 5 not certain.",
    )(drill)


def drill(
    name: Annotated[str, typer.Argument(help="A drill of the library, or a YAML file.")] = "gray-failure",
    home: HomeOption = None,
    show: Annotated[bool, typer.Option("--list", help="List the drills instead.")] = False,
    clean_up: Annotated[
        bool, typer.Option("--clean-up", help="Take back what a drill that was killed has changed, and play none.")
    ] = False,
    into: Annotated[Path | None, typer.Option(help="Folder for the report.", show_default=False)] = None,
    xml: Annotated[
        Path | None, typer.Option("--junit", help="Write JUnit XML to this file.", show_default=False)
    ] = None,
    output: OutputOption = "text",
) -> None:
    """Play it."""
    with one_line():
        if show:
            for each in library().values():
                typer.echo(f"{each.name}: {each.title}")
            return
        file = find(name)
        target = open_target("local", home, None)
        deployment = target.deployment()
        journal = Journal(target.home / CHANGES_FILE)
        world = faults_of(target, deployment.observer_region)
        if not clean_up:
            check_faults(file, target, world)
        changes = WithChanges(world, target.clients, deployment, journal)
        with hold(target.home / LOCK):
            _clean_up(target, changes, tell_nothing=clean_up)
            if clean_up:
                return
            moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
            folder = into or target.home / "drills" / f"{file.name}-{moment}"
            with _made(folder), guarded(_cleaner(target), target.home / CLEANER_LOG):
                told = run(play(target, deployment, file, folder, moment, changes))
        save(folder / "signals.jsonl.gz", told.samples, deployment.region_names, deployment.canary_period_s)
        report = json.loads(json.dumps(build(told)))
        _, page = write(report, folder)
        if xml is not None:
            write_junit(report, xml)
    if output == "json":
        typer.echo(json.dumps(report))
    elif output == "table":
        print_table(("objective", "measured", ""), objectives(report))
    else:
        terminal.show(report, Console())
        typer.echo(f"The report: {page}")
    raise typer.Exit(int(report["verdict"]["exit_code"]))


def check_faults(file: DrillFile, target: Target, world: FisFaults) -> None:
    """Raise UsageError for a Region or a parameter that no fault here has, before customers are sent anywhere."""
    for fault in (*file.also, file.fault):
        strange = [each for each in fault.regions if each not in PLACES and not target.has(each)]
        if strange:
            raise UsageError(
                f"{fault.kind}: this world has no Region {strange[0]}; it has {', '.join(target.regions)}, and the "
                "deployment's are first and second."
            )
        if fault.kind not in CHANGES:
            world.check(fault)


def _clean_up(target: Target, changes: WithChanges, *, tell_nothing: bool) -> None:
    """Take back what a killed drill has left, and say so; say that nothing was left only when `tell_nothing`."""
    left = changes.clean_up(AuditLog(target.home / "audit.jsonl", operator()))
    if left:
        say(f"outlast: taken back what a drill that was killed had left: {', '.join(left)}.")
    elif tell_nothing:
        say("outlast: nothing was left.")


def _cleaner(target: Target) -> list[str]:
    """The command that cleans up after this drill, should it be killed."""
    return [sys.executable, "-P", "-m", "outlast.cli", "drill", "--clean-up", "--home", str(target.home)]


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """The folder of a report. One that was made for nothing, since the drill did not begin, is taken away again."""
    there = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"The folder {folder} cannot be made: {error.strerror}.") from error
    earlier = set_aside(folder)
    if earlier:
        say(f"outlast: the earlier drill in {folder} was set aside, to {earlier}.")
    try:
        yield
    except Stopped:
        say("outlast: The drill was stopped; what it had changed was put back, or is named above.")
        raise
    except OpsError:
        if not there and not any(folder.iterdir()):
            folder.rmdir()
        raise


async def play(
    target: Target, deployment: Deployment, file: DrillFile, folder: Path, moment: str, changes: WithChanges
) -> Story:
    """One drill, with its progress on standard error; cancelled, it tidies up first."""
    console = Teller()
    begun_s = time.time()
    story = Story(
        title=file.title,
        hypothesis=file.hypothesis,
        region=region_of(file, deployment),
        fault=asdict(file.fault),
        load={**asdict(file.load), "coasts": dict(COASTS)},
        deployment=deployment,
        objectives=list(file.expect),
        now_s=time.time,
        without=file.without,
        tell=lambda event: _tell(console, event, begun_s),
        on_step=lambda step: _tell_step(console, step, begun_s),
    )
    stage = Stage(
        clients=target.clients,
        deployment=deployment,
        keys=target.keys,
        faults=changes,
        folder=folder,
        variables=target.variables,
        who=operator(),
        journal=changes.journal,
    )
    crowd = Crowd(deployment, file.load, COASTS, folder, f"{moment}-", target.variables)
    return await Drill(stage, file, story, crowd).play()


def region_of(file: DrillFile, deployment: Deployment) -> str:
    """The Region that a drill is about."""
    places: dict[str, Any] = {"first": deployment.regions[0].name, "second": deployment.regions[-1].name}
    return deployment.region(places.get(file.region, file.region)).name


def _tell(console: Teller, event: Event, begun_s: float) -> None:
    line = Text(f"{event.at_s - begun_s:6.1f} s  {event.kind:<10} {event.text}", overflow="fold")
    console.say(line)


def _tell_step(console: Teller, step: StepSeen, begun_s: float) -> None:
    word, style = STEP_STYLES[step.state]
    moment = f"{(step.at_s or begun_s) - begun_s:6.1f} s"
    line = Text.assemble(moment, f"  step {step.number:>2}    ", (word, style), f"  {step.title}: {step.evidence}")
    console.say(line)
