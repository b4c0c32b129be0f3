"""`outlast replay`: what would have been decided from recorded signals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from outlast.cli.ops_output import OutputOption, print_table
from outlast.cli.ops_target import one_line
from outlast.cli.seconds import seconds_option
from outlast.ops.decide.replay import replay
from outlast.ops.decide.rules import HOLD_S, Decision
from outlast.ops.observe.recording import load
from outlast.ops.outcome import Exit
from outlast.ops.watch import rule_at


def register(app: typer.Typer) -> None:
    """Add `replay`."""
    app.command(
        "replay",
        epilog="Example: outlast replay signals.jsonl.gz",
        help="Judge recorded signals again: those of `outlast watch --record FILE`, or of a drill's folder. "
        "Exit: 0 nobody would be moved, 3 a Region would be left, 5 nowhere to go.",
    )(replay_file)


def replay_file(
    path: Annotated[Path, typer.Argument(help="The recording.")],
    quorum: Annotated[int, typer.Option(min=1, max=10, help="Vantage points that must say bad.")] = 3,
    hold_s: Annotated[float, seconds_option("Seconds that customers must be let down.")] = HOLD_S,
    output: OutputOption = "text",
) -> None:
    """Tell every change of mind."""
    with one_line():
        recording = load(path)
    rule = rule_at(recording.canary_period_s, quorum=quorum, hold_s=hold_s)
    changes = list(replay(recording.samples, recording.regions, rule))
    rows = [(f"{each.at_s - recording.begun_s:.1f} s", each.action, each.region or None, each.why) for each in changes]
    if output == "json":
        typer.echo(json.dumps({"seconds": recording.seconds, "decisions": [_document(each) for each in changes]}))
    elif output == "table":
        print_table(("at", "action", "region", "why"), rows)
    else:
        for at, action, region, why in rows:
            typer.echo(f"{at:>10}  {action:<10} {region or ''}  {why}")
        typer.echo(f"{len(recording.samples)} samples of {recording.seconds:.0f} s.")
    raise typer.Exit(int(exit_of(changes)))


def exit_of(decisions: list[Decision]) -> Exit:
    """The worst that would have been decided."""
    actions = {each.action for each in decisions}
    if "evacuate" in actions:
        return Exit.MISSED
    return Exit.UNDECIDED if "undecided" in actions else Exit.GOOD


def _document(decision: Decision) -> dict[str, object]:
    return {
        "at_s": decision.at_s,
        "action": decision.action,
        "region": decision.region,
        "why": decision.why,
        "dissent": list(decision.dissent),
        "states": {finding.region: finding.state for finding in decision.findings},
    }
