"""`outlast doctor`: whether the application could be moved out of a Region tonight."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import typer

from outlast.cli.ops_interrupt import run
from outlast.cli.ops_output import OutputOption, print_table
from outlast.cli.ops_target import HomeOption, ProfileOption, TargetOption, one_line, open_target
from outlast.cli.say import say
from outlast.ops.clients import DENIED, STRANGER
from outlast.ops.doctor.examine import examine
from outlast.ops.doctor.findings import exit_of
from outlast.ops.doctor.gather import Gatherer
from outlast.ops.doctor.knock import knock
from outlast.ops.doctor.show import lines, summary
from outlast.ops.outcome import OpsError


def register(app: typer.Typer) -> None:
    """Add `doctor`."""
    app.command(
        "doctor",
        epilog="Example: outlast doctor --output table",
        help="Look for what would hurt on the night: Regions that differ, room that lacks, switches that are stale. "
        "Changes nothing. Exit: 0 nothing serious, 3 something serious.",
    )(doctor)


def doctor(
    target: TargetOption = "local",
    home: HomeOption = None,
    profile: ProfileOption = None,
    output: OutputOption = "text",
) -> None:
    """Gather, examine, tell."""
    with one_line():
        where = open_target(target, home, profile)
        deployment = where.deployment()
        facts = Gatherer(where.clients, deployment).facts(time.time())
        codes = {each.why for each in facts.unseen if each.what != "switch states"}
        if codes and codes <= STRANGER | DENIED and not any(region.tables for region in facts.regions):
            raise OpsError(f"These credentials are refused by everything that was asked ({min(codes)}).")
        findings = examine(replace(facts, answers=run(knock(deployment, where.keys))))
    for text in facts.not_asked:
        say(f"not asked: {text}.")
    if output == "json":
        told = {"measured": target, "findings": [each.document() for each in findings]}
        typer.echo(json.dumps({**told, "not_asked": list(facts.not_asked)}))
    elif output == "table":
        rows = [(each.severity, each.region, each.rule, each.what, each.fix) for each in findings]
        print_table(("severity", "region", "rule", "what", "fix"), rows)
        typer.echo(summary(findings))
    else:
        for line in lines(findings):
            typer.echo(line)
    raise typer.Exit(int(exit_of(findings)))
