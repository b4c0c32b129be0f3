"""`outlast audit`: what the kit did, and whether its log is whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from outlast.cli.ops_output import OutputOption, print_table
from outlast.cli.ops_target import HomeOption, folder_of, one_line
from outlast.ops.act import audit
from outlast.ops.act.audit import Entry
from outlast.ops.outcome import Exit, OpsError, UsageError

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
"""The sub-commands of `audit`."""
LOG = "audit.jsonl"
MOST = 100
"""Characters of one detail in a table; `--output json` has all of it."""
PathArgument = Annotated[
    Path | None,
    typer.Argument(help="A log or a drill's folder; absent: the operator's own.", show_default=False),
]


def register(parent: typer.Typer) -> None:
    """Add `audit`."""
    parent.add_typer(app, name="audit", help="The audit log: show it, verify its chain of hashes.")


@app.command("show", epilog="Example: outlast audit show --output table")
def show(path: PathArgument = None, home: HomeOption = None, output: OutputOption = "text") -> None:
    """What was done, by whom, when."""
    with one_line():
        entries = _read(_log(path, home))
    if output == "json":
        typer.echo(json.dumps([audit.members(entry) for entry in entries]))
    else:
        rows = [
            (each.number, _moment(each.at_s), each.who, each.action, told(each.detail), each.hash[:12])
            for each in entries
        ]
        print_table(("number", "at", "who", "action", "what", "hash"), rows)


@app.command("verify", epilog="Example: outlast audit verify")
def verify(
    path: PathArgument = None,
    head: Annotated[str, typer.Option(help="The last hash, as it was noted elsewhere: tells a cut end.")] = "",
    home: HomeOption = None,
    output: OutputOption = "text",
) -> None:
    """Check every link of the chain; beside a report, the last hash too. Exit: 0 intact, 3 not."""
    with one_line():
        log = _log(path, home)
        entries, problem = _judged(log)
        last = entries[-1].hash if entries else audit.ROOT
        noted = head or _noted(log.parent / "report.json")
        if not problem and noted and noted != last:
            problem = "the end is not the one that was noted: something was cut off or added"
    if output == "json":
        typer.echo(json.dumps({"log": str(log), "entries": len(entries), "head": last, "problem": problem}))
    elif output == "table":
        print_table(("log", "entries", "head", "problem"), [(log, len(entries), last, problem or "none")])
    else:
        typer.echo(f"{log}: {len(entries)} entries, last hash {last}: {problem or 'the chain is intact'}.")
    raise typer.Exit(int(Exit.MISSED if problem else Exit.GOOD))


def told(detail: Mapping[str, Any]) -> str:
    """The details of an entry in one line: what is short in full, what is long (a plan, a look) by its name alone."""
    parts = []
    for name, value in detail.items():
        if value in ("", None, [], {}):
            continue
        text = value if isinstance(value, str) else json.dumps(value, separators=(", ", ": "))
        parts.append(f"{name}: {text}" if len(text) <= MOST else f"{name}: …" if isinstance(value, (dict, list)) else
                     f"{name}: {text[:MOST]}…")  # fmt: skip
    return "; ".join(parts)


def _log(path: Path | None, home: Path | None) -> Path:
    log = path or folder_of(home) / LOG
    return log / LOG if log.is_dir() else log


def _read(log: Path) -> list[Entry]:
    if not log.exists():
        raise UsageError(f"There is no audit log at {log}.")
    return audit.read(log)


def _judged(log: Path) -> tuple[list[Entry], str]:
    """The entries and what is wrong with them; a line that is no entry is wrong, too."""
    try:
        entries = _read(log)
    except UsageError:
        raise
    except OpsError as error:
        return [], str(error).rstrip(".")
    return entries, audit.verify(entries)


def _noted(report: Path) -> str:
    """The last hash that a report beside the log has; empty when there is no report."""
    if not report.exists():
        return ""
    from outlast.ops.report.write import read

    return str(read(report)["audit"]["head"])


def _moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
